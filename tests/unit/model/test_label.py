"""Known incidents out of a CSV file: what is taken, and what is said of each faulty line."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from signaldesk.errors import Invalid
from signaldesk.model.label import MOST, Label, read_csv

HEADING = "name,starts_at,ends_at,group.origin,comment\n"
NOON = datetime(2013, 2, 8, 12, tzinfo=UTC)


def faults(text: str) -> dict[str, str]:
    with pytest.raises(Invalid) as error:
        read_csv(text)
    return {fault.field: fault.message for fault in error.value.errors}


def test_lines_become_labels_in_their_order() -> None:
    text = HEADING + 'Storm,2013-02-08T12:00:00Z,2013-02-09T07:00:00-05:00,EWR,"snow, and wind"\n\nFog,'
    found = read_csv(text + "2013-02-10 12:00+00:00,2013-02-10T13:00Z,,\n")
    assert found[0] == Label("Storm", NOON, NOON.replace(day=9), {"origin": "EWR"}, "snow, and wind")
    assert (found[1].name, dict(found[1].group), found[1].comment) == ("Fog", {}, "")


def test_columns_stand_in_any_order_and_a_byte_order_mark_does_no_harm() -> None:
    text = "\ufeffends_at, name ,starts_at\r\n2013-02-09T12:00Z,Storm,2013-02-08T12:00Z\r\n"
    assert read_csv(text) == [Label("Storm", NOON, NOON.replace(day=9), {})]


def test_each_faulty_line_is_named_once_with_all_that_is_wrong() -> None:
    lines = [
        "Storm,2013-02-08T12:00Z,2013-02-09T12:00Z,,",
        ",yesterday,2013-02-09T12:00,,",
        "Backwards,2013-02-09T12:00Z,2013-02-08T12:00Z,,",
        "Short,2013-02-09T12:00Z",
        '"Two\nlines",2013-02-08T12:00Z,2013-02-09T12:00Z,,',
        "Ages,0001-01-01T00:00+14:00,9999-12-31T23:59-14:00,,",
        'Bad"quote",2013-02-08T12:00Z,"2013-02-09"T12:00Z,,',
    ]
    found = faults(HEADING + "\n".join(lines))
    assert list(found) == ["line 3", "line 4", "line 5", "line 8", "line 9"]
    assert "name must have 1 to 200" in found["line 3"]
    assert "starts_at 'yesterday' is no time; write e.g. 2026-01-31T12:00:00Z" in found["line 3"]
    assert "ends_at has no time zone" in found["line 3"]
    assert found["line 4"] == "ends_at must come after starts_at"
    assert found["line 5"] == "has 2 columns, the heading 5"
    assert "starts_at is in no year from 1 to 9999 in UTC" in found["line 8"]
    assert "ends_at is in no year from 1 to 9999 in UTC" in found["line 8"]
    assert "double quotes" in found["line 9"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the column name is missing"),
        ("name,starts_at\n", "the column ends_at is missing"),
        ("name;starts_at;ends_at\n", "columns are told apart by commas here, in this file by ';'"),
        ("name,starts_at,ends_at,nmae\n", "unknown column 'nmae'; known are name"),
        ("name,name,starts_at,ends_at\n", "the column name is there twice"),
        ("name,starts_at,ends_at,group.\n", "unknown column 'group.'"),
    ],
)
def test_a_wrong_heading_is_said_at_line_1(text: str, words: str) -> None:
    assert words in faults(text)["line 1"]


def test_a_file_without_lines_or_with_too_many_is_refused() -> None:
    assert "nothing below it" in faults("name,starts_at,ends_at\n")["line 2"]
    one = "Storm,2013-02-08T12:00Z,2013-02-09T12:00Z,,\n"
    assert "one too many" in faults(HEADING + one * (MOST + 1))[f"line {MOST + 2}"]
