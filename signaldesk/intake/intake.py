"""Takes one request's events: read, check, append; says what was taken and what was not."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import uuid_utils

from signaldesk.clock import MICROS, Clock
from signaldesk.errors import FieldError, Invalid, TooLarge
from signaldesk.ids import new_ids
from signaldesk.intake import envelope
from signaldesk.intake.appender import Appender
from signaldesk.intake.check import Checked, Rejection, check
from signaldesk.intake.plain import PlainBatches
from signaldesk.model.event import Event
from signaldesk.stream.events import Append, EventStream

_LANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KEY_MAX = 255
_WHOLE = 5_000
"""Past this many events with ids of the client's own, the append is done in parts."""


class Sender(NamedTuple):
    """The organisation that sends, and the partition its events go to."""

    org_id: UUID
    partition: int


class Delivery(NamedTuple):
    """One request's body and the headers that matter.

    `replay` (header `X-SignalDesk-Replay`) names an import that is judged in its own event time; `notify`
    (`X-SignalDesk-Notify: true`) lets it tell people.
    """

    body: bytes
    content_type: str = envelope.JSON
    encoding: str = ""
    idempotency_key: str = ""
    replay: str = ""
    notify: bool = False


class RejectedEvents(Invalid):
    """None of the events could be taken."""

    code, title = "events_rejected", "None of the events could be taken"

    def __init__(self, rejected: list[dict[str, Any]], *, single: bool) -> None:
        where = (lambda r: r["field"]) if single else (lambda r: _path(r["index"], r["field"]))
        faults = [FieldError(where(one), one["message"]) for one in rejected[:100]]
        detail = rejected[0]["message"] if single else f"all {len(rejected)} events are wrong"
        super().__init__(
            f"{faults[0].field}: {detail}" if single and faults[0].field else detail, errors=faults
        )
        self.rejected = rejected
        if single:
            self.code = rejected[0]["code"]  # type: ignore[misc]


class Taken(NamedTuple):
    """Events ready to be appended, and those that are not."""

    events: list[Event]
    chosen: bool
    """Whether any id is the client's own."""
    rejected: list[dict[str, Any]]
    ids: bytes
    """The events' ids as the inside of a JSON array."""

    def answer(self) -> bytes:
        """The body of the 202."""
        rejected = orjson.dumps(self.rejected) if self.rejected else b"[]"
        return b'{"accepted":%d,"ids":[%b],"rejected":%b}' % (len(self.events), self.ids, rejected)


class Intake:
    """What every way in shares: the lean server, the web server, the tests."""

    def __init__(
        self,
        *,
        stream: EventStream,
        appender: Appender,
        clock: Clock,
        max_body: int,
        max_batch: int,
        max_events: int,
        clock_skew: int,
    ) -> None:
        """`max_body` and `max_batch` in bytes, after decompression; `clock_skew` in seconds."""
        self.max_body = max_body
        self.max_batch = max_batch
        self._max_events = max_events
        self._skew = clock_skew * MICROS
        self._plain = PlainBatches(self._skew)
        self._stream = stream
        self._appender = appender
        self._clock = clock

    async def accept(self, sender: Sender, delivery: Delivery) -> bytes:
        """The JSON answer for the 202: everything listed in it is in the stream.

        Raises Invalid (and its kinds) when nothing could be taken, Unavailable when Redis is away.
        """
        taken = self.read(sender, delivery)
        if delivery.idempotency_key or taken.chosen:
            return await self._append_once(sender, delivery, taken)
        lane, tell = _lane(delivery)
        await self._appender.append(sender.partition, sender.org_id, taken.events, lane=lane, tell=tell)
        return taken.answer()

    def accept_soon(
        self, sender: Sender, delivery: Delivery, done: Callable[[Exception | None], None]
    ) -> bytes:
        """The same without a coroutine, for events that need no look-ups: the answer to send once `done` is
        called with None. Raises as `accept` does; Invalid too when the delivery needs `accept`."""
        taken = self.read(sender, delivery)
        if delivery.idempotency_key or taken.chosen:
            raise NeedsLookup
        lane, tell = _lane(delivery)
        self._appender.add(sender.partition, sender.org_id, taken.events, done, lane, tell)
        return taken.answer()

    def read(self, sender: Sender, delivery: Delivery) -> Taken:
        """Read and check; appends nothing."""
        if len(delivery.idempotency_key) > _KEY_MAX:
            raise Invalid(f"Idempotency-Key is longer than {_KEY_MAX} characters")
        body = envelope.unpack(delivery.body, delivery.encoding, self.max_batch)
        found = envelope.read(body, delivery.content_type, most=self._max_events)
        if found.single and len(body) > self.max_body:
            raise TooLarge(f"one event may have {self.max_body} bytes, this one has {len(body)}")
        if not found.values:
            raise Invalid("there are no events in the body; send at least one")
        if not (found.single or found.cloud or found.faults):
            ids = new_ids(len(found.values))
            events = self._plain.read(found.values, body, ids.packed(), self._clock.now_us())
            if events is not None:
                return Taken(events, False, [], ids.texts())
        return self._check(sender, found)

    def _check(self, sender: Sender, found: envelope.Envelope) -> Taken:
        one = partial(
            check,
            org=str(sender.org_id),
            cloud=found.cloud,
            now_us=self._clock.now_us(),
            skew_us=self._skew,
            new_id=_new_id,
        )
        events: list[Event] = []
        rejected: list[dict[str, Any]] = []
        chosen = False
        for index, value in enumerate(found.values):
            fault = found.faults.get(index)
            checked = Rejection("malformed", "", fault) if fault else one(value)
            if isinstance(checked, Checked):
                events.append(checked.event)
                chosen |= checked.chosen
            else:
                rejected.append({"index": index, **checked._asdict()})
        if not events:
            raise RejectedEvents(rejected, single=found.single)
        ids = ",".join([f'"{_uuid_text(event.id)}"' for event in events])
        return Taken(events, chosen, rejected, ids.encode())

    async def _append_once(self, sender: Sender, delivery: Delivery, taken: Taken) -> bytes:
        lane, tell = _lane(delivery)
        head = Append(sender.org_id.bytes, self._clock.now_us(), b"", lane, tell)
        answer, key = taken.answer(), delivery.idempotency_key
        events = taken.events
        parts = [events[i : i + _WHOLE] for i in range(0, len(events), _WHOLE)] if not key else [events]
        for part in parts:
            before = await self._stream.append_once(
                sender.partition, head, part, chosen=taken.chosen, key=key, answer=answer
            )
            if before is not None:
                return before
        return answer


class NeedsLookup(Exception):
    """This delivery needs `accept`."""


def _lane(delivery: Delivery) -> tuple[str, bool]:
    if not delivery.replay:
        return "", True
    if not _LANE.fullmatch(delivery.replay):
        raise Invalid(
            "X-SignalDesk-Replay names the import: up to 64 letters, digits, dots, dashes, underscores"
        )
    return delivery.replay, delivery.notify


def _new_id() -> bytes:
    return uuid_utils.uuid7().bytes


def _path(index: int, field: str) -> str:
    return f"events[{index}].{field}" if field else f"events[{index}]"


def _uuid_text(id_: bytes) -> str:
    text = id_.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
