"""Random expressions, and random events likely to hit them: few names, few values, and the awkward ones."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.unit.filters.interpreter import OPERATORS, Event, Node

USUAL_KEYS = ["a", "b"]
ODD_KEYS = [
    "quoted field",
    "it's",
    'say "x"',
    "*",
    "a*",
    "größe",
    "0",
    "select",
    "type",
    "payload",
    "a.b",
    "\\",
    "~/",
]
TEXTS = ["", "a", "A", "ab", "a%", "İ", "ΑΣ", "ας", "é", "\uffff", "\U00010000", "1", "true", "it's", "a_b\\"]
WHOLE = [0, 1, -1, 20, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), 2**64 - 1]
FLOATS = [0.0, -0.0, 0.1, 1.0, 20.5, 2.0**53, 2.0**53 + 2, 2.0**63, 2.0**64, 1e22, 1e38, 1.8e38, -1e300]
MOMENTS = ["2026-01-31", "2026-01-31 09:00:00", "2026-01-31T09:00:00.250000+01:00", "1969-12-31T23:59:59Z"]
INSTANTS = [0, -1_000_000, 1_769_817_600_000_000, 1_769_846_400_250_000, 1_769_850_000_000_000]

keys = st.sampled_from(USUAL_KEYS) | st.sampled_from(USUAL_KEYS) | st.sampled_from(ODD_KEYS)
characters = st.characters(exclude_categories=["Cs", "Cc"])
texts = st.sampled_from(TEXTS) | st.text(characters, max_size=4)
finite = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.sampled_from(WHOLE) | st.sampled_from(FLOATS) | st.integers(-(2**63), 2**64 - 1) | finite
constants = st.booleans() | numbers | texts

leaves = st.none() | st.booleans() | numbers | texts
nested = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=2),
    max_leaves=3,
)
payloads = st.builds(
    lambda usual, odd: {**odd, **usual},
    st.fixed_dictionaries({}, optional=dict.fromkeys(USUAL_KEYS, leaves | nested)),
    st.dictionaries(st.sampled_from(ODD_KEYS), nested, max_size=2),
)
events = st.builds(
    Event,
    payload=payloads,
    type=st.sampled_from(["a", "ab"]),
    source=st.none() | st.sampled_from(["a", "ab"]),
    timestamp_us=st.sampled_from(INSTANTS) | st.integers(-(10**15), 10**16),
)

fields = st.one_of(
    keys.map(lambda key: ("field", (key,))),
    keys.map(lambda key: ("field", (key,))),
    st.lists(keys | st.integers(0, 2), max_size=2).flatmap(
        lambda rest: keys.map(lambda key: ("field", (key, *rest)))
    ),
)
text_attributes = st.sampled_from([("attribute", "type"), ("attribute", "source")])
timestamp = st.just(("attribute", "timestamp"))
moments = st.sampled_from(MOMENTS).map(lambda text: ("moment", text))
patterns = st.lists(st.sampled_from(["%", "_", "a", "b", "A", "Σ", "é", "\\", "i", "'"]), max_size=4).map(
    "".join
)


def constant(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Node]:
    return of.map(lambda value: ("constant", value))


def compared(left: st.SearchStrategy[Node], right: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    signs = st.sampled_from(sorted(OPERATORS))
    return st.tuples(st.just("compare"), signs, left, right) | st.tuples(
        st.just("between"), left, right, right
    )


def listed(operands: st.SearchStrategy[Node], items: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.tuples(st.just("in"), operands, st.lists(items, min_size=1, max_size=4))


tests = st.one_of(
    compared(fields, constant(numbers)),
    compared(fields, constant(texts)),
    compared(fields, constant(st.booleans())),
    compared(constant(constants), fields),
    compared(fields, fields),
    compared(fields, text_attributes),
    compared(text_attributes, constant(texts) | fields | text_attributes),
    compared(timestamp, moments | timestamp),
    listed(fields, constant(numbers)),
    listed(fields, constant(texts)),
    listed(fields, constant(st.booleans()) | fields),
    listed(text_attributes, constant(texts)),
    listed(timestamp, moments),
    st.tuples(st.sampled_from(["like", "ilike"]), fields | text_attributes, patterns),
    st.tuples(st.just("null"), fields | text_attributes | timestamp),
    st.tuples(st.just("truth"), fields),
)
conditions: st.SearchStrategy[Node] = st.recursive(
    tests,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3)),
        st.tuples(st.just("not"), inner),
        st.tuples(st.just("is"), inner, st.booleans()),
    ),
    max_leaves=4,
)
