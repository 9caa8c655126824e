"""The quick way for plain batches takes what the careful way takes, as the same events, and nothing else."""

from __future__ import annotations

import json
import random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaldesk.intake.check import Checked, check
from signaldesk.intake.plain import PlainBatches
from signaldesk.model.event import Event
from tests.unit.intake.conftest import NOW_US

SKEW_US = 300_000_000
NINES = b"9" * 25
IDS = [number.to_bytes(16, "big") for number in range(1, 100)]


def quickly(body: bytes, plain: PlainBatches | None = None) -> list[Event] | None:
    values = orjson.loads(body)
    return (plain or PlainBatches(SKEW_US)).read(values, body, IDS[: len(values)], NOW_US)


def carefully(body: bytes) -> list[Event] | None:
    """What the check of one event after the other takes; None unless it takes all, with new ids."""
    fresh = iter(IDS)
    found = [
        check(value, org="o", cloud=False, now_us=NOW_US, skew_us=SKEW_US, new_id=lambda: next(fresh))
        for value in orjson.loads(body)
    ]
    good = [one for one in found if isinstance(one, Checked)]
    return (
        [one.event for one in good] if len(good) == len(found) and not any(g.chosen for g in good) else None
    )


leaf = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(
        ["\x00", "\\u0000", "{[{[", "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")]
    ),
)
deep = st.integers(1, 40).map(lambda levels: orjson.loads("[" * levels + '"{"' + "]" * levels))
tree = st.recursive(
    leaf | deep,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
payload = st.dictionaries(st.text(max_size=4), tree, max_size=4)
moment: st.SearchStrategy[Any] = st.sampled_from(
    ["2025-10-09T08:53:20Z", "2025-10-09T08:53:20", "2099-01-01T00:00:00Z", "now", True, [], None]
) | st.sampled_from([1_760_000_000, 1_760_000_000.25, 0, 1_760_000_300, 1_760_000_301, -1, 1e12])
name: st.SearchStrategy[Any] = st.sampled_from(["a", "b.c", "ü", "x" * 200]) | st.sampled_from(
    ["", "a*", "a\x00", "x" * 201, None, 7, True, ["a"], {}, "\x7f"]
)
good = st.fixed_dictionaries(
    {"type": st.sampled_from(["a", "b.c", "ü"]), "payload": payload},
    optional={
        "timestamp": st.sampled_from([1_760_000_000, "2025-10-09T08:53:20Z"]),
        "source": st.just("shop"),
    },
)
odd = st.fixed_dictionaries(
    {},
    optional={
        "type": name,
        "payload": payload | leaf | st.lists(leaf, max_size=2),
        "timestamp": moment,
        "source": name,
        "id": name,
        "stranger": leaf,
    },
)  # fmt: skip
batch = st.lists(good, min_size=1, max_size=6) | st.lists(
    st.one_of(good, good, odd, leaf, st.lists(leaf, max_size=2)), min_size=1, max_size=6
)


def written(values: list[Any], chance: random.Random) -> bytes:
    """The same JSON as other clients may write it: blanks, escapes, keys that come twice, odd numbers."""
    plain = orjson.dumps(values)
    match chance.randrange(5):
        case 0:
            return json.dumps(values, indent="\t").encode()
        case 1:
            return plain.replace(b'"payload":{"', b'"payload":{"twice":1,"twice":1.50,"', 1)
        case 2:
            return plain.replace(b'"payload":{"', b'"payload":{"big":%s,"exp":1E+2,"zero":-0,"' % NINES, 1)
        case 3:
            return plain.replace(b'"a"', b'"\\u0061"')
        case _:
            return plain


@given(values=batch, chance=st.randoms(use_true_random=False))
def test_quick_and_careful_agree(values: list[Any], chance: random.Random) -> None:
    body = written(values, chance)
    quick = quickly(body)
    if quick is not None:
        assert quick == carefully(body)


@given(st.lists(good, min_size=1, max_size=6))
def test_remembered_texts_change_nothing(values: list[Any]) -> None:
    body, plain = orjson.dumps(values), PlainBatches(SKEW_US)
    assert quickly(body, plain) == quickly(body, plain) == quickly(body)


PLAIN = {"type": "a", "payload": {"x": 1}}


@pytest.mark.parametrize(
    "event",
    [
        PLAIN,
        {**PLAIN, "payload": {}},
        {**PLAIN, "payload": {"a": "text, with: \"marks\" {[ and /", "b": [1, {"c": [None, True]}]}},
        {**PLAIN, "payload": orjson.loads(b'{"a":' * 32 + b"1" + b"}" * 32)},
        {**PLAIN, "timestamp": "2025-10-09T08:53:20+02:00"},
        {**PLAIN, "timestamp": 1_760_000_300, "source": "shop"},
        {**PLAIN, "source": "shop"},
    ],
)  # fmt: skip
def test_what_clients_send_is_plain(event: dict[str, Any]) -> None:
    body = orjson.dumps([PLAIN, event, PLAIN])
    assert quickly(body) == carefully(body) is not None


@pytest.mark.parametrize(
    "event",
    [
        b"7",
        b"[]",
        b"{}",
        b'{"type":"a"}',
        b'{"type":"a","payload":null}',
        b'{"type":"a","payload":[]}',
        b'{"type":"a*","payload":{}}',
        b'{"type":["a"],"payload":{}}',
        b'{"type":"a","payload":{"x":"\\u0000"}}',
        b'{"type":"a","payload":{},"id":"1"}',
        b'{"type":"a","payload":{},"source":null}',
        b'{"type":"a","payload":{},"stranger":1}',
        b'{"type":"a","payload":{},"timestamp":"now"}',
        b'{"type":"a","payload":{},"timestamp":1760000301}',
        b'{"type":"a","payload":%s1%s}' % (b'{"a":' * 33, b"}" * 33),
        b'{"type":"a","payload":%s1%s}' % (b'{"a":' * 600, b"}" * 600),
    ],
)
def test_one_event_that_needs_a_closer_look_sends_the_whole_batch_the_careful_way(event: bytes) -> None:
    assert quickly(b"[%s,%s]" % (orjson.dumps(PLAIN), event)) is None


def test_a_payload_is_stored_as_it_was_meant_not_as_it_was_written() -> None:
    sent = b'[{"type": "a", "payload": {"k": 1, "k" :\t2, "big": 9999999999999999999999, "u": "\\u00fc"}}]'
    (event,) = quickly(sent) or []
    assert event.payload == '{"k":2,"big":1e22,"u":"ü"}'.encode()


def test_types_are_remembered_but_not_without_end() -> None:
    plain = PlainBatches(SKEW_US)
    for start in range(0, 25_000, 50):
        values = [{"type": f"t{start + i}", "payload": {}} for i in range(50)]
        assert quickly(orjson.dumps(values), plain)
    assert len(plain._types) <= 10_000
