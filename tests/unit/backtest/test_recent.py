"""A preview is the backtest, whatever of the events it has at hand."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaldesk.backtest import recent
from signaldesk.backtest.bench import Bench
from signaldesk.backtest.events import Events
from signaldesk.backtest.measure import measured
from signaldesk.backtest.recent import Recent
from signaldesk.backtest.result import Backtest
from signaldesk.backtest.room import MOST, Room
from signaldesk.backtest.rule import backtest
from signaldesk.clock import MICROS, from_us
from signaldesk.errors import Invalid, TooMany
from signaldesk.history import duck, files
from signaldesk.history.cut import COLUMNS, Cut, LocalFile, tail_of
from signaldesk.history.history import History
from signaldesk.model.event import Event
from signaldesk.model.rule import Rule
from signaldesk.rules import document
from tests.support.examples import examples
from tests.support.judging import LATENESS, ORG, event, seen
from tests.unit.backtest.test_parity import saved, table
from tests.unit.rules.test_live_is_oracle import ALONE, START, documents

HOUR = 3600 * MICROS
PALETTES: dict[str, list[Any]] = {
    "whole": [0, 1, 2, 3, None],
    "numbers": [0, 1, 1.0, 1.5, 2, 3, -0.0, None],
    "large": [1, 2, 2**53 + 1, -(2**63), 2**64 - 1],
    "texts": ["1", "DE", "", None],
    "anything": [1, 1.5, "1", True, None, [1], {"a": 1}],
}
BY = [None, "country", "user.plan", ["country", "amount"], "amount", "user", "source", "nowhere"]


class Past(History):
    """A history that answers with one cut."""

    def __init__(self, cut: Cut) -> None:
        self._cut = cut

    def cut(self, org_id: UUID, **asked: Any) -> Cut:
        return self._cut

    def begins_after(self, org_id: UUID, since: datetime, now: datetime) -> int | None:
        return None


def cut(events: Sequence[Event], folder: Path, parts: Sequence[int]) -> Cut:
    """The events in files, and the last part of them not yet; `parts`: where each part ends."""
    whole = table(list(events))
    count = len(whole)
    more = {
        "source": pyarrow.array([one.source for one in events], pyarrow.string()),
        "lane": pyarrow.array([""] * count),
        "partition": pyarrow.array([0] * count, pyarrow.int16()),
        "idx": pyarrow.array([0] * count, pyarrow.int32()),
    }
    for name, values in more.items():
        whole = whole.append_column(name, values)
    whole = whole.set_column(0, "id", whole["id"].cast(pyarrow.binary(16)))
    listed, start = [], 0
    for number, end in enumerate(sorted(parts)):
        if end > start:
            path = folder / f"{number}.parquet"
            found = files.write(files.sort(whole.slice(start, end - start)), path)
            listed.append(LocalFile(path, found.events, dict(found.fields)))
        start = max(start, end)
    tail, fields = tail_of(whole.slice(start).select(list(COLUMNS)))
    last = max([one.timestamp for one in events], default=START)
    return Cut(ORG, ["y"], START - HOUR, last + HOUR, listed, tail, fields)


def whole(found: Cut) -> Events:
    """All of them, with their payloads."""
    connection = duck.connect()
    connection.register("tail", found.tail)
    connection.execute(f"CREATE VIEW given AS {found.sql(tail='tail', lane='')}")
    return Events.on(connection)


def load(found: Cut, rule: Rule, most: int = MOST) -> Recent:
    since, until = from_us(found.since or 0), from_us(found.until or 0)
    return recent.load(Past(found), ORG, [rule], since, until, most)


def judged(events: Events, rule: Rule, since: int) -> Backtest:
    return backtest(saved(rule, 0), events, since=since, lateness=LATENESS)


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as found:
        yield Path(found)


@pytest.mark.parametrize("kind", ALONE)
@examples(4)
@given(data=st.data(), seed=st.integers(0, 2**16), palette=st.sampled_from(sorted(PALETTES)))
def test_a_preview_is_the_backtest(kind: str, data: st.DataObject, seed: int, palette: str) -> None:
    """Of fields that have columns everywhere, in some files, or nowhere, and of values of all kinds."""
    chance, users = random.Random(seed), data.draw(st.sampled_from([0, 15]), label="users from")
    by = data.draw(st.sampled_from(BY))
    said = data.draw(documents(kind))
    if by and said["when"].get("field") not in (by, *by):
        said["by"] = by
    rule = document.parse(said)
    events, now = [], START
    for number in range(30):
        now += chance.choice([0, 1, MICROS, 3 * MICROS])
        payload: dict[str, Any] = {"country": chance.choice(["DE", "FR", None])}
        if chance.random() < 0.9:
            payload["amount"] = chance.choice(PALETTES[palette])
        if number > users:
            payload["user"] = {"plan": chance.choice(["pro", "free"])} if chance.random() < 0.8 else None
        behind = chance.choice([0, 0, 0, MICROS])
        one = event(number + 1, "y", now - behind, payload)
        events.append(Event(one.id, "y", one.timestamp, one.payload, chance.choice([None, "a"])))
    with TemporaryDirectory() as name:
        found = cut(events, Path(name), data.draw(st.lists(st.integers(0, 30), max_size=3)))
        narrow, all_ = load(found, rule).events, whole(found)
        preview, right = judged(narrow, rule, START), judged(all_, rule, START)
        assert seen(list(preview.firings)) == seen(list(right.firings))
        right.notes = ()  # of payloads, which a preview does not read
        assert preview.as_json() == right.as_json()
        spans = START, now + 1
        assert measured(narrow, rule, *spans, LATENESS) == measured(all_, rule, *spans, LATENESS)


def rule(**more: Any) -> Rule:
    when = {"kind": "count", "at_least": 2, "within": "10s"}
    return document.parse({"name": "r", "event": "y", "when": when, **more})


def failures(count: int, apart: int = MICROS) -> list[Event]:
    """One a second, or so many µs apart."""
    return [
        event(number + 1, "y", START + number * apart, {"country": ("DE", "FR")[number % 2]})
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("amounts", "where", "payload"),
    [
        ([1, 2, 3], "amount > 1", False),
        ([1, 2.5, 3], "amount > 1", False),
        ([1, 2, "3"], "amount > 1", True),
        ([1, 2, "3"], "country = 'DE'", False),
        ([1, 2, 3], "amount > 1 AND rare IS NULL", False),
        ([1, 2.5, 2**60], "amount > 1", True),
        ([1, 2, 3], '"a.b" = 1', True),
    ],
)
def test_payloads_are_read_only_where_columns_do_not_say_what_they_say(
    folder: Path, amounts: list[Any], where: str, payload: bool
) -> None:
    events = [
        event(number + 1, "y", START + number, {"amount": amount, "country": "DE"})
        for number, amount in enumerate(amounts)
    ]
    for parts in ([], [1], [2], [1, 2], [1, 2, 3], [3]):
        found = load(cut(events, folder, parts), rule(where=where)).events
        assert found.own == ({"id", "payload"} if payload else {"id"}), parts


@pytest.mark.parametrize("apart", [1, 1_000, MICROS])
def test_of_too_many_events_the_latest_are_judged_as_a_backtest_of_that_time_would(
    folder: Path, apart: int
) -> None:
    found = cut(failures(1000, apart=apart), folder, [400, 900])
    asked = load(found, rule(by="country"), most=300)
    assert 200 < len(asked.events) <= 300 and len(asked.events) + asked.left_out == 1000
    assert asked.events.first is not None and asked.since <= asked.events.first
    assert asked.events.last == START + 999 * apart
    later = Cut(ORG, ["y"], asked.since, found.until, found.files, found.tail, found.tail_fields)
    one, other = (judged(events, rule(by="country"), asked.since) for events in (asked.events, whole(later)))
    assert one.as_json() == other.as_json() and one.firings
    assert load(found, rule(by="country"), most=1000).left_out == 0


def test_too_many_at_one_moment_are_refused_with_what_to_do(folder: Path) -> None:
    events = [event(number + 1, "y", START, {}) for number in range(9)]
    with pytest.raises(Invalid, match=r"9 events of y have the same time.* look at fewer types, or run"):
        load(cut(events, folder, [5]), rule(), most=8)


def test_what_needs_more_memory_than_there_is_ends_with_one_clear_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "_MEMORY", "8MB")
    events = [event(number + 1, "y", START, {"text": f"{number}" * 1000}) for number in range(5_000)]
    with pytest.raises(Invalid, match="need more memory than a preview has; look at a shorter time"):
        load(cut(events, folder, [4_000]), rule(where="text = 'a'"))


@pytest.mark.parametrize("kind", ALONE)
@examples(3)
@given(data=st.data())
def test_of_no_events_there_is_a_picture_as_well(kind: str, data: st.DataObject) -> None:
    said = data.draw(documents(kind))
    with TemporaryDirectory() as name:
        found = load(cut([], Path(name), []), document.parse(said)).events
    bench = Bench(found, since=START, until=START + HOUR, lateness=LATENESS)
    tried = bench.judge(document.parse(said))
    assert (tried.found.matched, tried.slots) == (0, [])


def test_room_is_given_back_when_a_bench_is_forgotten(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signaldesk.backtest.room._FEWEST", 100)
    found, room = Past(cut(failures(200), folder, [150])), Room(250)
    span = datetime(2020, 1, 1, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC)
    bench = room.load(found, ORG, [rule()], *span)
    assert bench.judge(rule()).found.firings and room.left == 50
    with pytest.raises(TooMany, match="close one of them"):
        room.load(found, ORG, [rule()], *span)
    del bench
    assert room.left == 250


def test_a_bench_refuses_a_rule_that_looks_at_other_fields(folder: Path) -> None:
    span = from_us(START - HOUR), from_us(START + HOUR)
    bench = Room().load(Past(cut(failures(9), folder, [4])), ORG, [rule(by="country")], *span)
    assert bench.judge(rule(where="country = 'DE'")).found.matched == 5
    with pytest.raises(Invalid, match="fields that were not loaded"):
        bench.judge(rule(by="user.plan"))
