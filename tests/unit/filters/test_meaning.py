"""The compiled predicate means what the interpreter says, for random expressions and random events."""

from __future__ import annotations

import random

from hypothesis import example, given
from hypothesis import strategies as st

from signaldesk import filters
from signaldesk.filters.canonical import canonical
from tests.support.examples import examples
from tests.unit.filters.interpreter import Event, Node, truth
from tests.unit.filters.strategies import conditions, events, values
from tests.unit.filters.writing import plainly, write, write_value

MANY = examples(60)
AN_EVENT = Event(payload={"a": True}, type="a", source=None, timestamp_us=0)


@MANY
@given(conditions, st.lists(events, min_size=1, max_size=5), st.randoms(use_true_random=False))
@example(("compare", "=", ("field", ("a",)), ("constant", 1)), [AN_EVENT], random.Random(0))
@example(("not", ("compare", "=", ("field", ("a",)), ("constant", "x"))), [AN_EVENT], random.Random(0))
def test_the_predicate_is_true_exactly_where_the_condition_is(
    condition: Node, some_events: list[Event], chance: random.Random
) -> None:
    predicate = filters.parse(write(condition, chance.choice)).predicate
    for event in some_events:
        assert predicate(*event) is (truth(condition, event) is True)


@MANY
@given(conditions, events)
def test_the_negated_predicate_is_true_exactly_where_the_condition_is_false(
    condition: Node, event: Event
) -> None:
    predicate = filters.parse(write(("not", condition), plainly)).predicate
    assert predicate(*event) is (truth(condition, event) is False)


@MANY
@given(conditions, st.randoms(use_true_random=False))
def test_every_spelling_of_a_condition_has_one_canonical_text(condition: Node, chance: random.Random) -> None:
    one = filters.parse(write(condition, plainly))
    other = filters.parse(write(condition, chance.choice))
    assert one.canonical == other.canonical
    assert one == other
    assert hash(one) == hash(other)


@MANY
@given(conditions, events)
def test_canonical_text_means_the_same_and_is_its_own_canonical_text(condition: Node, event: Event) -> None:
    one = filters.parse(write(condition, plainly))
    again = filters.parse(one.canonical)
    assert again.canonical == one.canonical == canonical(one.tree)
    assert again.predicate(*event) is one.predicate(*event)


@MANY
@given(conditions, conditions)
def test_the_order_of_conditions_makes_no_difference_and_saying_one_twice_neither(
    one: Node, other: Node
) -> None:
    for word in ("and", "or"):
        first = filters.parse(write((word, [one, other]), plainly))
        assert filters.parse(write((word, [other, one, other]), plainly)) == first


@MANY
@given(conditions)
def test_the_fields_are_the_payload_paths_in_the_condition(condition: Node) -> None:
    assert filters.parse(write(condition, plainly)).fields == _paths(condition)


@MANY
@given(values, st.randoms(use_true_random=False))
def test_every_spelling_of_a_value_has_one_canonical_text_that_reads_as_the_same_tree(
    value: Node, chance: random.Random
) -> None:
    one = filters.parse_value(write_value(value, plainly))
    other = filters.parse_value(write_value(value, chance.choice))
    again = filters.parse_value(one.canonical)
    assert one == other == again
    assert again.tree == one.tree


def _paths(node: object) -> set[object]:
    match node:
        case ("field", path):
            return {path}
        case ("constant" | "moment" | "attribute", _) | ("part", _, _):
            return set()
        case tuple() | list():
            return set().union(*map(_paths, node))
    return set()
