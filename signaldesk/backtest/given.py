"""What people give as events: a file, a DataFrame, an Arrow table, a list of dicts; as one view of DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, Any

from signaldesk.errors import FieldError, Invalid, NotFound
from signaldesk.filters.duckdb_values import quoted

if TYPE_CHECKING:
    import duckdb

_MIXED = (
    "holds values of several kinds, such as numbers and texts; make them alike, or give whole events as JSON "
    "in a column `payload`"
)
_READERS = {
    ".parquet": "read_parquet", ".csv": "read_csv", ".tsv": "read_csv",
    ".ndjson": "read_ndjson", ".jsonl": "read_ndjson", ".json": "read_json",
}  # fmt: skip
_MAGIC = b"ARROW1"
_ARROW = (".arrow", ".feather")
"""Files that DuckDB does not read, and Arrow does."""


def view(connection: duckdb.DuckDBPyConnection, source: Any) -> None:
    """Make the view `given` of what somebody gives. Raises Invalid, NotFound."""
    import duckdb

    if isinstance(source, str | Path):
        _open(connection, Path(source))
        return
    if isinstance(source, duckdb.DuckDBPyRelation):
        source = source.to_arrow_table()
    elif isinstance(source, list):
        source = _table(source)
    elif hasattr(source, "to_arrow") or hasattr(source, "collect"):  # Polars
        source = (source.collect() if hasattr(source, "collect") else source).to_arrow()
    elif hasattr(source, "select_dtypes"):  # pandas
        if "timestamp" in source.index.names and "timestamp" not in source.columns:
            source = source.reset_index()
        _check_columns(source)
    if getattr(source, "shape", (1, 1))[1:] == (0,):
        raise Invalid(f"these are no events: the {type(source).__name__} has no columns")
    _check_names([str(name) for name in getattr(source, "column_names", getattr(source, "columns", ()))])
    try:
        connection.register("given", source)
    except (duckdb.Error, TypeError) as error:
        what = type(source).__name__
        if hasattr(source, "columns"):
            raise Invalid(f"this {what} cannot be read: {said(error)}") from None
        instead = "a DataFrame, an Arrow table, a file or a list of dicts"
        raise Invalid(f"events cannot be read from a {what}; give {instead}") from None


def _open(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Make the view `given` of a file."""
    import duckdb

    if not path.is_file():
        raise NotFound(f"there is no file {path}; name a Parquet, Arrow, CSV or NDJSON file of events")
    zipped = path.suffix.lower() == ".gz"
    kind = Path(path.stem).suffix.lower() if zipped else path.suffix.lower()
    reader = _READERS.get(kind)
    if (reader is None and kind not in _ARROW) or (zipped and kind in (".parquet", *_ARROW)):
        known = f"{', '.join(sorted([*_READERS, *_ARROW]))}, and texts with .gz after that"
        raise Invalid(f"{path.name} is no file of events; known are {known}")
    if not path.stat().st_size:
        raise Invalid(f"{path.name} is empty; name a file that holds events")
    if reader is None:
        view(connection, _arrow(path))
        return
    try:
        connection.execute(f"CREATE VIEW given AS FROM {reader}({quoted(str(path))})")
        found = connection.execute("FROM given LIMIT 1").fetchone()
    except duckdb.Error as error:
        message = f"{path.name} cannot be read: it is damaged, cut off, or no {reader[5:]} file"
        why = _bad_line(path, zipped) if reader == "read_ndjson" else ""
        raise Invalid(f"{message}; take another copy of it ({why or said(error)})") from None
    _check_names(_written([name for name, *_ in connection.execute("DESCRIBE given").fetchall()]))
    if found is None:
        raise Invalid(f"{path.name} holds no events; name a file that does")


def _arrow(path: Path) -> Any:
    """The table of an Arrow file, which may be a stream."""
    from pyarrow import ArrowException, OSFile, ipc

    try:
        with OSFile(str(path)) as source:
            whole = source.read(len(_MAGIC)) == _MAGIC
            source.seek(0)
            table = (ipc.open_file if whole else ipc.open_stream)(source).read_all()
    except (ArrowException, OSError) as error:
        message = f"{path.name} cannot be read: it is damaged, cut off, or no Arrow file"
        raise Invalid(f"{message}; take another copy of it ({str(error).partition(chr(10))[0]})") from None
    if not len(table):
        raise Invalid(f"{path.name} holds no events; name a file that does")
    return table


def _bad_line(path: Path, zipped: bool) -> str:
    """Which line is no JSON: DuckDB counts them otherwise."""
    import gzip

    import orjson

    with suppress(OSError), gzip.open(path, "rb") if zipped else path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                orjson.loads(line.strip() or b"{}")
            except orjson.JSONDecodeError:
                return f"line {number} is no JSON"
    return ""


def said(error: Exception) -> str:
    """DuckDB's words, without the name of its error, the faulty line itself, and what may be tried."""
    lines = str(error).partition("\n\n")[0].splitlines()
    told = [line.strip() for line in lines if line.strip() and not line.startswith("Original Line:")]
    first, *more = told or ["no reason is given"]
    return ": ".join([first.partition(" Error: ")[2] or first, *more[:1]])[:300]


def _table(events: list[Any]) -> Any:
    """Dicts as an Arrow table. Raises Invalid when they are none, or a field has values of several kinds."""
    import pyarrow

    if not events:
        raise Invalid("these are no events: the list is empty")
    if wrong := [one for one in events if not isinstance(one, dict)]:
        raise Invalid(f"these are no events: a {type(wrong[0]).__name__} is among them; give dicts")
    names = dict.fromkeys(name for one in events for name in one)
    columns, faults = {}, []
    for name in names:
        try:
            columns[str(name)] = pyarrow.array([one.get(name) for one in events])
        except pyarrow.ArrowException:
            faults.append(FieldError(str(name), _MIXED))
    if faults:
        raise Invalid("these are no events", errors=faults)
    return pyarrow.table(columns)


def _written(names: Sequence[str]) -> list[str]:
    """Names of columns as a file has them: DuckDB numbers those that it takes for others (`Amount_1`)."""
    first = {name.lower(): name for name in reversed(names)}
    stems = [name.removesuffix("_1") for name in names]
    return [
        stem if first.get(stem.lower(), stem) != stem else name
        for name, stem in zip(names, stems, strict=True)
    ]


def _check_names(names: Sequence[str]) -> None:
    """Raises Invalid for columns whose names differ in case only: DuckDB does not tell them apart."""
    first = {name.lower(): name for name in reversed(names)}
    faults = [
        FieldError(name, f"differs from the column {other!r} in case only; rename one of them")
        for name in names
        if (other := first[name.lower()]) != name
    ]
    if faults:
        raise Invalid("these are no events", errors=faults)


def _check_columns(frame: Any) -> None:
    """Raises Invalid for columns of a pandas DataFrame that nobody can tell apart, or with values of several
    kinds: DuckDB takes all of them for texts then."""
    twice = frame.columns[frame.columns.duplicated()].unique()
    faults = [FieldError(str(name), "is the name of several columns; rename them") for name in twice]
    faults += [
        FieldError(str(name), message)
        for name in frame.columns.difference(twice, sort=False)
        if frame[name].dtype == object and (message := _mixed(frame[name].dropna()))
    ]
    if faults:
        raise Invalid("these are no events", errors=faults)


def _mixed(values: Any) -> str:
    """What is wrong with values of any kind, if they are not alike."""
    from pandas.api.types import infer_dtype

    kind = infer_dtype(values)
    if kind == "datetime" and len({one.tzinfo is None for one in values}) > 1:
        return "holds times with a zone and others without; make them alike"
    several = kind.startswith("mixed") and len({_kind(one) for one in set(map(type, values))}) > 1
    return _MIXED if several else ""


def _kind(type_: type) -> str:
    if issubclass(type_, bool) or type_.__name__ == "bool":  # NumPy's as well
        return "truth value"
    return "number" if issubclass(type_, Number) else type_.__name__
