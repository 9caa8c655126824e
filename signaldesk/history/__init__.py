"""History: closed hours of events as Parquet, read as one with what is still in Postgres.

`History` (history.py) is the way in for readers: `relation(...)` gives DuckDB, `replay(...)` the events in
stream order, `cut(...)` the files and rows behind both. `Archiver` moves closed hours out of Postgres,
`Keeper` looks after the files. Where they lie is a `Shelf`.

`Queries` answers SQL that people ask, each query in a process that is thrown away.
"""
