"""A desk for Python: of an installation elsewhere, or of this machine, straight from its own servers."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar
from uuid import UUID

from signaldesk.client.desk import Past
from signaldesk.client.http import Answer, Refused, Unreachable
from signaldesk.client.picked import COLUMNS, ORDER, Picked
from signaldesk.client.rows import Batches, Pieces, Stream, arriving
from signaldesk.client.saved import Saved
from signaldesk.clock import MICROS
from signaldesk.errors import FieldError, Invalid, SettingsError, SignalDeskError
from signaldesk.local import opened

if TYPE_CHECKING:
    from datetime import datetime

    from signaldesk.backtest.comparison import Comparison
    from signaldesk.backtest.events import Events
    from signaldesk.backtest.result import Backtest
    from signaldesk.backtest.rule import Rule
    from signaldesk.backtest.sweep import Sweep
    from signaldesk.client import desk as client
    from signaldesk.desk import Desk
    from signaldesk.intake.intake import Delivery
    from signaldesk.model.label import Label
    from signaldesk.model.rule import SavedRule

T = TypeVar("T")

_ROWS = 50_000
"""Of a piece of the events."""


def connect(
    url: str | None = None, *, api_key: str | None = None, org: str | None = None, data: Path | None = None
) -> client.Desk:
    """A desk: of the installation at `url`, with an API key, or of this machine.

    Without arguments, SIGNALDESK_URL and SIGNALDESK_API_KEY are looked at first. `org` and `data` are of this
    machine, `org` needed when it has several. Raises SignalDeskError that says what is missing, or too much.
    """
    if url:
        beside = {"org": org, "data": data}
        message = "is of this machine; leave it out: elsewhere the API key says which organisation"
        faults = [FieldError(name, message) for name, value in beside.items() if value is not None]
        if faults:
            raise Invalid(f"{url} is another installation", errors=faults)
    from signaldesk.client.desk import Desk

    url = url or (None if org or data else os.environ.get("SIGNALDESK_URL"))
    if url is None:
        return Desk(Here(data, org))
    key = api_key or os.environ.get("SIGNALDESK_API_KEY")
    if key is None:
        raise SettingsError(
            "an API key is needed: give api_key=… or set SIGNALDESK_API_KEY; "
            "`signaldesk keys create --scopes query:read` makes one"
        )
    from signaldesk.client.http import Api
    from signaldesk.client.remote import Remote

    return Desk(Remote(Api(url, key)))


class _Loaded(NamedTuple):
    """A rule, those that composite ones are made of, the one to compare with, and events."""

    saved: SavedRule
    others: list[SavedRule]
    against: SavedRule | None
    events: Events
    missing: Sequence[str]


class Here:
    """A backend of `client.Desk` with an event loop of its own, for callers that may have one already."""

    def __init__(self, data: Path | None, org: str | None) -> None:
        """Raises SettingsError, Unavailable, Invalid."""
        self._process = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="signaldesk", daemon=True)
        self._thread.start()
        self._stack = AsyncExitStack()
        self._partition: int | None = None
        try:
            self._desk, self._org = self._wait(self._open(data, org))
        except BaseException:
            self.close()
            raise
        self.where = self._desk.settings.base_url
        self.line = _Intake(self)

    def sql(self, query: str) -> Stream:
        return lambda: arriving(self._ask(query))

    def events(self, wanted: Picked) -> Stream:
        return lambda: self._events(wanted)

    def backtest(self, wanted: Past, *, progress: bool) -> Backtest:
        from signaldesk.backtest.rule import backtest
        from signaldesk.clock import to_us

        loaded = self._loaded(wanted)
        found = backtest(
            loaded.saved, loaded.events, others=loaded.others,
            since=to_us(wanted.since), until=to_us(wanted.until) - 1, lateness=self._lateness,
        )  # fmt: skip
        found.missing = loaded.missing
        return found

    def sweep(
        self,
        wanted: Past,
        parameters: dict[str, Any],
        *,
        labels: Sequence[Label] | Literal["stored"],
        progress: bool,
    ) -> Sweep:
        from signaldesk.backtest.rule import swept
        from signaldesk.backtest.sweep import grid
        from signaldesk.clock import to_us

        points = grid(parameters)
        loaded = self._loaded(wanted)
        known = self.labels(wanted.since, wanted.until) if isinstance(labels, str) else labels
        found = swept(
            loaded.saved, loaded.events, points, others=loaded.others, labels=known, progress=progress,
            since=to_us(wanted.since), until=to_us(wanted.until) - 1, lateness=self._lateness,
        )  # fmt: skip
        found.missing = loaded.missing
        return found

    def compare(self, wanted: Past, against: Rule | str, *, progress: bool) -> Comparison:
        from signaldesk.backtest.comparison import compared
        from signaldesk.clock import to_us

        loaded = self._loaded(wanted, against)
        assert loaded.against is not None
        found = compared(
            loaded.saved, loaded.against, loaded.events, others=loaded.others,
            since=to_us(wanted.since), until=to_us(wanted.until) - 1, lateness=self._lateness,
        )  # fmt: skip
        found.missing = loaded.missing
        return found

    @property
    def _lateness(self) -> int:
        """That of rules that say nothing of their own (µs)."""
        return self._desk.settings.allowed_lateness * MICROS

    def labels(self, since: datetime | None, until: datetime | None) -> list[Label]:
        return self._wait(self._desk.labels.between(self._org, since, until))

    def find(self, name: str) -> dict[str, Any] | None:
        known = self._wait(self._desk.rules.all(self._org))
        return next((one.body for one in known if one.name == name), None)

    def save(self, body: dict[str, Any]) -> Saved:
        (done,) = self._wait(self._desk.rules.apply(self._org, [body]))
        return Saved(done.name, done.id, done.version)

    def close(self) -> None:
        if not self._loop.is_closed() and self._process == os.getpid():
            self._wait(self._stack.aclose())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _open(self, data: Path | None, org: str | None) -> tuple[Desk, UUID]:
        desk = await self._stack.enter_async_context(opened(data, role="python"))
        return desk, (await desk.orgs.choose(org)).id

    def _loaded(self, wanted: Past, against: Rule | str | None = None) -> _Loaded:
        """The rules with their identities, and the events that they look at."""
        from signaldesk.backtest import stored
        from signaldesk.clock import from_us

        rules, org_id = self._desk.rules, self._org
        judges = self._wait(stored.judges(rules, org_id, _named(wanted.rule), wanted.version))
        others, old = judges.others, None
        if against is not None:
            found = self._wait(stored.judges(rules, org_id, _named(against), field="against"))
            others, old = [*others, *(one for one in found.others if one not in others)], found.saved
        every = [one.rule for one in (judges.saved, old, *others) if one is not None]
        now = from_us(self._desk.clock.now_us())
        loaded = stored.load(
            self._desk.history, org_id, every, wanted.since, wanted.until, now=now, replay=wanted.replay
        )
        return _Loaded(judges.saved, others, old, loaded.events, loaded.missing)

    @contextmanager
    def _ask(self, sql: str) -> Iterator[Pieces]:
        result = self._wait(self._desk.queries.ask(self._org, sql, "arrow"))
        pieces = aiter(result)
        try:
            yield Pieces(iter(lambda: self._wait(anext(pieces, b"")), b""), result.missing)
        finally:
            result.close()

    @contextmanager
    def _events(self, wanted: Picked) -> Iterator[Batches]:
        from datetime import timedelta

        from signaldesk.clock import from_us, to_us
        from signaldesk.history.history import relation

        since = wanted.since
        if wanted.last is not None:
            since = from_us(self._desk.clock.now_us()) - timedelta(microseconds=wanted.last)
        cut = self._desk.history.cut(
            self._org,
            types=wanted.types,
            since=None if since is None else to_us(since),
            until=None if wanted.until is None else to_us(wanted.until),
        )
        found = relation(cut, where=wanted.where, lane="")
        texts = {"id": "id::VARCHAR AS id", "payload": "payload::VARCHAR AS payload"}
        columns = ", ".join(texts.get(name, name) for name in COLUMNS.split(", "))
        with found.order(ORDER).project(columns).to_arrow_reader(_ROWS) as reader:
            yield Batches(reader.schema, iter(reader), cut.missing)

    def taken(self, delivery: Delivery) -> bytes:
        """Take events in. Raises as `Intake.accept` does."""
        from signaldesk.intake.intake import Sender
        from signaldesk.store import rules

        async def accept() -> bytes:
            if self._partition is None:
                async with self._desk.database.tenant(self._org) as connection:
                    self._partition = await rules.partition_of(connection, self._org)
            return await self._desk.intake.accept(Sender(self._org, self._partition), delivery)

        return self._wait(accept())

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop.is_closed():
            work.close()
            raise SignalDeskError("this desk is closed; connect again")
        if self._process != os.getpid():  # where its loop and its connections are not
            work.close()
            raise SignalDeskError("this desk was connected before the process forked; connect again here")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


class _Intake:
    """This machine's intake as a `Line`: what goes to an installation over HTTP goes to it directly."""

    def __init__(self, here: Here) -> None:
        self._here = here

    def post(self, path: str, content: bytes = b"", *, headers: Mapping[str, str] | None = None) -> Answer:
        """Raises Unreachable or Refused, as over HTTP."""
        import orjson

        from signaldesk.errors import Invalid, Unavailable
        from signaldesk.intake.intake import Delivery
        from signaldesk.model import problem

        told = headers or {}
        delivery = Delivery(
            content,
            told.get("Content-Type", ""),
            told.get("Content-Encoding", ""),
            told.get("Idempotency-Key", ""),
        )
        try:
            return Answer(202, orjson.loads(self._here.taken(delivery)))
        except Unavailable as error:
            raise Unreachable(error.detail, retry_after=error.retry_after) from error
        except Invalid as error:
            body = problem.document(error, "")
            raise Refused(error.detail, status=error.status, body=body, errors=error.errors) from error


def _named(rule: Rule | str) -> str | dict[str, Any]:
    return rule if isinstance(rule, str) else rule.document
