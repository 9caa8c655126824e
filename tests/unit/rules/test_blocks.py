"""Work by blocks comes to the same as work on all rows at once; order keeps what is alike as it is."""

from __future__ import annotations

import numpy as np
import pytest

from signaldesk.rules._blocks import Block, by_blocks, stable_order

LARGE = 1 << 19


@pytest.mark.parametrize("count", [0, 1, LARGE - 1, LARGE])
def test_each_row_is_answered_once_at_its_place(count: int) -> None:
    asked = np.zeros(count, int)

    def square(rows: Block) -> object:
        asked[rows] += 1
        return np.arange(rows.start, rows.stop) ** 2

    assert np.array_equal(by_blocks(count, np.int64, square), np.arange(count) ** 2)
    assert (asked == 1).all()


def test_what_goes_wrong_in_a_block_is_raised() -> None:
    def refuse(rows: Block) -> object:
        if rows.start:
            raise ValueError("not these")
        return 0

    with pytest.raises(ValueError, match="not these"):
        by_blocks(LARGE, np.int64, refuse)


@pytest.mark.parametrize("most", [0, 5, 10_000, 2**62])
def test_rows_are_put_in_order_by_keys_of_any_size_and_those_of_the_same_key_stay_as_they_are(
    most: int,
) -> None:
    """The greatest keys leave no room for the rows beside them."""
    keys = np.random.default_rng(0).integers(0, most, 1000, endpoint=True)
    keys[500:] = keys[:500]
    assert stable_order(keys).tolist() == sorted(range(1000), key=keys.__getitem__)
    assert not len(stable_order(keys[:0]))
