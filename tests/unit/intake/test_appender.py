"""What arrives at about the same time is appended together, in order, in entries of a bounded size."""

from __future__ import annotations

import asyncio
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from signaldesk.clock import ManualClock
from signaldesk.errors import Unavailable
from signaldesk.intake.appender import Appender
from signaldesk.model.event import Event, decode, join, pack
from signaldesk.stream import client
from signaldesk.stream.events import ENTRY_MAX, Append, EventStream

ONE, OTHER = UUID(int=1), UUID(int=2)


class Stream(EventStream):
    """Takes appends when it is let, and keeps them."""

    def __init__(self) -> None:
        super().__init__(client.connect("redis://nowhere.invalid"))
        self.rounds: list[list[Append]] = []
        self.begun, self.open = asyncio.Event(), asyncio.Event()
        self.error: Exception | None = None

    async def append(self, partition: int, appends: list[Append]) -> None:
        self.rounds.append(appends)
        self.begun.set()
        await self.open.wait()
        if self.error is not None:
            raise self.error


def events(count: int, start: int = 0) -> list[Event]:
    return [Event(n.to_bytes(16, "big"), "t", n, b"{}") for n in range(start, start + count)]


@given(st.lists(st.integers(0, 40), max_size=8))
def test_parts_that_are_joined_are_all_their_events_in_order(sizes: list[int]) -> None:
    parts = [events(size, 100 * n) for n, size in enumerate(sizes)]
    assert decode(join(map(pack, parts))) == [one for part in parts for one in part]


async def test_while_one_append_is_under_way_the_next_gathers() -> None:
    stream = Stream()
    appender = Appender(stream, ManualClock(7))
    first = asyncio.ensure_future(appender.append(0, ONE, events(2)))
    await stream.begun.wait()
    later = [
        asyncio.ensure_future(appender.append(0, org, events(600, start), lane=lane))
        for org, lane, start in [
            (ONE, "", 10),
            (OTHER, "", 0),
            (ONE, "", 2_000),
            (ONE, "import", 5),
            (ONE, "", 9_000),
        ]
    ]
    await asyncio.sleep(0)
    stream.open.set()
    await asyncio.gather(first, *later)

    assert [decode(one.events) for one in stream.rounds[0]] == [events(2)]
    assert [(one.org, one.lane, decode(one.events)) for one in stream.rounds[1]] == [
        (ONE.bytes, "", events(600, 10)),
        (ONE.bytes, "", events(600, 2_000)),
        (ONE.bytes, "", events(600, 9_000)),
        (OTHER.bytes, "", events(600)),
        (ONE.bytes, "import", events(600, 5)),
    ]


async def test_an_entry_is_filled_and_never_too_large() -> None:
    stream = Stream()
    stream.open.set()
    appender = Appender(stream, ManualClock(7))
    singles = [appender.append(0, ONE, events(1, n)) for n in range(ENTRY_MAX + 1)]
    large = appender.append(0, ONE, events(2 * ENTRY_MAX + 5, 5_000))
    await asyncio.gather(*singles, large)
    entries = [decode(one.events) for appends in stream.rounds for one in appends]
    sent = events(ENTRY_MAX + 1) + events(2 * ENTRY_MAX + 5, 5_000)
    assert [one for entry in entries for one in entry] == sent
    assert [len(entry) for entry in entries] == [1_000, 1, 1_000, 1_000, 5]


async def test_whoever_waits_hears_of_the_error_of_its_append() -> None:
    stream = Stream()
    stream.open.set()
    stream.error = Unavailable("away")
    appender = Appender(stream, ManualClock(7))
    found = await asyncio.gather(
        *(appender.append(0, ONE, events(1, n)) for n in range(3)), return_exceptions=True
    )
    assert found == [stream.error] * 3
    stream.error = None
    await appender.append(0, ONE, events(1))
