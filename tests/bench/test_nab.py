"""The published scoring, against cases worked out by hand."""

import json
from datetime import datetime, timedelta
from math import exp
from pathlib import Path

import pytest

from tests.bench import nab
from tests.bench.children import BenchError

START = datetime.fromisoformat("2020-01-01")
FALSE_ALARM = 0.11


def series(count: int = 100, *windows: tuple[int, int], name: str = "a/b.csv") -> nab.Series:
    """Points a minute apart; windows by the numbers of their first and last point."""
    times = [START + timedelta(minutes=i) for i in range(count)]
    spans = [(times[first], times[last]) for first, last in windows]
    return nab.Series(name, times, [0.0] * count, spans)


def score(one: nab.Series, *detected: int) -> nab.Outcome:
    """The outcome when exactly these points are detections."""
    values = [float(i in detected) for i in range(len(one.times))]
    return nab.evaluate([one], {one.name: values}, threshold=1.0)


def test_the_scaled_sigmoid_has_its_published_values() -> None:
    assert nab.worth(-1) == pytest.approx(0.98661, abs=1e-5)
    assert nab.worth(-0.5) == pytest.approx(0.84828, abs=1e-5)
    assert nab.worth(0) == 0
    assert nab.worth(1) == pytest.approx(-0.98661, abs=1e-5)
    assert nab.worth(3.01) == -1


def test_a_detector_that_says_nothing_has_0_and_a_perfect_one_100() -> None:
    one = series(100, (40, 49), (70, 79))
    assert score(one).score == 0
    assert score(one).raw == -2
    found = score(one, 40, 70)
    assert found.raw == pytest.approx(2)
    assert found.score == pytest.approx(100)
    assert (found.hits, found.false_alarms) == (2, 0)


def test_a_later_detection_in_a_window_is_worth_less() -> None:
    # The last of ten points is at position -0.1: 2 / (1 + e^-0.5) - 1 = 0.24492, over 0.98661.
    found = score(series(100, (40, 49)), 49)
    assert found.raw == pytest.approx(0.24824, abs=1e-5)
    assert found.score == pytest.approx(100 * 1.24824 / 2, abs=1e-3)


def test_only_the_best_detection_of_a_window_counts() -> None:
    assert score(series(100, (40, 49)), 42, 45, 49) == score(series(100, (40, 49)), 42)


def test_a_false_alarm_before_any_window_costs_its_full_weight() -> None:
    assert score(series(100, (40, 49)), 20, 40).raw == pytest.approx(1 - FALSE_ALARM)


def test_a_false_alarm_shortly_after_a_window_costs_less() -> None:
    # Three points behind a window of ten: position 3/9, 2 / (1 + e^(5/3)) - 1 = -0.68219.
    found = score(series(100, (40, 49)), 40, 52)
    assert found.raw == pytest.approx(1 + FALSE_ALARM * (2 / (1 + exp(5 / 3)) - 1))
    assert found.false_alarms == 1


def test_a_false_alarm_far_after_a_window_costs_its_full_weight() -> None:
    assert score(series(100, (40, 49)), 40, 49 + 28).raw == pytest.approx(1 - FALSE_ALARM)


def test_nothing_is_scored_in_probation() -> None:
    assert series(100).probation == 15
    assert series(10_000).probation == 750  # 15 % of 5,000 at most
    one = series(100, (40, 49))
    assert score(one, 14, 40).raw == pytest.approx(1)
    assert score(one, 15, 40).raw == pytest.approx(1 - FALSE_ALARM)


def test_a_window_within_probation_cannot_be_hit_but_belongs_to_the_perfect_score() -> None:
    one = series(100, (2, 8), (40, 49))
    assert score(one).raw == -1
    assert score(one, 3, 40).score == pytest.approx(100 * 2 / 3)


def test_the_threshold_is_the_one_that_suits_the_whole_corpus() -> None:
    left, right = series(100, (40, 49), name="a/left"), series(100, name="a/right")
    scores = {"a/left": [0.0] * 100, "a/right": [0.0] * 100}
    scores["a/left"][40] = 0.7
    scores["a/right"][50:53] = [0.8, 0.7, 0.3]

    found = nab.evaluate([left, right], scores)

    assert found.threshold == 0.7
    assert found.raw == pytest.approx(1 - 2 * FALSE_ALARM)
    assert (found.hits, found.false_alarms) == (1, 2)


def test_without_a_useful_threshold_it_is_best_to_say_nothing() -> None:
    found = nab.evaluate([series(100)], {"a/b.csv": [0.5] * 100})
    assert (found.raw, found.false_alarms) == (0, 0)


def test_profiles_weigh_otherwise() -> None:
    one = series(100, (40, 49), (70, 79))
    scores = {one.name: [float(i in (20, 40)) for i in range(100)]}
    found = nab.evaluate([one], scores, nab.Profile(false_alarm=0.22, miss=2.0), threshold=1.0)
    assert found.raw == pytest.approx(1 - 2 - 0.22)


def test_every_point_needs_a_score() -> None:
    with pytest.raises(BenchError, match=r"a/b\.csv: 3 scores, 100 points"):
        nab.evaluate([series(100)], {"a/b.csv": [0.0] * 3})


@pytest.mark.parametrize(
    ("labels", "data"), [("windows.json", "."), ("labels/combined_windows.json", "data")]
)
def test_series_are_read_from_a_folder_or_a_clone(tmp_path: Path, labels: str, data: str) -> None:
    for file in (tmp_path / labels, tmp_path / data / "a" / "b.csv"):
        file.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / data / "a" / "b.csv").write_text(
        "timestamp,value\n2020-01-01 00:00:00,1\n2020-01-01 00:05:00,2.5\n"
    )
    window = ["2020-01-01 00:05:00.000000", "2020-01-01 00:05:00.000000"]
    (tmp_path / labels).write_text(json.dumps({"a/b.csv": [window]}))

    (one,) = nab.load(tmp_path)

    assert one.values == [1.0, 2.5]
    assert one.windows == [(START + timedelta(minutes=5), START + timedelta(minutes=5))]


def test_a_folder_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="neither"):
        nab.load(tmp_path)
