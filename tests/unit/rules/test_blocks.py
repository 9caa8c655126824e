"""Work by blocks comes to the same as work on all rows at once."""

from __future__ import annotations

import numpy as np
import pytest

from signaldesk.rules._blocks import Block, by_blocks

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
