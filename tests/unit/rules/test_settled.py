"""What is known of a window at once is what its tally comes to, value by value."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from signaldesk.rules._past.settled import Values
from signaldesk.rules._tallies import Sums, packed

_values = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20)


@given(_values | st.lists(st.sampled_from([-0.0, 1e308, -1e308, 0.1]), min_size=1))
def test_sums_and_means_are_those_of_a_tally(values: list[float]) -> None:
    tally = Sums()
    for value in values:
        tally.add(packed(value) or b"")
    found = Values(values)
    assert (found.count, repr(found.sum()), found.mean()) == (tally.count, repr(tally.sum()), tally.mean())
