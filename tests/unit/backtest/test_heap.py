"""What was there before a backtest is out of the collector's way only while backtests run."""

from __future__ import annotations

import gc

import pytest

from signaldesk.backtest.heap import set_aside


def test_what_was_set_aside_comes_back_when_the_last_one_is_done() -> None:
    before = gc.get_freeze_count()
    new = [[n] for n in range(2_000)]  # all else may be set aside already
    with pytest.raises(ZeroDivisionError), set_aside():
        with set_aside():
            assert gc.get_freeze_count() > before + 1_000
        assert gc.get_freeze_count() > before + 1_000
        _ = 1 / 0
    assert gc.get_freeze_count() <= before
    del new
