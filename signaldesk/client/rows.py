"""The rows of a query, as whichever table people work with. Nothing is asked before somebody looks."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from signaldesk.client.damage import told
from signaldesk.client.http import Unreachable
from signaldesk.errors import SignalDeskError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_SHOWN, _COUNTED = 20, 10_000
"""Rows that a notebook shows of them, and so many that it looks at: nobody who looks at a cell means to fetch
a year."""


class Batches:
    """An answer that arrives: its columns are known, its rows come piece by piece, once."""

    def __init__(
        self, schema: pa.Schema, batches: Iterator[pa.RecordBatch], missing: Sequence[str] = ()
    ) -> None:
        """`missing` are damaged files of history, whose rows are not among these."""
        self.schema = schema
        self.missing = missing
        self._batches = batches

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self._batches


class Pieces(NamedTuple):
    """An answer's bytes as they come, and the damaged files of history that it does without."""

    pieces: Iterator[bytes]
    missing: Sequence[str] = ()


Stream = Callable[[], AbstractContextManager[Batches]]
"""Asks when it is called."""


class Rows:
    """A query and, once asked, its answer. `arrow`, `df` and `pl` ask once; `batches` asks each time anew."""

    def __init__(self, stream: Stream, sql: str) -> None:
        self._stream = stream
        self.sql = sql
        self._table: pa.Table | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Piece by piece as they arrive, so that a result may be larger than memory.

        Raises Refused (what is wrong, and where) or Unreachable, also on the way.
        """
        with self._stream() as stream:
            yield from told(stream)

    def arrow(self) -> pa.Table:
        """All rows as an Arrow table. Raises as `batches` does."""
        import pyarrow as pa

        if self._table is None:
            with self._stream() as stream:
                self._table = pa.Table.from_batches(told(stream), stream.schema)
        return self._table

    @contextmanager
    def reader(self) -> Iterator[pa.RecordBatchReader]:
        """All rows as Arrow's reader, for whoever takes them piece by piece."""
        import pyarrow as pa

        with self._stream() as stream:
            yield pa.RecordBatchReader.from_batches(stream.schema, iter(told(stream)))

    def df(self) -> pd.DataFrame:
        """All rows as a pandas DataFrame; times know that they are UTC."""
        _wanted("pandas")
        frame: pd.DataFrame = self.arrow().to_pandas()
        return frame

    def pl(self) -> Any:
        """All rows as a Polars DataFrame."""
        return _wanted("polars").from_arrow(self.arrow())

    def plot(self) -> Any:
        """A Bokeh figure: events as their number over time by type; of other rows the numbers, over their
        first time or text."""
        from signaldesk.client.picture import of

        return of(self.df(), " ".join(self.sql.split()))

    def __len__(self) -> int:
        return int(self.arrow().num_rows)

    def __repr__(self) -> str:
        asked = "not asked yet" if self._table is None else f"{len(self):,} rows"
        return f"<{type(self).__name__} of {' '.join(self.sql.split())[:100]!r}: {asked}>"

    def _repr_html_(self) -> str:
        """The first rows, and how many there are unless there are many; texts of events are escaped."""
        table, whole = self._looked_at()
        shown, many = min(_SHOWN, table.num_rows), table.num_rows
        rest = f" of {'' if whole else 'more than '}{many:,}" if many > shown else ""
        return f"{table.slice(0, _SHOWN).to_pandas().to_html(index=False)}<p>{shown}{rest} rows</p>"

    def _looked_at(self) -> tuple[pa.Table, bool]:
        """The rows, or the first of very many; whether they are all."""
        import pyarrow as pa

        if self._table is None:
            taken: list[pa.RecordBatch] = []
            with self._stream() as stream:
                for batch in told(stream):
                    taken.append(batch)
                    if sum(one.num_rows for one in taken) > _COUNTED:
                        return pa.Table.from_batches(taken, stream.schema).slice(0, _COUNTED), False
                self._table = pa.Table.from_batches(taken, stream.schema)
        return self._table, True


@contextmanager
def arriving(asked: AbstractContextManager[Pieces]) -> Iterator[Batches]:
    """The batches of an Arrow IPC stream that comes in pieces. Raises Unreachable when it breaks off."""
    import pyarrow as pa

    with asked as pieces:
        try:
            with pa.ipc.open_stream(io.BufferedReader(_Arriving(pieces.pieces), 1 << 18)) as stream:
                yield Batches(stream.schema, iter(stream), pieces.missing)
        except (pa.ArrowInvalid, EOFError) as error:
            raise Unreachable("the answer broke off on its way; ask again, or for less") from error


class _Arriving(io.RawIOBase):
    """Pieces as a file to read from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._piece:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._piece = memoryview(piece)
        count = min(len(buffer), len(self._piece))
        buffer[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count


def _wanted(name: str) -> Any:
    """The library of that name. Raises SignalDeskError that says how to get it."""
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise SignalDeskError(f"{name} is not installed; `pip install {name}`, or use .arrow()") from None
