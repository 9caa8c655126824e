"""Which conditions of a filter were true of an event, which false, and which NULL."""

from __future__ import annotations

from typing import Any

import pytest

from signaldesk import filters


@pytest.mark.parametrize(
    ("text", "payload", "found"),
    [
        ("a > 1", {"a": 1}, {"a > 1": False}),
        ("a > 1", {"a": "1"}, {"a > 1": None}),
        ("NOT a > 1", {}, {"NOT a > 1": None}),
        ("a > 1 AND (b = 2 OR c = 3)", {"a": 1, "c": 3}, {"a > 1": False, "b = 2 OR c = 3": True}),
        (
            "a > 1 AND (b = 2 OR c = 3 AND d)",
            {"a": 2, "b": 1, "c": 3},
            {"a > 1": True, "b = 2": False, "c = 3": True, "d": None},
        ),
    ],
)
def test_what_kept_a_filter_from_being_true_is_named(text: str, payload: dict[str, Any], found: Any) -> None:
    assert dict(filters.parse(text).clauses(payload, "x", None, 0)) == found
