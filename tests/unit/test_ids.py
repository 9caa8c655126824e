"""Ids: sorted by time where they are made, the same again where they are derived."""

from __future__ import annotations

import re
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from signaldesk.ids import derived_id, new_id, new_ids, new_secret


def test_new_ids_are_uuid7_and_sort_by_when_they_were_made() -> None:
    made = [new_id() for _ in range(1_000)]
    assert made == sorted(set(made))
    assert {id_.version for id_ in made} == {7}


def test_many_new_ids_ascend_too() -> None:
    made = new_ids(10_000)
    assert made == sorted(set(made))
    assert all(len(id_) == 16 and UUID(bytes=id_).version == 7 for id_ in made[:10])


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


def test_a_secret_says_what_it_is_and_cannot_be_guessed() -> None:
    secrets = {new_secret("sk_") for _ in range(100)}
    assert len(secrets) == 100
    assert all(re.fullmatch(r"sk_[0-9a-f]{48}", secret) for secret in secrets)
