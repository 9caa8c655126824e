"""Groups: equal exactly when the values of the fields are, in memory and as text, always."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaldesk.model import group
from signaldesk.model.event import Event


def key(by: tuple[str, ...], payload: Any, **attributes: Any) -> Any:
    """The group's key for a payload, which makes its way through JSON as a real one does."""
    raw = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    values = {"id": bytes(16), "type": "paid", "timestamp": 0, "payload": raw, **attributes}
    return group.grouper(by)(Event(**values), orjson.loads(raw))


def text(by: tuple[str, ...], payload: Any, **attributes: Any) -> str:
    return group.text(by, key(by, payload, **attributes))


@pytest.mark.parametrize(
    ("field", "payload", "expected"),
    [
        ("country", {"country": "DE"}, '{"country":"DE"}'),
        ("country", {}, '{"country":null}'),
        ("country", {"country": None}, '{"country":null}'),
        ("country", {"country": "größe"}, '{"country":"größe"}'),
        ("n", {"n": 1}, '{"n":1}'),
        ("n", {"n": 1.0}, '{"n":1}'),
        ("n", {"n": -0.0}, '{"n":0}'),
        ("n", {"n": 1.5}, '{"n":1.5}'),
        ("n", {"n": True}, '{"n":true}'),
        ("n", {"n": 1e300}, '{"n":1e+300}'),
        ("n", {"n": [1, 2]}, '{"n":[1,2]}'),
        ("n", {"n": {"b": 1, "a": 2}}, '{"n":{"a":2,"b":1}}'),
        ("user.plan", {"user": {"plan": "pro"}}, '{"user.plan":"pro"}'),
        ("user.plan", {"user": "pro"}, '{"user.plan":null}'),
        ("user.plan", {"user.plan": "pro"}, '{"user.plan":null}'),
        ("items.1.price", {"items": [{}, {"price": 3}]}, '{"items.1.price":3}'),
        ("items.2", {"items": [1, 2]}, '{"items.2":null}'),
        ("items.-1", {"items": [1, 2]}, '{"items.-1":null}'),
        ("items.²", {"items": [1, 2]}, '{"items.²":null}'),
        ("type", {"type": "payload's"}, '{"type":"paid"}'),
        ("source", {}, '{"source":null}'),
    ],
)
def test_a_group_is_the_value_of_its_field(field: str, payload: Any, expected: str) -> None:
    assert text((field,), payload) == expected


def test_a_rule_without_fields_has_one_group() -> None:
    assert key((), {"a": 1}) == key((), {"a": 2})
    assert (text((), {}), group.values((), key((), {}))) == ("{}", {})


def test_several_fields_make_one_group() -> None:
    by = ("country", "plan")
    assert text(by, {"plan": "pro", "country": "DE"}) == '{"country":"DE","plan":"pro"}'
    assert group.values(by, key(by, {"country": True})) == {"country": True, "plan": None}


def test_the_same_value_of_another_field_is_another_group() -> None:
    assert text(("country",), {"country": "DE"}) != text(("plan",), {"plan": "DE"})
    assert text(("country",), {}) != text(("plan",), {})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b"1", b"1.0", True),
        (b"1", b"true", False),
        (b"0", b"false", False),
        (b"0", b"null", False),
        (b'"1"', b"1", False),
        (b'""', b"null", False),
        (b"9007199254740993", b"9007199254740992.0", False),
        (b"9223372036854775808", b"9223372036854775808.0", True),
        (b"-9223372036854775808", b"-9223372036854775808.0", True),
        (b"18446744073709551615", b"18446744073709551616", False),
        (b"18446744073709551616", b"1.8446744073709552e19", True),
        (b"1" * 300, b"1.1111111111111111e299", True),
        (b'[["a"]]', b'["a"]', False),
        (b'{"a":1,"b":2}', b'{"b":2,"a":1}', True),
        (b'"{\\"a\\":1}"', b'{"a":1}', False),
    ],
)
def test_values_are_the_same_group_or_not(one: bytes, other: bytes, same: bool) -> None:
    keys = [key(("x",), b'{"x":%s}' % value) for value in (one, other)]
    assert (keys[0] == keys[1]) is same
    assert (group.text(("x",), keys[0]) == group.text(("x",), keys[1])) is same


def test_a_long_group_has_a_short_text_of_its_own() -> None:
    texts = {text(("x",), {"x": "ü" * length}) for length in (95, 96, 97, 5_000, 5_001)}
    assert len(texts) == 5
    assert all(len(one.encode()) <= group.TEXT_MAX for one in texts)
    assert group.values(("x",), key(("x",), {"x": "y" * 5_000})) == {"x": "y" * 5_000}


atoms = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text()
finite = atoms.filter(lambda value: value not in (float("inf"), float("-inf")))
nested = st.recursive(
    finite, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


@given(nested, nested)
def test_keys_are_equal_exactly_when_texts_are(one: Any, other: Any) -> None:
    keys = [key(("x", "y"), {"x": value}) for value in (one, other)]
    texts = [group.text(("x", "y"), one_key) for one_key in keys]
    assert (keys[0] == keys[1]) == (texts[0] == texts[1])
    assert len({*keys}) == len({*texts}), "a key can be looked up"


@given(nested)
def test_a_group_comes_out_of_its_values_again(value: Any) -> None:
    by = ("x", "y")
    found = group.values(by, key(by, {"x": value, "y": 1}))
    assert group.text(by, key(by, found)) == group.text(by, key(by, {"x": value, "y": 1}))
