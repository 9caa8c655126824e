"""The processes: `web`, `ingest`, `processor`, `dispatcher`, `scheduler`, and `up`, which runs them all.

Each role is a module of its name with a `ROLE`. What they share: `process` runs one or several of them until
a signal, `waiting` holds them back until Postgres and Redis are there. `up` is made of `supervisor`, `child`,
`listening`, `servers` and `place`.
"""

NAMES = ("web", "ingest", "processor", "dispatcher", "scheduler")
"""What `signaldesk run` takes."""
