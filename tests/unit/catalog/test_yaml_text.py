"""A rule has one text, wherever it was made, and its text is the rule again."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaldesk.catalog import files
from signaldesk.catalog.yaml_text import canonical, write, write_at
from signaldesk.rules.document import fingerprint, parse
from tests.support.examples import examples
from tests.support.rule_documents import document_of, text


def as_saved(body: dict[str, Any]) -> dict[str, Any]:
    """What the database gives back of a rule: JSON, its fields in an order of its own."""
    found: dict[str, Any] = json.loads(json.dumps(parse(body).document(), sort_keys=True))
    return found


@examples(40)
@given(st.randoms(use_true_random=False))
def test_the_text_of_a_rule_is_the_rule_again(chance: Random) -> None:
    body = document_of(chance, text(chance)[:200])
    written = write([as_saved(body)])
    (read,) = files.parse_text(written, "it").parsed()
    assert read == parse(body)
    assert fingerprint(read) == fingerprint(parse(body))
    assert write([read.document()]) == written == write([body])


@examples(20)
@given(st.randoms(use_true_random=False), st.booleans(), st.integers(0, 8))
def test_a_rule_is_written_into_a_list_in_either_style(chance: Random, flow: bool, column: int) -> None:
    body = document_of(chance, "One")
    part = write_at(body, column=column + 2, flow=flow)
    rules = files.parse_text(f"{' ' * column}- {part}\n{' ' * column}- {part}\n", "it").documents
    assert [canonical(rule) for rule in rules] == [canonical(body)] * 2


def test_fields_come_in_the_order_in_which_people_write_them() -> None:
    body = {
        "mode": "shadow",
        "labels": {"b": "2", "a": "1"},
        "when": {"within": "60s", "at_least": 3, "kind": "count"},
        "cooldown": "300s",
        "by": ["country"],
        "event": ["a", "b"],
        "description": "why",
        "severity": "warning",
        "name": "One",
    }
    assert write([body]) == (
        "name: One\ndescription: why\nevent:\n  - a\n  - b\nby: country\n"
        "when:\n  kind: count\n  at_least: 3\n  within: 1m\n"
        "cooldown: 5m\nlabels:\n  a: '1'\n  b: '2'\nmode: shadow\n"
    )


@pytest.mark.parametrize("body", [{"name": "Old", "when": {"kind": "gone"}, "event": "a"}, {"b": 1, "a": []}])
def test_a_rule_that_is_not_valid_any_more_can_still_be_written(body: dict[str, Any]) -> None:
    assert files.parse_text(write([body]), "it").documents == [body]
