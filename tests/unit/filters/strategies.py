"""Random expressions, and random events likely to hit them: few names, few values, and the awkward ones."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.unit.filters.interpreter import OPERATORS, PARTS, Event, Node

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
TEXTS = [
    "",
    "a",
    "A",
    "ab",
    "a%",
    "İ",
    "ΑΣ",
    "ας",
    "é",
    "\uffff",
    "\U00010000",
    "1",
    "true",
    "it's",
    "a_b\\",
    "aß",
    "ΣX",
]
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
ZONES = [
    "UTC",
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
]
REGEXES = [
    "a",
    "^a",
    "b|A",
    "a.c",
    "[^a]",
    "^$|x",
    "(a|ab)(c|bcd)*",
    "a{2,3}",
    "a+?b",
    "\\d",
    "\\W",
    "é",
    "^.{2}",
    "",
    "it's",
]


def constant(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Node]:
    return of.map(lambda value: ("constant", value))


def compared(left: st.SearchStrategy[Node], right: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    signs = st.sampled_from(sorted(OPERATORS))
    return st.tuples(st.just("compare"), signs, left, right) | st.tuples(
        st.just("between"), left, right, right
    )


def listed(operands: st.SearchStrategy[Node], items: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.tuples(st.just("in"), operands, st.lists(items, min_size=1, max_size=4))


def called(names: list[str], *arguments: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.tuples(st.just("call"), st.sampled_from(names), st.tuples(*arguments).map(list))


def named(of: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    """The same strategy with a short name, for Hypothesis's messages."""

    @st.composite
    def drawn(draw: st.DrawFn) -> Node:
        return draw(of)

    return drawn()


def calculated(operands: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    """One side is a constant at most, and no divisor is the constant 0."""
    constants = constant(numbers)
    divisors = operands | constants.filter(lambda node: node[1] != 0)
    arithmetic = st.just("arithmetic")
    return st.one_of(
        st.tuples(arithmetic, st.sampled_from("+-*"), operands, operands | constants),
        st.tuples(arithmetic, st.sampled_from("+-*/%"), constants, operands),
        st.tuples(arithmetic, st.sampled_from("/%"), operands, divisors),
        st.tuples(st.just("negative"), operands),
    )


def may_be_null(node: Node) -> bool:
    """Whether something may stand after this in a coalesce."""
    return may_be_null(node[1][-1]) if node[0] == "coalesce" else node[0] not in ("constant", "part")


def alternatives(operands: st.SearchStrategy[Node], last: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    others = operands.filter(may_be_null)
    listed = st.tuples(st.lists(others, min_size=1, max_size=2), others | last)
    return st.tuples(st.just("coalesce"), listed.map(lambda both: [*both[0], both[1]]))


texts_of_events = fields | text_attributes.filter(lambda node: node[1] == "source")
text_values = named(
    st.recursive(
        texts_of_events,
        lambda inner: called(["lower", "upper"], inner) | alternatives(inner, constant(texts)),
        max_leaves=3,
    )
)
parts = st.one_of(
    st.tuples(st.just("part"), st.sampled_from(sorted(PARTS)), st.just("UTC")),
    st.tuples(
        st.just("part"),
        st.sampled_from(sorted(name for name in PARTS if not name.startswith("epoch"))),
        st.sampled_from(ZONES),
    ),
)
number_values = named(
    st.recursive(
        fields | fields | called(["length"], text_values) | parts,
        lambda inner: calculated(inner) | calculated(inner) | alternatives(fields, inner | constant(numbers)),
        max_leaves=4,
    )
)
truth_values = named(
    st.one_of(
        called(["starts_with", "ends_with", "contains"], text_values, constant(texts) | text_values),
        called(["regexp_matches"], text_values, constant(st.sampled_from(REGEXES))),
        alternatives(fields, constant(st.booleans())),
    )
)
any_values = alternatives(
    fields | number_values.filter(lambda node: node[0] != "part") | text_values, constant(constants)
)
any_values = named(any_values)
values = text_values | number_values | truth_values | any_values

computed_tests = st.one_of(
    compared(number_values, constant(numbers) | number_values | fields),
    compared(constant(numbers), number_values),
    compared(text_values, constant(texts) | text_values),
    compared(any_values, fields | any_values | constant(constants)),
    compared(truth_values, constant(st.booleans()) | fields),
    listed(number_values, constant(numbers) | number_values),
    listed(text_values, constant(texts)),
    st.tuples(st.sampled_from(["like", "ilike"]), text_values, patterns),
    st.tuples(st.just("null"), values),
    st.tuples(st.just("truth"), truth_values),
)
tests = computed_tests | st.one_of(
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
