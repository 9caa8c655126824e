"""A timeline says a thing once."""

from __future__ import annotations

from signaldesk.model.timeline import merged


def said(text: str) -> list[str]:
    """Capitals stand for themselves; of small letters those that are the same are one."""
    return merged(text, says=lambda one: one if one.islower() else None, join=lambda one, two: one + two)


def test_the_same_is_one_also_when_something_else_that_repeats_lies_between() -> None:
    assert said("ababb") == ["aa", "bbb"]


def test_what_stands_for_itself_parts_what_came_before_it_from_what_follows() -> None:
    assert said("aaNaNN") == ["aa", "N", "a", "N", "N"]
    assert said("") == []
