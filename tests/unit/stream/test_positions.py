"""Positions: the ids of stream entries as numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from signaldesk.stream import positions

ids = st.tuples(st.integers(0, 2**43 - 1), st.integers(0, 2**20 - 1))


@given(ids)
def test_a_position_is_the_entrys_id_again(id_: tuple[int, int]) -> None:
    text = f"{id_[0]}-{id_[1]}"
    assert positions.unpack(positions.pack(text.encode())) == text
    assert positions.received_ms(positions.pack(text.encode())) == id_[0]


@given(ids, ids)
def test_positions_sort_as_ids_do(one: tuple[int, int], other: tuple[int, int]) -> None:
    packed = [positions.pack(f"{ms}-{seq}".encode()) for ms, seq in (one, other)]
    assert (packed[0] < packed[1]) is (one < other)


@given(ids)
def test_positions_fit_a_bigint(id_: tuple[int, int]) -> None:
    assert 0 <= positions.pack(f"{id_[0]}-{id_[1]}".encode()) < 2**63


@given(ids)
def test_the_next_position_is_the_next_id(id_: tuple[int, int]) -> None:
    ms, _, seq = positions.unpack(positions.pack(f"{id_[0]}-{id_[1]}".encode()) + 1).partition("-")
    assert (int(ms), int(seq)) == ((id_[0], id_[1] + 1) if id_[1] < 2**20 - 1 else (id_[0] + 1, 0))
