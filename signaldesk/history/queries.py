"""SQL that people ask: let in, run in the sandbox, and passed on piece by piece."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import msgspec
import orjson

from signaldesk.errors import FieldError, Invalid, SignalDeskError
from signaldesk.history.sandbox.launcher import Failed, Launcher, Run
from signaldesk.history.sandbox.limits import Limits, OutOfProportion
from signaldesk.history.sandbox.wire import Column, Fault, Format
from signaldesk.history.turnstile import Turnstile
from signaldesk.log import get_logger

if TYPE_CHECKING:
    from signaldesk.history.holdings import Holdings

log = get_logger(__name__)
T = TypeVar("T")

_AHEAD = 1 << 20
"""Bytes of a result that are awaited before it is answered: a query that fails early is refused in full."""


class QueryRefused(Invalid):
    """It asks for more than reading the organisation's own tables."""

    code, title = "query_refused", "This query is not answered"


class QueryInvalid(Invalid):
    """It cannot be read, or not be carried out on these rows."""

    code, title = "query_invalid", "The query is not valid"


class QueryUnread(QueryInvalid):
    """A file that it reads is damaged, which only reading it has shown."""

    set_aside = 0
    """How many files are out of the way now."""


class QueryOverLimit(Invalid):
    """It takes too long, too much memory, or its result is too large."""

    code, title = "query_over_limit", "The query asks for too much"


_ERRORS: dict[str, type[Invalid]] = {
    "refused": QueryRefused,
    "wrong": QueryInvalid,
    "limit": QueryOverLimit,
    "unread": QueryUnread,
}


class Result:
    """An answer under way: iterate it for its bytes, and close it whatever happens.

    As JSON it is `{"columns": [{"name", "type"}], "rows": [[…]], "row_count", "elapsed_ms"}`.
    """

    def __init__(
        self,
        columns: list[Column],
        pieces: AsyncIterator[bytes],
        closing: ExitStack,
        missing: Sequence[str] = (),
    ) -> None:
        self.columns = columns
        self.missing = missing
        """Paths of damaged files: their events are not among those that were asked."""
        self._pieces = pieces
        self._closing = closing

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces

    async def read(self) -> bytes:
        """All of it. Raises as iterating does."""
        return b"".join([piece async for piece in self])

    def close(self) -> None:
        self._closing.close()


class Queries:
    """Runs an organisation's queries. Close it."""

    def __init__(
        self,
        *,
        holdings: Callable[[], Holdings],
        limits: Limits,
        at_once: int,
        at_once_per_org: int,
        launcher: Launcher | None = None,
    ) -> None:
        """`holdings` is called in a thread, for each query: the first one may take its time.

        A `launcher` that is given stays open: others may use it as well.
        """
        self._holdings = holdings
        self._limits = limits
        self._turnstile = Turnstile(over_all=at_once, per_org=at_once_per_org, what="queries", wait=2.0)
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="query")
        self._launcher = launcher or Launcher()
        self._close_launcher = launcher is None

    async def ask(self, org_id: UUID, sql: str, format: Format = "json") -> Result:
        """Run one query. Raises QueryRefused, QueryInvalid, QueryOverLimit, TooMany, Unavailable.

        Once more, without what turned out to be damaged.
        """
        try:
            return await self._ask(org_id, sql, format)
        except QueryUnread as error:
            if not error.set_aside:
                raise
        return await self._ask(org_id, sql, format)

    async def _ask(self, org_id: UUID, sql: str, format: Format) -> Result:
        begun = time.monotonic()
        with ExitStack() as stack:
            stack.enter_context(self._turnstile.let_in(org_id))
            starting = asyncio.wrap_future(self._threads.submit(self._start, org_id, sql, format))
            try:
                run = await asyncio.shield(starting)
            except asyncio.CancelledError:
                # Whoever asked is gone: what was being started is ended as soon as it is there.
                keep = stack.pop_all()
                starting.add_done_callback(lambda done: _abandon(done, keep))
                raise
            except (Failed, OutOfProportion) as error:
                raise _refusal(error) from None
            stack.callback(run.close)
            pieces = self._pieces(org_id, run)
            ahead, ended = await self._ahead(pieces)
            result = _wrapped(format, run, ahead, None if ended else pieces, begun)
            return Result(run.columns, result, stack.pop_all(), run.missing)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._close_launcher:
            self._launcher.close()

    def _start(self, org_id: UUID, sql: str, format: Format) -> Run:
        held = self._holdings().of(org_id, sql, format, self._limits)
        try:
            files = [file.fileno() for file in held.files]
            return Run(self._launcher, held.job, files, missing=held.missing)
        finally:
            for file in held.files:
                file.close()

    async def _pieces(self, org_id: UUID, run: Run) -> AsyncIterator[bytes]:
        try:
            while (piece := await self._in_thread(run)) is not None:
                yield piece
        except QueryUnread as error:
            checking = self._threads.submit(lambda: self._holdings().check(org_id))
            error.set_aside = await asyncio.wrap_future(checking)
            raise

    async def _in_thread(self, run: Run) -> bytes | None:
        reading = asyncio.wrap_future(self._threads.submit(run.read))
        try:
            return await asyncio.shield(reading)
        except asyncio.CancelledError:
            run.stop()  # so that the thread finds its line ended, before anybody closes it
            with suppress(Exception):
                await reading
            raise
        except Failed as error:
            raise _refusal(error) from None

    @staticmethod
    async def _ahead(pieces: AsyncIterator[bytes]) -> tuple[list[bytes], bool]:
        """The first pieces, and whether they are all."""
        taken: list[bytes] = []
        async for piece in pieces:
            taken.append(piece)
            if sum(map(len, taken)) >= _AHEAD:
                return taken, False
        return taken, True


def _abandon(done: asyncio.Future[Run], keep: ExitStack) -> None:
    with keep:
        if not done.cancelled() and done.exception() is None:
            done.result().close()


async def _wrapped(
    format: Format, run: Run, ahead: list[bytes], more: AsyncIterator[bytes] | None, begun: float
) -> AsyncIterator[bytes]:
    if format == "json":
        yield b'{"columns":' + msgspec.json.encode(run.columns) + b',"rows":['
    for piece in ahead:
        yield piece
    if more is not None:
        async for piece in more:
            yield piece
    if format == "json":
        end = {"row_count": run.rows, "elapsed_ms": round((time.monotonic() - begun) * 1000, 1)}
        yield b"]," + orjson.dumps(end)[1:]


def _refusal(error: Failed | OutOfProportion) -> SignalDeskError:
    """What went wrong as an error of ours, with the place in the statement."""
    fault = error.fault if isinstance(error, Failed) else Fault("limit", str(error))
    if fault.kind == "broken":
        log.error("a query could not be prepared", detail=fault.detail)
        return SignalDeskError("what is stored could not be read for this query; the log says why")
    place = f"line {fault.line}" + (f", column {fault.column}" if fault.column else "") if fault.line else ""
    detail = f"{fault.detail} ({place})" if place else fault.detail
    return _ERRORS[fault.kind](detail, errors=[FieldError("sql", detail)])
