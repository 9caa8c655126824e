"""What a change does is told field by field."""

from __future__ import annotations

from signaldesk.catalog.changes import FieldChange, compare


def test_fields_that_differ_are_named_by_their_paths() -> None:
    before = {"name": "One", "when": {"kind": "count", "at_least": 3}, "labels": {"team": "a"}, "by": "x"}
    after = {"name": "One", "when": {"kind": "count", "at_least": 5}, "severity": "error", "by": ["x", "y"]}
    assert compare(before, after) == [
        FieldChange("when.at_least", 3, 5),
        FieldChange("severity", None, "error"),
        FieldChange("by", "x", ["x", "y"]),
        FieldChange("labels.team", "a", None),
    ]


def test_the_same_is_no_change() -> None:
    assert compare({"a": {"b": [1]}}, {"a": {"b": [1]}}) == []
