"""Words of a command line become one event."""

from __future__ import annotations

import pytest
import typer

from signaldesk.cli import _event


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("n=25.5", 25.5),
        ("n=7", 7),
        ("n=true", True),
        ("n=null", None),
        ("n=DE", "DE"),
        ('n="007"', "007"),
        ("n=007", "007"),
        ('n={"a": [1]}', {"a": [1]}),
        ("n=a=b", "a=b"),
        ("n=", ""),
        ("n=NaN", "NaN"),
    ],
)
def test_a_value_is_json_if_it_can_be_and_else_text(word: str, value: object) -> None:
    assert _event.payload([word]) == {"n": value}


def test_dots_make_objects() -> None:
    assert _event.payload(["user.plan=pro", "user.id=7", "n=1"]) == {"user": {"plan": "pro", "id": 7}, "n": 1}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["country"], "is not key=value"),
        (["=DE"], "is not key=value"),
        (["user..plan=pro"], "is not key=value"),
        (["a=1", "a=2"], "given twice"),
        (["a=1", "a.b=2"], "a value of its own"),
        (["a.b=2", "a=1"], "given twice"),
    ],
)
def test_words_that_make_no_payload_are_named(words: list[str], complaint: str) -> None:
    with pytest.raises(typer.BadParameter, match=complaint):
        _event.payload(words)


def test_source_and_time_are_left_out_unless_given() -> None:
    assert _event.event("a", [], None, None) == {"type": "a", "payload": {}}
    full = _event.event("a", ["n=1"], "shop", "2026-01-31T12:00:00Z")
    assert full == {"type": "a", "payload": {"n": 1}, "source": "shop", "timestamp": "2026-01-31T12:00:00Z"}
