"""The forms in which events arrive: one, an array, `{"events": […]}`, NDJSON, CloudEvents; plain or gzip."""

from __future__ import annotations

import re
import zlib
from itertools import islice
from typing import Any, NamedTuple

import orjson

from signaldesk.errors import Malformed, TooLarge, UnsupportedMediaType

JSON = "application/json"
NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-lines")
CLOUD_EVENT = "application/cloudevents+json"
CLOUD_EVENTS = "application/cloudevents-batch+json"
ACCEPTED = (JSON, *NDJSON, CLOUD_EVENT, CLOUD_EVENTS)

_FILLED_LINE = re.compile(rb"\S[^\n]*")


class Envelope(NamedTuple):
    """The would-be events of one body as decoded JSON, before any check of their content."""

    values: list[Any]
    single: bool
    """Whether the client sent one event on its own, so that faults need no index."""
    cloud: bool
    """Whether the events are CloudEvents."""
    faults: dict[int, str] = {}  # noqa: RUF012  never written to
    """Why the value at an index could not be decoded; it is None then."""


def media_type(header: str) -> str:
    """The media type of a Content-Type header, without parameters, in lower case."""
    return header.partition(";")[0].strip().lower()


def unpack(body: bytes, encoding: str, limit: int) -> bytes:
    """The body without its Content-Encoding, at most `limit` bytes.

    Raises UnsupportedMediaType for an unknown encoding, Malformed for broken gzip, TooLarge past the limit:
    what would not fit is never unpacked.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise UnsupportedMediaType(
            f"Content-Encoding {encoding[:40]!r} is not known here; send gzip or nothing"
        )
    unzip = zlib.decompressobj(wbits=31)
    try:
        plain = unzip.decompress(body, limit + 1)
    except zlib.error as error:
        raise Malformed("the body is not gzip, although Content-Encoding says so") from error
    if len(plain) > limit:
        raise TooLarge(f"the body unpacks to more than {limit} bytes; send smaller batches")
    if not unzip.eof or unzip.unused_data:
        raise Malformed("the gzip body is cut off, or has something after its end")
    return plain


def read(body: bytes, content_type: str, *, most: int = 10_000) -> Envelope:
    """The events of a body, at most so many.

    Raises Malformed when the body is not what its content type says, UnsupportedMediaType for others, and
    TooLarge for more events: millions that are nothing but a digit are not looked at one by one.
    """
    kind = media_type(content_type)
    if kind == JSON:
        value = _json(body)
        if isinstance(value, dict) and "events" in value and "type" not in value:
            return _listed(_events(value), most)
        if isinstance(value, list):
            return _listed(value, most)
        return Envelope([value], single=True, cloud=isinstance(value, dict) and "specversion" in value)
    if kind in NDJSON:
        return _lines([found[0] for found in islice(_FILLED_LINE.finditer(body), most + 1)], most)
    if kind == CLOUD_EVENT:
        return Envelope([_json(body)], single=True, cloud=True)
    if kind == CLOUD_EVENTS:
        value = _json(body)
        if not isinstance(value, list):
            raise Malformed("a CloudEvents batch is a JSON array")
        return _listed(value, most, cloud=True)
    found = f"found {kind[:60]!r}" if kind else "there is none"
    raise UnsupportedMediaType(
        f"Content-Type must be one of {', '.join(ACCEPTED)}; {found}. "
        "With curl: -H 'Content-Type: application/json'"
    )


def _listed(events: list[Any], most: int, *, cloud: bool = False) -> Envelope:
    if len(events) > most:
        raise TooLarge(f"one request may carry {most} events, this one has {len(events)}")
    return Envelope(events, single=False, cloud=cloud)


def _events(value: dict[str, Any]) -> list[Any]:
    events = value["events"]
    if not isinstance(events, list):
        raise Malformed('"events" must be an array of events')
    if strangers := sorted(value.keys() - {"events"}):
        raise Malformed(
            f'unknown field {strangers[0][:60]!r} beside "events"; the rest belongs into the events'
        )
    return events


def _json(body: bytes) -> Any:
    if not body.strip():
        raise Malformed('the body is empty; send an event such as {"type": "checkout_failed"}')
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"the body is not valid JSON: {_reason(error)}") from error


def _lines(lines: list[bytes], most: int) -> Envelope:
    if len(lines) > most:
        raise TooLarge(f"one request may carry {most} events, this one has more")
    values: list[Any] = []
    faults: dict[int, str] = {}
    for index, line in enumerate(lines):
        try:
            values.append(orjson.loads(line))
        except orjson.JSONDecodeError as error:
            values.append(None)
            faults[index] = f"this line is not valid JSON: {_reason(error)}"
    return Envelope(values, single=False, cloud=False, faults=faults)


def _reason(error: orjson.JSONDecodeError) -> str:
    return f"{error.msg} (line {error.lineno}, column {error.colno})"
