"""What a query may look at: an organisation's tables, and how a process of the sandbox comes to have them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import IO, NamedTuple
from uuid import UUID

from signaldesk import statements
from signaldesk.history.sandbox import wire
from signaldesk.history.sandbox.limits import Limits, size
from signaldesk.history.sandbox.wire import Format, Job
from signaldesk.store.extract import Extract, TooMuch

_COLUMN = re.compile(r'(?:\(|,)\s*"?(\w+)"? [A-Z]')

_AS_COPIED = (
    "auto_detect = false, header = false, delim = ',', quote = '\"', escape = '\"', nullstr = '', "
    "allow_quoted_nulls = false, max_line_size = 8388608"
)
"""How PostgreSQL writes CSV: an empty text has quotes, what is missing has none."""


class OutOfProportion(Exception):
    """There is more than a query's process can hold."""


class Held(NamedTuple):
    """Statements that make the tables out of files; close the files."""

    setup: list[str]
    files: Sequence[IO[bytes]]


class Holdings:
    """The organisation's rows as they are now. Blocks; meant for threads."""

    def __init__(self, extract: Extract) -> None:
        self._extract = extract

    @cached_property
    def tables(self) -> dict[str, list[str]]:
        """Names of the tables, and of their columns."""
        return {name: _COLUMN.findall(text) for name, text in self._makers.items()}

    def of(self, org_id: UUID, sql: str, limits: Limits) -> Held:
        """What this statement may need: a table whose name it does not contain stays empty.

        Raises OutOfProportion, Unavailable.
        """
        lower = sql.lower()
        wanted = [name for name in self.tables if name in lower]
        most = limits.memory // 2
        try:
            files = self._extract.copy(org_id, wanted, most=most) if wanted else {}
        except TooMuch:
            raise OutOfProportion(
                f"what is stored takes more than {size(most)}; ask the operator for a higher query_memory"
            ) from None
        setup = list(self._makers.values())
        for number, name in enumerate(files):
            columns = _types(self._makers[name])
            file = wire.path(number, "csv")
            setup.append(f"INSERT INTO {name} FROM read_csv('{file}', {_AS_COPIED}, columns = {columns})")
        return Held(setup, list(files.values()))

    def job(self, held: Held, sql: str, format: Format, limits: Limits) -> Job:
        return Job(sql, format, held.setup, self.tables, limits)

    @cached_property
    def _makers(self) -> dict[str, str]:
        return statements.named("duckdb/tables.sql")


def _types(maker: str) -> str:
    """The columns of a CREATE TABLE as read_csv takes them."""
    listed = re.findall(r'"?(\w+)"? ([A-Z]+)(?=[,)])', maker.partition("(")[2])
    return "{" + ", ".join(f"'{name}': '{kind}'" for name, kind in listed) + "}"
