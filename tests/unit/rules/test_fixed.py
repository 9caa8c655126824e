"""What is measured over many windows at once is what a tally of each says, to within the margin."""

from __future__ import annotations

from collections.abc import Callable
from operator import ge

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from signaldesk.rules._blocks import Some
from signaldesk.rules._columns import Columns
from signaldesk.rules._fixed import Fixed, Measure, Measured, Spread, compared
from signaldesk.rules._tallies import Sums, packed
from tests.support.examples import examples

_values = st.lists(
    st.one_of(
        st.integers(-1000, 1000).map(float),
        st.integers(0, 10_000).map(lambda cents: cents / 100),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from([0.0, -0.0, 1e15, 1e-7, 0.1, 5e-324, 1e150]),
    ),
    min_size=2,
    max_size=40,
)


def columns(length: int) -> Columns:
    """So many rows of one group, as they came."""
    rows = np.arange(length)
    return Columns(rows, rows, rows[:1], {})


def tally(values: list[float]) -> Sums:
    found = Sums()
    for value in values:
        found.add(packed(value) or b"")
    return found


ALL = slice(None)
MEASURES: dict[str, tuple[Callable[..., Measure], Callable[[Sums], float], int]] = {
    "sum": (lambda columns, *rest: Fixed(columns, rest[0]).total(*rest[1:]), Sums.sum, 0),
    "mean": (lambda columns, *rest: Fixed(columns, rest[0]).mean(*rest[1:]), Sums.mean, 1),
    "deviation": (lambda columns, *rest: Spread(columns, rest[0]).deviation(*rest[1:]), Sums.deviation, 2),
}


@pytest.mark.parametrize("name", MEASURES)
@examples(50)
@given(values=_values)
@example(values=[2.5108406941546723e58, 5.88071619166524e-284])
def test_a_measure_is_within_its_margin(name: str, values: list[float]) -> None:
    measure, exact, least = MEASURES[name]
    pairs = [(first, end) for first in range(len(values)) for end in range(first + least, len(values) + 1)]
    first, end = np.array(pairs).T
    with np.errstate(over="ignore"):
        found = measure(columns(len(values)), np.array(values), first, end)(ALL)
    for (start, stop), value, margin in zip(
        pairs, found.values, np.broadcast_to(found.margins, found.values.shape), strict=True
    ):
        right = exact(tally(values[start:stop]))
        if not np.isfinite(value):
            assert margin == np.inf or abs(right) > 1e308
        else:
            assert abs(value - right) <= margin, (start, stop)


@given(st.lists(st.integers(-(2**40), 2**40).map(float), min_size=1, max_size=30))
def test_sums_of_whole_numbers_are_exact(values: list[float]) -> None:
    ends = np.arange(1, len(values) + 1)
    found = Fixed(columns(len(values)), np.array(values)).total(np.zeros_like(ends), ends)(ALL)
    assert not found.margins.any()
    assert found.values.tolist() == [tally(values[:end]).sum() for end in ends]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9, 1.0])
@pytest.mark.parametrize("margin", [0.0, 0.5])
def test_only_rows_with_enough_to_be_judged_are_compared(share: float, margin: float) -> None:
    chance = np.random.default_rng(1)
    values, enough = chance.normal(size=70_000), chance.random(70_000) < share  # more than two blocks
    margins = np.where(chance.random(70_000) < 0.1, margin, 0.0)

    def measure(rows: Some) -> Measured:
        assert enough[rows].any(), "nothing is measured where nothing is judged"
        return Measured(values[rows], margins[rows] if margin else np.zeros(1))

    found, unsure = compared(70_000, measure, ge, 0.1, lambda rows: enough[rows].copy())
    assert (found == enough & (values >= 0.1)).all()
    assert unsure.tolist() == np.flatnonzero(enough & (margins > 0) & (abs(values - 0.1) <= margins)).tolist()
