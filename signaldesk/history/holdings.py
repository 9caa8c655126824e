"""What a query may look at: an organisation's tables, and how a process of the sandbox comes to have them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from typing import IO, NamedTuple
from uuid import UUID

from signaldesk import statements
from signaldesk.errors import Unavailable
from signaldesk.history.cut import Cut
from signaldesk.history.history import History
from signaldesk.history.sandbox import wire
from signaldesk.history.sandbox.limits import Limits, OutOfProportion, size
from signaldesk.history.sandbox.wire import Format, Job
from signaldesk.history.view import COLUMNS, TAIL, events_view
from signaldesk.store.extract import Extract, TooMuch, unnamed_file

EVENTS = "events"
_COLUMN = re.compile(r'(?:\(|,)\s*"?(\w+)"? [A-Z]')
_AS_COPIED = (
    "auto_detect = false, header = false, delim = ',', quote = '\"', escape = '\"', nullstr = '', "
    "allow_quoted_nulls = false, max_line_size = 8388608"
)
"""How PostgreSQL writes CSV: an empty text has quotes, what is missing has none."""


class Held(NamedTuple):
    """A job, and the files that it speaks of, by number; close them. `missing` are damaged ones that it has
    to do without."""

    job: Job
    files: list[IO[bytes]]
    missing: Sequence[str]


class Holdings:
    """The organisation's rows as they are now. Blocks; meant for threads."""

    def __init__(self, extract: Extract, history: History) -> None:
        self._extract = extract
        self._history = history

    @cached_property
    def tables(self) -> dict[str, list[str]]:
        """Names of the tables, and of their columns."""
        others = {name: _COLUMN.findall(text) for name, text in self._makers.items()}
        return {EVENTS: list(COLUMNS), **others}

    def check(self, org_id: UUID) -> int:
        """Set aside the organisation's damaged files; how many those are."""
        return self._history.check(org_id)

    def of(self, org_id: UUID, sql: str, format: Format, limits: Limits) -> Held:
        """What this statement may need: a table whose name it does not contain stays empty.

        Raises OutOfProportion, Unavailable.
        """
        lower = sql.lower()
        with ExitStack() as opened:
            files = self._copied(org_id, [name for name in self._makers if name in lower], limits)
            for file in files.values():
                opened.enter_context(file)
            setup = list(self._makers.values())
            for number, name in enumerate(files):
                path, columns = wire.path(number, "csv"), _types(self._makers[name])
                setup.append(f"INSERT INTO {name} FROM read_csv('{path}', {_AS_COPIED}, columns = {columns})")
            handed = list(files.values())
            job = Job(sql, format, setup, self.tables, limits)
            missing: Sequence[str] = ()
            if EVENTS in lower:
                cut = self._history.cut(org_id)
                job, missing = self._with_events(cut, job, handed, opened), cut.missing
            opened.pop_all()
            return Held(job, handed, missing)

    def _with_events(self, cut: Cut, job: Job, handed: list[IO[bytes]], opened: ExitStack) -> Job:
        """The job with the organisation's events, whose files are appended to those `handed`."""
        if cut.tail.nbytes > (most := job.limits.memory // 2):
            raise _out_of_proportion(most)
        tail = opened.enter_context(unnamed_file())
        _write_arrow(cut.tail, tail)
        number = len(handed)
        handed.append(tail)
        view = events_view(cut, job.sql, first=len(handed))
        try:
            handed += [opened.enter_context(one.path.open("rb")) for one in cut.files]
        except OSError as error:
            reason = f"history cannot be read ({error.strerror}); try again"
            raise Unavailable(reason, retry_after=1) from error
        return Job(
            job.sql,
            job.format,
            [*job.setup, view.plain],
            job.tables,
            job.limits,
            arrow={TAIL: number},
            wide=view.wide,
            fields=view.fields,
            known=view.known,
        )

    def _copied(self, org_id: UUID, names: list[str], limits: Limits) -> dict[str, IO[bytes]]:
        most = limits.memory // 2
        try:
            return self._extract.copy(org_id, names, most=most) if names else {}
        except TooMuch:
            raise _out_of_proportion(most) from None

    @cached_property
    def _makers(self) -> dict[str, str]:
        return statements.named("duckdb/tables.sql")


def _write_arrow(table: object, file: IO[bytes]) -> None:
    import pyarrow as pa

    with pa.ipc.new_stream(file, table.schema) as writer:  # type: ignore[attr-defined]
        writer.write_table(table)
    file.flush()


def _out_of_proportion(most: int) -> OutOfProportion:
    return OutOfProportion(
        f"what is stored and not archived yet takes more than {size(most)}; ask the operator for a higher "
        "query_memory"
    )


def _types(maker: str) -> str:
    """The columns of a CREATE TABLE as read_csv takes them."""
    listed = re.findall(r'"?(\w+)"? ([A-Z]+)(?=[,)])', maker.partition("(")[2])
    return "{" + ", ".join(f"'{name}': '{kind}'" for name, kind in listed) + "}"
