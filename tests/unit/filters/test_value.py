"""Values by themselves: what they give, of which kind, and what is no value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from signaldesk import filters
from signaldesk.filters import InvalidFilter, Kind
from tests.unit.filters.history import COLUMNS, open_history, valued
from tests.unit.filters.interpreter import Event

PAYLOAD = {
    "amount": 25.5,
    "n": 7,
    "id": 2**63 + 1,
    "name": "Zoë",
    "ok": True,
    "user": {"plan": "pro"},
    "items": [{"price": 3}],
    "nothing": None,
}
EVENT = Event(PAYLOAD, "checkout", None, 1_783_204_215_250_000)


@pytest.fixture(scope="module")
def history() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_history() as connection:
        yield connection


@pytest.mark.parametrize(
    ("text", "given", "kind"),
    [
        ("amount", 25.5, None),
        ("payload.amount", 25.5, None),
        ("id", 2**63 + 1, None),
        ("user.plan", "pro", None),
        ("items[0].price * n", 21.0, Kind.NUMBER),
        ("items", None, None),
        ("user", None, None),
        ("nothing", None, None),
        ("missing.deeper[3]", None, None),
        ("ok", True, None),
        ("type", "checkout", Kind.TEXT),
        ("source", None, Kind.TEXT),
        ("upper(name)", "ZOË", Kind.TEXT),
        ("length(name) + 1", 4.0, Kind.NUMBER),
        ("amount / 0.5", 51.0, Kind.NUMBER),
        ("amount + name", None, Kind.NUMBER),
        ("coalesce(missing, name, 0)", "Zoë", None),
        ("coalesce(missing, 0)", 0, None),
        ("starts_with(name, 'Z')", True, Kind.BOOLEAN),
        ("starts_with(amount, 'Z')", None, Kind.BOOLEAN),
        ("hour(timestamp)", 22, Kind.NUMBER),
        ("amount > 20", True, Kind.BOOLEAN),
        ("amount > 20 AND missing = 1", None, Kind.BOOLEAN),
        ("NOT amount > 20", False, Kind.BOOLEAN),
        ("(nothing IS NULL)", True, Kind.BOOLEAN),
    ],
)
def test_a_value_is_what_it_says_on_both_sides(
    history: duckdb.DuckDBPyConnection, text: str, given: Any, kind: Kind | None
) -> None:
    parsed = filters.parse_value(text)
    found = parsed.value(*EVENT)
    assert (found, type(found), parsed.kind) == (given, type(given), kind)
    told: dict[Kind, tuple[type, ...]] = {
        Kind.NUMBER: (int, float),
        Kind.TEXT: (str,),
        Kind.BOOLEAN: (bool,),
    }
    columns = valued(history, [parsed.sql(one, COLUMNS) for one in told], [EVENT])
    for (one, types), [column] in zip(told.items(), columns, strict=True):
        alike = isinstance(given, types) and (one is Kind.BOOLEAN or not isinstance(given, bool))
        assert column == ((float(given) if one is Kind.NUMBER else given) if alike else None)


def test_a_value_knows_its_fields_and_is_equal_to_the_same_written_otherwise() -> None:
    one = filters.parse_value("2 * (user.a + items[0].b)")
    assert one.fields == {("user", "a"), ("items", 0, "b")}
    assert one == filters.parse_value("(items[0].b+user.a)*2.0")
    assert one.canonical == "(items[0].b + user.a) * 2"
    assert one.text == "2 * (user.a + items[0].b)"


def test_without_a_kind_sql_is_of_the_values_own_and_of_a_field_a_number() -> None:
    assert filters.parse_value("amount").sql() == filters.parse_value("amount").sql(Kind.NUMBER)
    assert filters.parse_value("lower(a)").sql() == filters.parse_value("lower(a)").sql(Kind.TEXT)
    assert filters.parse_value("a > 1").sql() == filters.parse_value("a > 1").sql(Kind.BOOLEAN)


@pytest.mark.parametrize(
    ("marked", "about"),
    [
        ("‸", "empty"),
        ("‸5", "a constant"),
        ("‸1 + 1", "a constant"),
        ("‸timestamp", "epoch(timestamp)"),
        ("‸payload", "name a field"),
        ("‸Type", "two things"),
        ("‸lenght(a)", "did you mean `length`?"),
        ("‸NULL", "NULL"),
        ("‸(a, b)", "one value at a time"),
        ("a ‸b", "missing before it"),
    ],
)
def test_what_is_no_value_is_refused_at_its_place(marked: str, about: str) -> None:
    with pytest.raises(InvalidFilter) as caught:
        filters.parse_value(marked.replace("‸", ""))
    assert about in str(caught.value)
    assert caught.value.position <= marked.index("‸") + 1
