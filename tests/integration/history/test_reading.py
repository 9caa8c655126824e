"""What readers of history get: every event once, from Postgres and Parquet, whatever is asked."""

from __future__ import annotations

import threading
from typing import Any
from uuid import UUID, uuid4

import duckdb
import orjson
import pytest

from signaldesk.clock import from_us, to_us
from signaldesk.errors import NotFound
from signaldesk.filters import parse
from signaldesk.model.event import Event
from tests.support.history import DAY, HOUR, START, HistoryLab, event, ids_of, some_events

FILTERS = (
    "amount > 20",
    "amount = 20",
    "amount <> 20.5 AND country = 'DE'",
    "amount >= 9007199254740993",
    "country IS NULL",
    "country IN ('FR') OR ok",
    "user.plan LIKE 'p%' AND NOT ok",
    "user.id % 7 = 3",
    "mixed = 1",
    "mixed = '1'",
    "mixed",
    "mixed IS NOT NULL AND rare < 0.5",
    "amount = country",
    "coalesce(rare, amount) < 1",
    "never.there IS NULL AND type = 'login'",
)


def test_an_event_is_the_same_before_and_after_it_is_archived(lab: HistoryLab) -> None:
    org = lab.org()
    events = [event({"a": 1.50, "ü": "é\n"}, source="web"), event({}), event({"a": None}, type="x")]
    lab.store(org, events, lane="import-1", behind=7)
    columns = "epoch_us(timestamp), epoch_us(received_at), * EXCLUDE (timestamp, received_at)"

    def rows() -> list[tuple[Any, ...]]:
        return lab.ask(org, f"SELECT {columns} FROM e ORDER BY position, idx")

    before = rows()
    assert lab.archiver().run(closed_only=False).events == 3
    assert rows() == before
    assert [bytes(row[-1], "utf-8") for row in before] == [one.payload for one in events]


def test_whole_entries_come_out_of_postgres_as_they_went_in(lab: HistoryLab) -> None:
    acme, other = lab.org(), lab.org("other")
    skewed = Event(uuid4().bytes, "login", START - DAY, b'{"b":"x"}', "", clock_skewed=True)
    batches = [
        (acme, "", 5, [event({"a": 1}, source="web"), skewed, event()]),
        (other, "import-1", 0, [event({"ü": "é\n\\"}, type="lögin", source="web"), skewed]),
        (acme, "", 0, [event()]),
    ]
    sent: list[dict[str, Any]] = []
    for org, lane, behind, events in batches:
        position = lab.store(org, events, lane=lane, behind=behind)
        for idx, one in enumerate(events):
            place = {"lane": lane, "behind": behind if idx == 0 else 0, "position": position, "idx": idx}
            text = {"payload": one.payload.decode(), "type": one.type, "source": one.source}
            other_facts = {"org_id": org.bytes, "id": one.id, "clock_skewed": one.clock_skewed}
            sent.append({**text, **place, **other_facts})
    last = sent[-1]["position"]
    found = lab.events.between(0, sent[0]["position"] - 1, last)
    found = found.sort_by([("position", "ascending"), ("idx", "ascending")])
    assert [{name: row[name] for name in sent[0]} for row in found.to_pylist()] == sent
    assert to_us(found["timestamp"][1].as_py()) == START - DAY
    assert {row["received_at"] for row in found.to_pylist()} == {from_us(lab.clock.now_us())}
    assert lab.events.between(0, last, last + 1).schema == found.schema


def test_a_text_with_a_line_break_is_not_taken_for_two(lab: HistoryLab) -> None:
    org = lab.org()
    odd = [event(source="one\ntwo"), event(type="broken\n"), event({"a": 1})]
    lab.store(org, odd)
    assert lab.archiver().run(closed_only=False).events == 3
    found = lab.ask(org, "SELECT source, type, payload FROM e ORDER BY idx")
    assert found == [(one.source, one.type, one.payload.decode()) for one in odd]


def test_only_closed_hours_are_archived(lab: HistoryLab) -> None:
    org = lab.org()
    lab.store(org, [event()])
    assert lab.archiver().run().events == 0
    lab.hour_passes()
    lab.store(org, [event()])
    assert lab.archiver().run().events == 1
    assert len(lab.ids(org)) == 2


def test_filters_say_the_same_of_files_of_rows_and_of_events(lab: HistoryLab) -> None:
    org = lab.org()
    events = some_events(600)
    # Files whose fields have other types than in the others, or none at all.
    events += [event({"amount": "20", "country": 5, "user": 1}) for _ in range(50)]
    for batch in range(0, 500, 100):
        lab.store(org, events[batch : batch + 100])
        lab.archiver().run(closed_only=False)
    lab.store(org, events[500:])
    for text in FILTERS:
        where = parse(text)
        expected = [
            one for one in events if where.predicate(_payload(one), one.type, one.source, one.timestamp)
        ]
        assert lab.ids(org, where) == ids_of(expected), text
    assert lab.ids(org) == ids_of(events)


def _payload(one: Event) -> dict[str, object]:
    return dict(orjson.loads(one.payload))


def test_fields_have_their_values_wherever_they_are_stored(lab: HistoryLab) -> None:
    org = lab.org()
    events = some_events(300)
    lab.store(org, events[:200])
    lab.archiver().run(closed_only=False)
    lab.store(org, events[200:])
    found = lab.ask(
        org,
        "SELECT count(*), count(*) FILTER ("
        " amount IS NOT DISTINCT FROM (payload->>'amount')::DOUBLE"
        " AND country IS NOT DISTINCT FROM payload->>'country'"
        " AND \"user.id\" IS NOT DISTINCT FROM (payload->'user'->>'id')::DOUBLE"
        " AND \"user.plan\" IS NOT DISTINCT FROM payload->'user'->>'plan'"
        " AND ok IS NOT DISTINCT FROM (payload->>'ok')::BOOLEAN"
        " AND rare IS NOT DISTINCT FROM (payload->>'rare')::DOUBLE) FROM e",
        fields=["*"],
    )
    assert found == [(300, 300)]


def test_what_is_not_alike_in_all_payloads_stays_in_the_payload(lab: HistoryLab) -> None:
    org = lab.org()
    huge = 2**53 + 1
    lab.store(
        org,
        [
            event(
                {"mixed": 1, "whole": huge, "exact": 2**62, "Case": 1, "case": 2, "deep": {"x": 1}, "a.b": 1}
            ),
            event({"mixed": "1", "whole": 0.5, "exact": 1, "case": 3, "deep": 2}),
        ],
    )
    lab.archiver().run(closed_only=False)
    (file,) = lab.book.files("live")
    assert file.fields == {"case": "BIGINT", "exact": "BIGINT"}
    assert lab.ids(org, parse(f"whole = {huge}")) == lab.ids(org, parse("mixed = 1"))
    assert len(lab.ids(org, parse("Case = 1 AND exact = 4611686018427387904"))) == 1


def test_a_range_and_types_are_exact(lab: HistoryLab) -> None:
    org = lab.org()
    events = [
        event(type=type_, time=START + hour * HOUR) for hour in range(-30, 3) for type_ in ("a_x", "aox", "b")
    ]
    lab.store(org, events[:60])
    lab.archiver().run(closed_only=False)
    lab.store(org, events[60:])
    wanted = [one for one in events if START - DAY <= one.timestamp < START + HOUR and one.type == "a_x"]
    assert lab.ids(org, types=["a_*"], since=START - DAY, until=START + HOUR) == ids_of(wanted)


def test_nothing_is_missing_and_nothing_double_while_events_come_and_are_archived(lab: HistoryLab) -> None:
    org = lab.org()
    over = threading.Event()

    def ingest() -> None:
        for number in range(60):
            lab.store(org, [event({"n": number * 5 + one}) for one in range(5)])
        over.set()

    def archive() -> None:
        while not over.is_set():
            lab.archiver().run(closed_only=False)

    threads = [threading.Thread(target=work) for work in (ingest, archive)]
    for thread in threads:
        thread.start()
    seen = 0
    while not over.is_set():
        numbers = sorted(int(row[0]) for row in lab.ask(org, "SELECT n FROM e", fields=["n"]))
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= seen
        seen = len(numbers)
    for thread in threads:
        thread.join()
    assert len(lab.ids(org)) == 300
    assert lab.paths()


def test_a_replay_follows_the_stream_and_not_the_clock(lab: HistoryLab) -> None:
    org = lab.org()
    batches = [[event(time=START - place * HOUR) for place in (3, 1, 2)] for _ in range(4)]
    for number, batch in enumerate(batches):
        lab.store(org, batch, behind=5)
        if number == 1:
            lab.archiver().run(closed_only=False)
    lab.store(org, [event()], lane="import")
    found = list(lab.history.replay(org))
    assert [one.event for one in found] == [one for batch in batches for one in batch]
    assert [one.behind for one in found[:3]] == [5, 0, 0]
    assert len(list(lab.history.replay(org, lane=None))) == 13


def test_late_events_and_imports_lie_with_their_own_day(lab: HistoryLab) -> None:
    org = lab.org()
    lab.store(org, [event()])
    lab.archiver().run(closed_only=False)
    lab.store(org, [event(time=START - 365 * DAY), event(time=START - HOUR)], lane="last year")
    lab.archiver().run(closed_only=False)
    days = [str(one.date) for one in lab.book.files("live")]
    assert sorted(days) == ["2025-01-31", "2026-01-31", "2026-01-31"]
    assert len(lab.ids(org, since=START - 366 * DAY, until=START - DAY)) == 1


def test_organisations_never_see_each_others_events(lab: HistoryLab) -> None:
    mine, theirs = lab.org("mine"), lab.org("theirs")
    lab.store(mine, [event(), event()])
    lab.store(theirs, [event()])
    lab.archiver().run(closed_only=False)
    lab.store(theirs, [event()])
    assert (len(lab.ids(mine)), len(lab.ids(theirs))) == (2, 2)
    assert all(f"org={one.org_id}/" in one.path for one in lab.book.files("live"))
    with pytest.raises(NotFound):
        lab.history.cut(uuid4())


def test_other_readers_find_the_layout_of_hive(lab: HistoryLab) -> None:
    org = lab.org()
    lab.store(org, [event(), event(time=START - DAY)])
    lab.archiver().run(closed_only=False)
    found = duckdb.connect().execute(
        f"SELECT org, date::VARCHAR, count(*) FROM read_parquet('{lab.folder}/org=*/date=*/*.parquet',"
        " hive_partitioning = true) GROUP BY ALL ORDER BY ALL"
    )
    assert [(UUID(str(row[0])), row[1], row[2]) for row in found.fetchall()] == [
        (org, "2026-01-30", 1),
        (org, "2026-01-31", 1),
    ]
