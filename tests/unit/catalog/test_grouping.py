"""Fields that a rule groups by."""

from __future__ import annotations

from typing import Any

import pytest

from signaldesk.catalog import grouping


@pytest.mark.parametrize(
    ("by", "found"),
    [
        ("country", {}),
        (["user.plan", "items.0", "unusual name"], {}),
        ("items[0].sku", {"by.0": "here an element of a list is written with a dot; write items.0.sku"}),
        (["a", "a..b"], {"by.1": "'a..b' names no field; write e.g. country or user.plan"}),
        ([" ", ".", 7, None], {
            "by.0": "' ' names no field; write e.g. country or user.plan",
            "by.1": "'.' names no field; write e.g. country or user.plan",
        }),
        ("lower(country)", {
            "by.0": "takes a field, not what is worked out of some; 'lower(country)' is no name",
        }),
        ("amount (net)", {}),
        (7, {}),
    ],
)  # fmt: skip
def test_a_field_that_names_nothing_is_told_with_what_to_write(by: Any, found: dict[str, str]) -> None:
    assert {fault.field: fault.message for fault in grouping.faults({"by": by})} == found


@pytest.mark.parametrize("kind", ["anomaly", "new_value"])
@pytest.mark.parametrize(
    ("field", "said"),
    [("items[0].sku", "write items.0.sku"), ("a..b", "names no field"), ("lower(a)", "takes a field")],
)
def test_a_field_of_a_condition_is_asked_the_same(kind: str, field: str, said: str) -> None:
    (fault,) = grouping.faults({"when": {"kind": kind, "field": field}})
    assert fault.field == "when.field" and said in fault.message
    assert grouping.faults({"when": {"kind": "aggregate", "field": field}}) == []


@pytest.mark.parametrize("document", [None, 7, [], {}])
def test_what_groups_by_nothing_has_no_fault(document: Any) -> None:
    assert grouping.faults(document) == []
