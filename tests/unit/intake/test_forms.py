"""The forms in which events arrive, and the same event in each of them."""

from __future__ import annotations

import gzip

import orjson
import pytest

from signaldesk.model.event import Event
from tests.unit.intake.conftest import NOW_US, Read

EVENT = {"type": "refund", "payload": {"amount": 5}, "source": "shop", "timestamp": "2025-10-09T08:53:00Z"}
CLOUD = {
    "specversion": "1.0",
    "id": "42",
    "type": "refund",
    "source": "shop",
    "time": "2025-10-09T08:53:00Z",
    "data": {"amount": 5},
}
TIME = 1_760_000_000_000_000 - 20_000_000


def fields(event: Event) -> tuple[object, ...]:
    return event.type, event.timestamp, event.payload, event.source, event.clock_skewed


WANTED = ("refund", TIME, b'{"amount":5}', "shop", False)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (orjson.dumps(EVENT), "application/json"),
        (orjson.dumps(EVENT), "Application/JSON; charset=utf-8"),
        (orjson.dumps([EVENT]), "application/json"),
        (orjson.dumps({"events": [EVENT]}), "application/json"),
        (orjson.dumps(EVENT), "application/x-ndjson"),
        (b"\r\n\n  " + orjson.dumps(EVENT) + b" \r\n\n", "application/jsonl"),
        (orjson.dumps(CLOUD), "application/cloudevents+json"),
        (orjson.dumps([CLOUD]), "application/cloudevents-batch+json; charset=utf-8"),
        (orjson.dumps(CLOUD), "application/json"),
    ],
    ids=[
        "one",
        "one, with a charset",
        "array",
        "events",
        "ndjson",
        "ndjson with blanks",
        "cloud",
        "clouds",
        "cloud as json",
    ],
)
@pytest.mark.parametrize("encoding", ["", "identity", "gzip", "X-GZip"])
def test_an_event_is_the_same_in_every_form(
    read: Read, body: bytes, content_type: str, encoding: str
) -> None:
    if "gzip" in encoding.lower():
        body = gzip.compress(body)
    taken = read(body, content_type, encoding=encoding)
    assert [fields(event) for event in taken.events] == [WANTED]
    assert taken.rejected == []


def test_an_event_needs_no_more_than_a_type(read: Read) -> None:
    (event,) = read(b'{"type": "refund"}').events
    assert fields(event) == ("refund", NOW_US, b"{}", None, False)


@pytest.mark.parametrize(
    ("given", "micros"),
    [
        ("2025-10-09T08:53:20Z", NOW_US),
        ("2025-10-09T10:53:20+02:00", NOW_US),
        ("2025-10-09 08:53:20.000001+00:00", NOW_US + 1),
        ("2025-10-09T08:53:19.999999999Z", NOW_US - 1),
        (1_760_000_000, NOW_US),
        (1_760_000_000.25, NOW_US + 250_000),
        (0, 0),
        (None, NOW_US),
    ],
)
def test_a_time_is_rfc_3339_or_unix_seconds(read: Read, given: object, micros: int) -> None:
    (event,) = read(orjson.dumps({"type": "x", "timestamp": given})).events
    assert event.timestamp == micros


@pytest.mark.parametrize(("ahead", "skewed"), [(299, False), (300, False), (301, True), (10**9, True)])
def test_a_time_too_far_ahead_is_set_back_and_marked(read: Read, ahead: int, skewed: bool) -> None:
    (event,) = read(orjson.dumps({"type": "x", "timestamp": NOW_US // 1_000_000 + ahead})).events
    assert event.clock_skewed is skewed
    assert event.timestamp == (NOW_US if skewed else NOW_US + ahead * 1_000_000)


def test_an_id_of_ones_own_is_kept_or_made_into_one(read: Read) -> None:
    uuid = "0196e2a0-0000-7000-8000-000000000000"
    (event,) = read(orjson.dumps({"type": "x", "id": uuid})).events
    assert event.id.hex() == uuid.replace("-", "")
    ids = [
        read(orjson.dumps({"type": "x", "id": "42", "source": source})).events[0].id
        for source in ("a", "a", "b")
    ]
    assert ids[0] == ids[1] != ids[2]


def test_a_cloud_events_attributes_join_the_payload(read: Read) -> None:
    cloud = {**CLOUD, "subject": "order 7", "traceparent": "00-1", "datacontenttype": "application/json"}
    (event,) = read(orjson.dumps(cloud)).events
    assert orjson.loads(event.payload) == {"amount": 5, "subject": "order 7", "traceparent": "00-1"}
    (event,) = read(orjson.dumps({**CLOUD, "data": [1, 2]})).events
    assert orjson.loads(event.payload) == {"data": [1, 2]}
    (event,) = read(orjson.dumps({name: value for name, value in CLOUD.items() if name != "data"})).events
    assert event.payload == b"{}"


def test_in_a_batch_the_good_are_taken_and_the_bad_are_listed(read: Read) -> None:
    body = b'{"type": "a"}\n{"type": \n7\n{"type": "b"}\n{"typ": "c"}\n'
    taken = read(body, "application/x-ndjson")
    assert [event.type for event in taken.events] == ["a", "b"]
    assert [(one["index"], one["code"], one["field"]) for one in taken.rejected] == [
        (1, "malformed", ""),
        (2, "wrong_type", ""),
        (4, "unknown_field", "typ"),
    ]
    answer = orjson.loads(taken.answer())
    assert answer["accepted"] == len(answer["ids"]) == 2
    assert answer["rejected"] == taken.rejected


def test_a_payload_may_be_deep_but_not_deeper(read: Read) -> None:
    deep = b'{"type":"x","payload":%s1%s}'
    assert read(deep % (b'{"a":' * 32, b"}" * 32)).events
    assert read(b'{"type":"x","payload":{"a":[%s]}}' % b",".join([b"[[]]"] * 40)).events
