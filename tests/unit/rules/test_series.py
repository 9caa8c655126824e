"""Series and their tallies against counting anew: exact up to the cap, within what is promised beyond it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from fractions import Fraction
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaldesk.model.window import Window
from signaldesk.rules import _series
from signaldesk.rules._series import Series
from signaldesk.rules._tallies import Different, Hits, Ranks, Sums, digest, packed
from tests.support.examples import examples

WIDTH = 64_000
PANE = WIDTH // 64


class Came(NamedTuple):
    time: int
    id: bytes
    value: Any


numbers = st.one_of(
    st.sampled_from([0, -0.0, 1, 0.1, 0.2, 0.3, -0.1, 1e16, -1e16, 5e-324, 1.7e308, 2**63, 1e-7]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-1000, 1000),
)
steps = st.sampled_from([0, 1, 10, PANE, WIDTH // 8, WIDTH // 3, WIDTH - 1, WIDTH, WIDTH + 1])
streams = st.lists(
    st.tuples(steps, st.sampled_from([0, 0, 0, 1, PANE, WIDTH // 2, WIDTH]), numbers), max_size=60
)


def came(stream: list[tuple[int, int, Any]]) -> list[Came]:
    found, now = [], 1_000_000
    for number, (step, ago, value) in enumerate(stream):
        now += step
        found.append(Came(now - ago, number.to_bytes(16, "big"), value))
    return found


def inside(past: list[Came], time: int, width: int = WIDTH, ago: int = 0) -> list[Any]:
    return [one.value for one in past if time - ago - width < one.time <= time - ago]


def deviation(values: list[Any]) -> float:
    exact = [Fraction(float(value)) for value in values]
    mean = sum(exact) / len(exact)
    spread = sum((value - mean) ** 2 for value in exact) / (len(exact) - 1)
    try:
        return math.sqrt(float(spread))
    except OverflowError:
        return math.sqrt(1.7976931348623157e308)


def total(values: list[Any]) -> float:
    exact = sum(Fraction(float(value)) for value in values)
    try:
        return float(exact)
    except OverflowError:
        return 1.7976931348623157e308 if exact > 0 else -1.7976931348623157e308


class TestUpToTheCap:
    @examples(40)
    @given(stream=streams, thin=st.integers(2, 7))
    def test_every_tally_is_what_counting_anew_gives(self, stream: list[Any], thin: int) -> None:
        past: list[Came] = []
        sums, ranks = Series(Sums, span=WIDTH, pane=PANE), Series(Ranks, span=WIDTH, pane=PANE)
        windows = Window(), Window()
        watermark = 0
        for number, one in enumerate(came(stream)):
            past.append(one)
            watermark = max(watermark, one.time)
            value = packed(one.value)
            assert value is not None
            sums.add(windows[0], one.time, one.id, value)
            ranks.add(windows[1], one.time, one.id, value)
            values = inside(past, one.time)
            sum_, rank = sums.measure(windows[0], one.time, WIDTH), ranks.measure(windows[1], one.time, WIDTH)
            assert (sum_.count, rank.count) == (len(values), len(values))
            assert sum_.sum() == total(values)
            assert sum_.mean() == float(sum(map(Fraction, map(float, values))) / len(values))
            if len(values) > 1:
                assert sum_.deviation() == deviation(values)
            assert [rank.ranked(n + 1) for n in range(len(values))] == sorted(map(float, values))
            if number % thin == 0:
                sums.thin(windows[0], watermark - 2 * WIDTH)
                ranks.thin(windows[1], watermark - 2 * WIDTH)
        assert not any(window.ids and len(window.ids) != len(window.times) for window in windows)

    @examples(30)
    @given(stream=streams)
    def test_two_windows_beside_each_other_share_nothing(self, stream: list[Any]) -> None:
        past: list[Came] = []
        series, window = Series(Hits, span=2 * WIDTH, pane=PANE, views=2), Window()
        for one in came(stream):
            past.append(one)
            series.add(window, one.time, one.id, b"")
            now = series.measure(window, one.time, WIDTH)
            before = series.measure(window, one.time, WIDTH, view=1, ago=WIDTH)
            assert now.count == len(inside(past, one.time))
            assert before.count == len(inside(past, one.time, ago=WIDTH))

    @given(values=st.lists(st.sampled_from([0, 1, 1.0, "1", True, False, "true", "a", 2**60, None, [1], {}])))
    def test_what_is_different_is_so_in_json(self, values: list[Any]) -> None:
        series, window = Series(Different, span=WIDTH, pane=PANE), Window()
        kinds = set()
        for number, value in enumerate(values):
            if (key := digest(value)) is not None:
                series.add(window, 1000 + number, number.to_bytes(16, "big"), key)
                kinds.add((isinstance(value, str), isinstance(value, bool), value))
                assert series.measure(window, 1000 + number, WIDTH).different() == len(kinds)

    def test_booleans_texts_and_nothing_are_no_numbers(self) -> None:
        strange: list[Any] = [True, "1", None, [1], {}]
        assert [packed(value) for value in strange] == [None] * 5

    def test_the_sum_does_not_depend_on_the_order(self) -> None:
        values: list[float] = [0.1] * 10 + [1e16, -1e16, 3.3, -7.7]
        found = set()
        for seed in range(20):
            Random(seed).shuffle(values)
            tally = Sums()
            for one in values:
                tally.add(packed(one) or b"")
            found.add((tally.sum(), tally.mean(), tally.deviation()))
        assert found == {(math.fsum(values), math.fsum(values) / len(values), statistics.stdev(values))}

    @pytest.mark.parametrize(
        ("make", "read"),
        [
            (Sums, lambda tally: (tally.count, tally.total, tally.squares, tally.scale)),
            (Ranks, lambda tally: tally.values),
            (Hits, lambda tally: (tally.count, tally.hits)),
            (Different, lambda tally: (tally.count, tally.different())),
        ],
        ids=["sums", "ranks", "hits", "different"],
    )
    @given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False)), at=st.integers(0, 20))
    def test_many_at_once_come_to_what_they_come_to_one_by_one(
        self, make: Any, read: Callable[[Any], Any], values: list[float], at: int
    ) -> None:
        taken = [packed(value) or b"" for value in values] + [b""] * (make is Hits)
        one, other = make(), make()
        for value in taken:
            one.add(value)
        other.add_all(taken[:at])
        other.add_all(taken[at:])
        assert read(one) == read(other)


class TestBeyondTheCap:
    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_series, "EXACT", 8)

    @examples(40)
    @given(stream=streams, ago=st.sampled_from([0, WIDTH]))
    def test_a_window_is_off_by_less_than_a_pane(self, stream: list[Any], ago: int) -> None:
        past: list[Came] = []
        series, window = Series(Sums, span=WIDTH + ago, pane=PANE, views=2), Window()
        for one in came(stream):
            past.append(one)
            series.add(window, one.time, one.id, packed(one.value) or b"")
            tally = series.measure(window, one.time, WIDTH, view=1, ago=ago)
            least = inside(past, one.time - PANE, WIDTH - 2 * PANE, ago)
            most = inside(past, one.time + PANE, WIDTH + 2 * PANE, ago)
            assert len(least) <= tally.count <= len(most)
            if not tally.rough:
                assert tally.sum() == total(inside(past, one.time, ago=ago))
            assert sum(time > window.times[-1] - series.span for time in window.times) <= 8

    @pytest.mark.parametrize(
        ("make", "read"),
        [
            (Sums, lambda tally: (tally.count, tally.sum(), tally.mean(), tally.squares / 4**tally.scale)),
            (Ranks, lambda tally: [tally.ranked(n + 1) for n in range(tally.count)]),
            (Hits, lambda tally: (tally.count, tally.hits)),
            (Different, lambda tally: (tally.count, tally.different())),
        ],
        ids=["sums", "ranks", "hits", "different"],
    )
    @examples(30)
    @given(stream=streams, again=st.sets(st.integers(0, 60)), thin=st.integers(2, 9))
    def test_beginning_anew_from_what_is_kept_changes_nothing(
        self, make: Any, read: Callable[[Any], Any], stream: list[Any], again: set[int], thin: int
    ) -> None:
        def run(restarts: set[int], thinned: int) -> list[Any]:
            series, window, found, watermark = Series(make, span=WIDTH, pane=PANE), Window(), [], 0
            for number, one in enumerate(came(stream)):
                small = one._replace(value=float(one.value) % 1000 if math.isfinite(one.value) else 0)
                watermark = max(watermark, one.time)
                series.add(window, one.time, one.id, packed(small.value) or b"")
                found.append(read(series.measure(window, one.time, WIDTH)))
                if number % thinned == 0:
                    series.thin(window, watermark - 2 * WIDTH)
                if number in restarts:
                    kept, notes = list(zip(window.ids, window.times, strict=True)), series.dump()
                    series, window = Series(make, span=WIDTH, pane=PANE), Window()
                    window.fill(kept)
                    series.load(window, notes)
            return found

        assert run(again, thin) == run(set(), 1)
