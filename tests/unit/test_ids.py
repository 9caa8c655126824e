"""Ids: sorted by time where they are made, the same again where they are derived."""

from __future__ import annotations

import re
import time
from uuid import RFC_4122, UUID, uuid5

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaldesk.ids import NAMESPACE, derived_id, new_id, new_ids, new_secret


def test_new_ids_are_uuid7_and_sort_by_when_they_were_made() -> None:
    made = [new_id() for _ in range(1_000)]
    assert made == sorted(set(made))
    assert {id_.version for id_ in made} == {7}


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 512, 10_000])
def test_ids_made_at_once_are_uuid7_that_ascend_and_read_the_same_as_text(count: int) -> None:
    made = new_ids(count)
    ids = [UUID(bytes=packed) for packed in made.packed()]
    assert len(ids) == count and ids == sorted(set(ids))
    assert {id_.version for id_ in ids} == {7} and {id_.variant for id_ in ids} == {RFC_4122}
    assert orjson.loads(b"[%s]" % made.texts()) == [str(id_) for id_ in ids]


def test_ids_made_at_once_know_when_they_were_made() -> None:
    before = time.time_ns() // 1_000_000
    millis = {packed[:6] for packed in new_ids(300).packed()}
    assert len(millis) == 1 and before <= int.from_bytes(millis.pop(), "big") <= time.time_ns() // 1_000_000


def test_ids_made_at_once_never_meet_those_of_another_call() -> None:
    made = [packed for _ in range(1_000) for packed in new_ids(300).packed()]
    assert len(set(made)) == len(made)
    assert len({packed[6:8] for packed in made}) > 500  # random where they may be


def test_a_derived_id_stays_the_same_for_ever() -> None:
    # Stored alerts carry such ids: whoever changes how they are made makes every one of them twice.
    assert str(derived_id("alert", "a", "b")) == "688b69c8-9072-50bf-880b-dd80747be5b9"


@given(
    st.lists(st.text(alphabet="ab", max_size=3), max_size=3),
    st.lists(st.text(alphabet="ab", max_size=3), max_size=3),
)
def test_other_parts_make_another_id(one: list[str], other: list[str]) -> None:
    # A separator keeps ("ab", "c") and ("a", "bc") apart; nothing at all is the same as one empty part.
    assert (derived_id(*one) == derived_id(*other)) is ((one or [""]) == (other or [""]))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3))
def test_a_derived_id_is_a_uuid5_of_its_parts(parts: list[str]) -> None:
    assert derived_id(*parts) == uuid5(NAMESPACE, "\x1f".join(parts))


def test_a_secret_says_what_it_is_and_cannot_be_guessed() -> None:
    secrets = {new_secret("sk_") for _ in range(100)}
    assert len(secrets) == 100
    assert all(re.fullmatch(r"sk_[0-9a-f]{48}", secret) for secret in secrets)
