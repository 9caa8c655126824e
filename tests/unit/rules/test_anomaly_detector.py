"""The detector behind `anomaly`: what it finds, what it leaves alone, and that its state is all there is."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaldesk.rules._anomaly.detector import REST, THRESHOLD, Detector, Finding
from signaldesk.rules._anomaly.level import Level
from signaldesk.rules._anomaly.peaks import Peaks
from signaldesk.rules._anomaly.season import Season
from signaldesk.rules._anomaly.tape import Tape
from signaldesk.rules._anomaly.visited import Visited
from tests.support.examples import examples

HOUR = 3_600_000_000
FIVE_MINUTES = HOUR // 12
MONDAY = 4 * 24 * HOUR  # 5 January 1970
DAY_BINS = 288


def noise(seed: int, count: int, size: float = 1.0) -> list[float]:
    chance = random.Random(seed)
    return [chance.gauss(0, size) for _ in range(count)]


def found(values: list[float], step: int = FIVE_MINUTES, detector: Detector | None = None) -> list[Finding]:
    detector = detector or Detector()
    return [detector.add(MONDAY + i * step + step // 2, value) for i, value in enumerate(values)]


def anomalies(values: list[float], step: int = FIVE_MINUTES) -> list[int]:
    """Where anomalies begin."""
    return [i for i, one in enumerate(found(values, step)) if one.score >= THRESHOLD and not one.resting]


def day_and_night(days: int, seed: int = 1) -> list[float]:
    """Five-minute bins with a daily course from 50 to 150, and noise."""
    course = [100 - 50 * math.cos(2 * math.pi * i / DAY_BINS) for i in range(days * DAY_BINS)]
    return [a + b for a, b in zip(course, noise(seed, len(course), 3), strict=True)]


class TestWhatItFinds:
    def test_a_spike(self) -> None:
        values = day_and_night(6)
        values[5 * DAY_BINS + 10] += 200
        assert 5 * DAY_BINS + 10 in anomalies(values)

    def test_a_drop_to_nothing(self) -> None:
        values = day_and_night(6)
        values[5 * DAY_BINS + 140 : 5 * DAY_BINS + 150] = [0.0] * 10
        assert 5 * DAY_BINS + 140 in anomalies(values)

    def test_a_value_between_two_that_are_usual(self) -> None:
        """Nothing out of range, but a place where the series never was."""
        values = [(10.0 if i // 40 % 2 else 90.0) + e for i, e in enumerate(noise(2, 1500, 0.5))]
        values[1200] = 50.0
        assert anomalies(values)[-1] == 1200

    def test_a_night_without_its_night(self) -> None:
        """Values that are usual at noon, at midnight."""
        values = day_and_night(10)
        begins = 9 * DAY_BINS - 30
        values[begins : begins + 60] = [150 + e for e in noise(3, 60, 3)]
        hits = [i for i in anomalies(values) if begins <= i < begins + 60]
        assert hits

    def test_a_new_level_once(self) -> None:
        values = noise(4, 3000)
        values[2000:] = [value + 30 for value in values[2000:]]
        assert [i for i in anomalies(values) if i >= 1900] == [2000]

    def test_the_first_event_after_a_long_silence(self) -> None:
        assert anomalies([0.0] * 500 + [5.0]) == [500]

    def test_that_a_constant_begins_to_move(self) -> None:
        assert anomalies([7.0] * 400 + noise(5, 50))[0] == 400


class TestWhatItLeavesAlone:
    def test_a_constant(self) -> None:
        assert anomalies([3.0] * 2000) == []

    def test_a_slow_trend(self) -> None:
        values = [i / 100 + e for i, e in enumerate(noise(6, 4000))]
        assert len(anomalies(values)) <= 4

    def test_a_daily_course(self) -> None:
        assert len(anomalies(day_and_night(10))) <= 3

    def test_spikes_that_always_come(self) -> None:
        values = [1.0 + (50 + i % 7 if i % 48 == 0 else 0) + e for i, e in enumerate(noise(7, 3000, 0.1))]
        assert not [i for i in anomalies(values) if i > 700]

    def test_more_of_an_anomaly_that_was_told_just_now(self) -> None:
        values = noise(8, 1500)
        values[1000:1050] = [500.0 + 90 * i for i in range(50)]
        findings = found(values)
        assert [i for i in anomalies(values) if i >= 990] == [1000]
        assert all(one.resting for one in findings[1001 : 1000 + REST])
        assert findings[1010].score >= THRESHOLD  # it is as unusual as it is; it is only not news

    def test_anything_before_it_knows_the_series(self) -> None:
        assert anomalies(noise(9, 49, 1000)) == []


class TestSides:
    def values(self) -> list[float]:
        values = noise(10, 1200)
        values[800], values[1100] = -80.0, 80.0
        return values

    @pytest.mark.parametrize(("side", "where"), [(1, [1100]), (-1, [800]), (0, [800, 1100])])
    def test_only_what_is_asked_for(self, side: int, where: list[int]) -> None:
        detector = Detector()
        findings = [
            detector.add(MONDAY + i * FIVE_MINUTES, value, THRESHOLD, side)
            for i, value in enumerate(self.values())
        ]
        hits = [i for i, one in enumerate(findings) if one.score >= THRESHOLD and not one.resting]
        assert [i for i in hits if i > 700] == where


class TestItsState:
    @examples(10)
    @given(
        st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=150),
        st.integers(0, 149),
    )
    def test_is_all_there_is(self, values: list[float], cut: int) -> None:
        cut = min(cut, len(values))
        straight, before = Detector(), Detector()
        first = found(values[:cut], detector=before)
        after = Detector.load(before.dump())
        assert after.dump() == before.dump()
        time = MONDAY + len(values) * FIVE_MINUTES
        assert first == found(values[:cut], detector=straight)
        for value in values[cut:]:
            assert after.add(time, value) == straight.add(time, value)

    def test_goes_on_exactly_where_it_was_after_a_long_time(self) -> None:
        values = day_and_night(8)
        straight, parted = Detector(), Detector()
        for i, value in enumerate(values):
            assert straight.add(i * FIVE_MINUTES, value) == parted.add(i * FIVE_MINUTES, value)
            if i % 97 == 0:
                parted = Detector.load(parted.dump())

    def test_knows_only_the_past(self) -> None:
        values = day_and_night(4)
        assert found(values)[:700] == found(values[:700] + [1e6] * 100)[:700]

    def test_stays_small_whatever_comes(self) -> None:
        detector = Detector()
        chance = random.Random(11)
        sizes = []
        for i in range(4000):
            detector.add(i * HOUR, chance.choice([1, 1e3, 1e9, -1e15]) * chance.random())
            sizes.append(len(detector.dump()) if i % 500 == 0 else 0)
        assert max(sizes) < 30_000

    def test_of_something_else_is_refused(self) -> None:
        for wrong in (b"", b"short", bytes(8), Tape().write(1, 2).bytes()):
            with pytest.raises(ValueError, match=r"version|early|bytes"):
                Detector.load(wrong)

    def test_scores_do_not_depend_on_the_unit(self) -> None:
        values = day_and_night(5)
        values[1300] += 300
        plain = [one.score for one in found(values)]
        scaled = [one.score for one in found([value * 1024 for value in values])]
        assert plain[400:] == pytest.approx(scaled[400:], rel=1e-6)

    def test_takes_any_finite_number(self) -> None:
        values = [1e308, -1e308, 0.0, 5e-324, 1.0] * 40
        assert all(math.isfinite(one.score) and math.isfinite(one.expected) for one in found(values))


class TestSeason:
    def test_expects_what_was_usual_at_that_hour(self) -> None:
        season = Season()
        for i in range(10 * 24):
            season.add(MONDAY + i * HOUR + HOUR // 2, 100.0 if i % 24 == 9 else 5.0)
        assert season.expected(MONDAY + 9 * HOUR + HOUR // 2) == pytest.approx(100)
        assert season.expected(MONDAY + 15 * HOUR + HOUR // 2) == pytest.approx(5)
        # Between the middles of two hours: in between.
        assert 5 < season.expected(MONDAY + 10 * HOUR) < 100

    def test_expects_less_on_a_sunday_once_it_saw_enough_of_them(self) -> None:
        season, expected = Season(), []
        for i in range(6 * 7 * 24):
            time = MONDAY + i * HOUR + HOUR // 2
            if i % (7 * 24) == 6 * 24 + 12:  # Sunday noon
                expected.append(season.expected(time))
            season.add(time, 10.0 if i // 24 % 7 == 6 else 50.0)
        assert expected[1] > 40
        assert expected[5] < 20

    def test_before_it_saw_an_hour_expects_what_the_others_had(self) -> None:
        season = Season()
        season.add(MONDAY + HOUR // 2, 8.0)
        assert season.expected(MONDAY + 15 * HOUR) == pytest.approx(8)


class TestParts:
    def test_a_level_is_not_moved_by_outliers_but_by_a_new_level(self) -> None:
        level = Level(1000)
        for value in noise(12, 500):
            level.add(value)
        for _ in range(20):
            level.add(1e9)
        assert abs(level.centre) < 1
        for value in noise(13, 200):
            level.add(value + 1e6)
        assert level.centre == pytest.approx(1e6, rel=0.01)

    def test_places_are_forgotten_in_time_and_thinned_where_they_are_dense(self) -> None:
        visited = Visited(10)
        for i in range(100):
            visited.add(float(i % 50), 1.0)
        visited.add(1000.0, 1.0)
        assert visited.add(1000.0, 1.0) == 0
        assert visited.add(500.0, 1.0) > 400
        for _ in range(25_000):
            visited.add(0.0, 1.0)
        assert visited.add(1000.0, 1.0) == 1000

    @given(st.lists(st.floats(0, 100), min_size=60, max_size=300))
    def test_peaks_are_those_of_about_the_last_so_many(self, heights: list[float]) -> None:
        peaks = Peaks(100, 5)
        for height in heights:
            peaks.add(height)
        usual = peaks.usual()
        assert usual is not None
        assert sorted(heights[-90:])[-5] <= usual <= sorted(heights[-100:])[-5]
