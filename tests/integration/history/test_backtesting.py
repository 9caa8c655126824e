"""What backtests get of stored events: PostgreSQL and files as one, and what is said of damage."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest

import signaldesk as sd
from signaldesk.backtest import stored
from signaldesk.backtest.events import Events
from signaldesk.backtest.fold import unsaved
from signaldesk.backtest.room import Room
from signaldesk.backtest.rule import backtest
from signaldesk.backtest.stored import Loaded
from signaldesk.clock import MICROS, from_us
from signaldesk.errors import Invalid
from signaldesk.history import duck
from signaldesk.model.event import Event
from signaldesk.store.urls import libpq_url
from tests.support.history import DAY, HOUR, START, HistoryLab, event, some_events

RULE = sd.Rule.count("checkout_*", at_least=3, within="60s", by="country", cooldown="1m")


def load(lab: HistoryLab, org: UUID, since: int, until: int, **more: Any) -> Loaded:
    now = from_us(lab.clock.now_us())
    return stored.load(lab.history, org, [RULE.model], from_us(since), from_us(until), now=now, **more)


def firings(events: Events) -> list[Any]:
    return backtest(unsaved(RULE.model), events, since=START).as_json()["firings"]  # type: ignore[no-any-return]


def failures(count: int) -> list[Event]:
    """In two countries by turns, ten seconds apart."""
    return [
        event({"country": ("DE", "FR")[number % 2], "n": number}, time=START + 10 * number * MICROS)
        for number in range(count)
    ]


def test_a_range_across_the_seam_is_judged_as_if_there_were_none(lab: HistoryLab) -> None:
    org, events = lab.org(), failures(60)
    for start in range(0, 60, 10):
        lab.store(org, events[start : start + 10], behind=3)
        if start == 30:
            lab.archiver().run(closed_only=False)
            before = load(lab, org, START, START + HOUR).events
            assert len(before) == 40
    lab.store(org, [event(type="login"), event(time=START + HOUR)])
    lab.store(org, failures(5), lane="import")
    loaded = load(lab, org, START, START + HOUR)
    rows = list(loaded.events.rows(loaded.events.types))
    assert [row.event for row in rows] == events
    assert [row.behind for row in rows[:2]] == [3, 0]
    plain = [
        {
            "id": UUID(bytes=one.id),
            "type": one.type,
            "timestamp": from_us(one.timestamp),
            "payload": one.payload.decode(),
        }
        for one in events
    ]
    expected = firings(Events.of(plain))
    assert len(expected) > 5
    assert firings(loaded.events) == expected


def test_no_number_of_rows_is_too_many_but_memory_ends_it_with_one_clear_error(lab: HistoryLab) -> None:
    org = lab.org()
    lab.store(org, [event({"text": f"{number}" * 400}) for number in range(4_000)])
    lab.archiver().run(closed_only=False)
    connection = duck.connect(memory="8MB", threads=1)
    connection.execute("SET temp_directory = ''")
    with pytest.raises(Invalid) as error:
        load(lab, org, START, START + HOUR, connection=connection)
    (fault,) = error.value.errors
    assert (fault.field, fault.message.split(",")[0]) == ("from", "up to 4")
    assert "more than fit into memory; name a shorter time" in fault.message
    assert len(load(lab, org, START, START + HOUR).events) == 4_000


def test_an_empty_range_is_refused(lab: HistoryLab) -> None:
    with pytest.raises(Invalid) as error:
        load(lab, lab.org(), START, START)
    assert [fault.message for fault in error.value.errors] == [
        "does not come after `from`; nothing lies between them"
    ]


def test_a_range_before_what_is_kept_is_refused_and_says_since_when_events_are_kept(lab: HistoryLab) -> None:
    org = lab.org()
    with pytest.raises(Invalid) as error:
        load(lab, org, START - 800 * DAY, START - 799 * DAY)
    (fault,) = error.value.errors
    assert fault.field == "to"
    assert fault.message == "lies before 2024-02-01, and older events are not kept; name a later time"
    # What is not given up yet is judged, and where events are kept but there are none, that is an answer.
    lab.store(org, [event(time=START - 800 * DAY)])
    assert len(load(lab, org, START - 801 * DAY, START - 799 * DAY).events) == 1
    assert len(load(lab, org, START - 2 * DAY, START - DAY).events) == 0


def test_when_history_begins_is_known_where_more_was_asked_for(lab: HistoryLab) -> None:
    org, begins = lab.org(), START - START % HOUR
    for count, archived in ((30, False), (60, True)):  # in PostgreSQL, and in files
        lab.store(org, failures(count))
        if archived:
            lab.archiver().run(closed_only=False)
            with psycopg.connect(libpq_url(lab.url)) as connection:
                connection.execute("TRUNCATE events")
        assert load(lab, org, START - 7 * DAY, START + DAY).events.kept_since == begins
        assert load(lab, org, START - DAY, START).events.kept_since == begins
        assert load(lab, org, begins, START + DAY).events.kept_since is None
        room = Room().load(lab.history, org, [RULE.model], from_us(START - DAY), from_us(START + DAY))
        assert room.events.kept_since == begins
    # One of another type tells as well that there was nothing to be kept before.
    lab.store(org, [event(type="login", time=START - 3 * DAY)])
    assert load(lab, org, START - 2 * DAY, START + DAY).events.kept_since is None


def test_what_a_plan_does_not_keep_is_told_of_a_range_that_lies_partly_before(lab: HistoryLab) -> None:
    org = lab.org()  # without any event
    found = load(lab, org, START - 800 * DAY, START).events
    assert found.kept_since is not None and from_us(found.kept_since) == datetime(2024, 2, 1, tzinfo=UTC)
    assert found.notes[0].startswith("history has no events from before 2024-02-01 00:00 UTC")


@pytest.mark.parametrize("number", [0, 1])
def test_a_file_that_was_changed_in_place_is_set_aside_when_it_cannot_be_read(
    lab: HistoryLab, number: int
) -> None:
    org = lab.org()
    for half in (some_events(40), failures(30)):
        lab.store(org, half)
        lab.archiver().run(closed_only=False)
    whole = load(lab, org, START, START + HOUR)
    path = lab.folder / lab.paths()[number]
    path.write_bytes(b"x" * path.stat().st_size)
    loaded = load(lab, org, START, START + HOUR)
    assert [lab.folder / one for one in loaded.missing] == [path]
    assert 0 < len(loaded.events) < len(whole.events)


def test_a_file_cut_in_half_is_told_of_and_the_others_are_judged(lab: HistoryLab) -> None:
    org = lab.org()
    for half in (some_events(40), failures(30)):
        lab.store(org, half)
        lab.archiver().run(closed_only=False)
    path = lab.folder / lab.paths()[0]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for _ in range(2):  # when it is found, and when it is known
        loaded = load(lab, org, START, START + HOUR)
        assert [lab.folder / one for one in loaded.missing] == [path]
        assert len(loaded.events) == 30
    elsewhere = load(lab, org, START + DAY, START + 2 * DAY)
    assert elsewhere.missing == []
