"""What is wrong with a body is said with status, code, field and reason, and never with a fault of ours."""

from __future__ import annotations

import gzip
import zlib

import orjson
import pytest

from signaldesk.errors import Invalid
from signaldesk.intake.intake import RejectedEvents
from tests.unit.intake.conftest import Read

NDJSON, CLOUD, CLOUDS = (
    "application/x-ndjson",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
)


def gzipped(body: bytes, level: int = 9) -> bytes:
    """The same at any time of day, so that every worker of a test run knows the case by the same name."""
    return gzip.compress(body, level, mtime=0)


def refusal(read: Read, body: bytes, content_type: str = "application/json", **rest: str) -> Invalid:
    with pytest.raises(Invalid) as caught:
        read(body, content_type, **rest)
    return caught.value


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code", "reason"),
    [
        (b"", "application/json", 400, "malformed", "the body is empty"),
        (b" \n ", "application/json", 400, "malformed", "the body is empty"),
        (b"{", "application/json", 400, "malformed", "line 1, column 2"),
        (b'{"type": "a",}', "application/json", 400, "malformed", "not valid JSON"),
        (b'{"type": "a"} x', "application/json", 400, "malformed", "not valid JSON"),
        (b'{"type": NaN}', "application/json", 400, "malformed", "not valid JSON"),
        (b'{"type": "a", "payload": {"x": NaN}}', "application/json", 400, "malformed", "not valid JSON"),
        (b'{"payload": {"x": Infinity}}', "application/json", 400, "malformed", "not valid JSON"),
        (b'{"x": 1e999}', "application/json", 400, "malformed", "not valid JSON"),
        (b'{"x": %s}' % (b"9" * 3_000), "application/json", 400, "malformed", "not valid JSON"),
        (b'{"type": "\xff\xfe"}', "application/json", 400, "malformed", "not valid JSON"),
        (b'{"type": "\\ud800"}', "application/json", 400, "malformed", "not valid JSON"),
        (b'{"type": "\x00"}', "application/json", 400, "malformed", "not valid JSON"),
        (b"\x00\x01\x02", "application/json", 400, "malformed", "not valid JSON"),
        (b"\xef\xbb\xbf{}", "application/json", 400, "malformed", "not valid JSON"),
        (b"[" * 2_000, "application/json", 400, "malformed", "not valid JSON"),
        (b'{"events": {}}', "application/json", 400, "malformed", '"events" must be an array'),
        (b'{"events": [], "x": 1}', "application/json", 400, "malformed", "unknown field 'x' beside"),
        (b"{}", CLOUDS, 400, "malformed", "a CloudEvents batch is a JSON array"),
        (b"[]", "application/json", 422, "invalid", "there are no events"),
        (b'{"events": []}', "application/json", 422, "invalid", "there are no events"),
        (b"\n\n", NDJSON, 422, "invalid", "there are no events"),
        (b"[]", CLOUDS, 422, "invalid", "there are no events"),
        (b"[%s]" % b",".join([b'{"type":"a"}'] * 51), "application/json", 413, "too_large", "51"),
        (b'{"events":[%s]}' % b",".join([b"1"] * 51), "application/json", 413, "too_large", "51"),
        (b"1\n" * 51, NDJSON, 413, "too_large", "more"),
        (b'{"type":"a","payload":{"x":"%s"}}' % (b"x" * 5_000), "application/json", 413, "too_large", "4096"),
        (b"{}", "", 415, "unsupported_media_type", "there is none"),
        (b"{}", "text/plain", 415, "unsupported_media_type", "found 'text/plain'"),
        (b"a=1", "application/x-www-form-urlencoded", 415, "unsupported_media_type", "With curl: -H"),
        (b"{}", "application/json, text/plain", 415, "unsupported_media_type", "found"),
    ],
)  # fmt: skip
def test_a_body_that_is_wrong_as_a_whole(
    read: Read, body: bytes, content_type: str, status: int, code: str, reason: str
) -> None:
    error = refusal(read, body, content_type)
    assert (error.status, error.code) == (status, code)
    assert reason in error.detail


def deep(objects: int, lists: int = 0) -> str:
    """An event whose payload is so many levels of objects with so many of lists inside."""
    payload = '{"a":' * objects + "[" * lists + "1" + "]" * lists + "}" * objects
    return f'{{"type": "a", "payload": {payload}}}'


@pytest.mark.parametrize(
    ("event", "code", "field", "reason"),
    [
        ("7", "wrong_type", "", "an event is an object, found a number"),
        ("null", "wrong_type", "", "found null"),
        ("true", "wrong_type", "", "found true or false"),
        ('"a"', "wrong_type", "", "found a text"),
        ("{}", "missing", "type", "every event has a type"),
        ('{"type": null}', "wrong_type", "type", "must be a text that is not empty"),
        ('{"type": ""}', "wrong_type", "type", "must be a text that is not empty"),
        ('{"type": 7}', "wrong_type", "type", "must be a text, found a number"),
        ('{"type": ["a"]}', "wrong_type", "type", "must be a text, found an array"),
        ('{"type": "a*"}', "invalid", "type", "may not contain *"),
        ('{"type": "a\\u0000"}', "invalid", "type", "a control character"),
        ('{"type": "a\\nb"}', "invalid", "type", "a control character"),
        ('{"type": "%s"}' % ("x" * 201), "too_long", "type", "at most 200"),
        ('{"type": "a", "source": 7}', "wrong_type", "source", "must be a text"),
        ('{"type": "a", "source": "%s"}' % ("x" * 201), "too_long", "source", "at most 200"),
        ('{"type": "a", "source": "\\u007f"}', "invalid", "source", "a control character"),
        ('{"type": "a", "id": 7}', "wrong_type", "id", "must be a text"),
        ('{"type": "a", "id": ""}', "invalid", "id", "leave it out to get one"),
        ('{"type": "a", "id": "%s"}' % ("x" * 201), "too_long", "id", "at most 200"),
        ('{"type": "a", "payload": []}', "wrong_type", "payload", "must be an object, found an array"),
        ('{"type": "a", "payload": "{}"}', "wrong_type", "payload", "must be an object, found a text"),
        ('{"type": "a", "payload": {"x": "a\\u0000b"}}', "invalid", "payload", "the NUL character"),
        ('{"type": "a", "payload": {"a\\u0000b": 1}}', "invalid", "payload", "the NUL character"),
        ('{"type": "a", "payload": {"x": [["\\u0000"]]}}', "invalid", "payload", "the NUL character"),
        (deep(33), "too_deep", "payload", "32 levels"),
        (deep(1, 32), "too_deep", "payload", "32 levels"),
        (deep(260), "too_deep", "payload", "32 levels"),
        (deep(600), "too_deep", "payload", "32 levels"),
        ('{"type": "a", "timestamp": true}', "wrong_type", "timestamp", "RFC 3339 text or Unix seconds"),
        ('{"type": "a", "timestamp": {}}', "wrong_type", "timestamp", "found an object"),
        ('{"type": "a", "timestamp": "now"}', "invalid", "timestamp", "'now' is not a time"),
        ('{"type": "a", "timestamp": "2026-01-31T12:00:00"}', "invalid", "timestamp", "without a time zone"),
        ('{"type": "a", "timestamp": "2026-01-31"}', "invalid", "timestamp", "without a time zone"),
        ('{"type": "a", "timestamp": "2026-02-30T12:00:00Z"}', "invalid", "timestamp", "write RFC 3339"),
        ('{"type": "a", "timestamp": "1969-12-31T23:59:59Z"}', "invalid", "timestamp", "lies before 1970"),
        ('{"type": "a", "timestamp": -1}', "invalid", "timestamp", "lies before 1970"),
        ('{"type": "a", "timestamp": 1760000000000}', "invalid", "timestamp", "look like milliseconds"),
        ('{"type": "a", "timestamp": 1e300}', "invalid", "timestamp", "look like milliseconds"),
        ('{"type": "a", "tpye": 1}', "unknown_field", "tpye", "did you mean type?"),
        ('{"type": "a", "amount": 1}', "unknown_field", "amount", "put your own fields into payload"),
        ('{"type": "a", "%s": 1}' % ("x" * 1_000), "unknown_field", "x" * 60, "unknown field"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("single", [True, False], ids=["alone", "in a batch"])
def test_an_event_that_is_wrong(
    read: Read, event: str, code: str, field: str, reason: str, single: bool
) -> None:
    error = refusal(read, event.encode() if single else b"[%s]" % event.encode())
    assert isinstance(error, RejectedEvents)
    assert error.status == 422
    assert [(one["index"], one["code"], one["field"]) for one in error.rejected] == [(0, code, field)]
    assert reason in error.rejected[0]["message"]
    path = field if single else f"events[0].{field}".rstrip(".")
    assert error.errors == ((path, error.rejected[0]["message"]),)
    assert error.code == (code if single else "events_rejected")


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"specversion": "0.3"}, "invalid", "specversion"),
        ({"specversion": None}, "invalid", "specversion"),
        ({"id": None}, "missing", "id"),
        ({"id": ""}, "missing", "id"),
        ({"source": None}, "missing", "source"),
        ({"type": None}, "wrong_type", "type"),
        ({"id": 7}, "wrong_type", "id"),
        ({"time": "soon"}, "invalid", "timestamp"),
        ({"data_base64": "AA=="}, "invalid", "data_base64"),
        ({"data": {"x": "\x00"}}, "invalid", "payload"),
        ({"extension": "\x00"}, "invalid", "payload"),
    ],
)
def test_a_cloud_event_that_is_wrong(read: Read, change: dict[str, object], code: str, field: str) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", **change}
    error = refusal(read, orjson.dumps(event), CLOUD)
    assert isinstance(error, RejectedEvents)
    assert (error.rejected[0]["code"], error.rejected[0]["field"]) == (code, field)


@pytest.mark.parametrize(
    ("body", "encoding", "status", "reason"),
    [
        (b'{"type":"a"}', "gzip", 400, "the body is not gzip"),
        (b"", "gzip", 400, "cut off"),
        (gzipped(b'{"type":"a"}')[:-9], "gzip", 400, "cut off"),
        (gzipped(b'{"type":"a"}')[:-1] + b"x", "gzip", 400, "not gzip"),
        (gzipped(b'{"type":"a"}') + b"{}", "gzip", 400, "something after its end"),
        (gzipped(b"{}") * 2, "gzip", 400, "something after its end"),
        (zlib.compress(b'{"type":"a"}'), "gzip", 400, "not gzip"),
        (gzipped(b" " * 1_000_000, 9), "gzip", 413, "unpacks to more than 32768 bytes"),
        (gzipped(gzipped(b" " * 1_000_000)), "gzip", 400, "not valid JSON"),
        (b'{"type":"a"}', "br", 415, "'br' is not known here; send gzip or nothing"),
        (b'{"type":"a"}', "gzip, gzip", 415, "is not known here"),
        (b'{"type":"a"}', "deflate", 415, "is not known here"),
    ],
)  # fmt: skip
def test_an_encoding_that_is_wrong(read: Read, body: bytes, encoding: str, status: int, reason: str) -> None:
    error = refusal(read, body, encoding=encoding)
    assert error.status == status
    assert reason in error.detail


def test_a_gzip_bomb_is_never_unpacked(read: Read) -> None:
    bomb = gzipped(b"[" + b"1," * 50_000_000, 9)
    assert len(bomb) < 200_000
    assert refusal(read, bomb, encoding="gzip").status == 413


def test_an_idempotency_key_is_not_endless(read: Read) -> None:
    assert "longer than 255" in refusal(read, b'{"type":"a"}', idempotency_key="k" * 256).detail


def test_a_batch_of_nothing_but_wrong_events_lists_each_and_names_a_hundred(read: Read) -> None:
    error = refusal(read, b"[%s]" % b",".join([b"1"] * 50))
    assert isinstance(error, RejectedEvents)
    assert len(error.rejected) == len(error.errors) == 50
    assert error.detail == "all 50 events are wrong"
