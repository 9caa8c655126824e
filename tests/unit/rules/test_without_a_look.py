"""Windows that cannot meet the condition are not looked at; the verdict is what a look would have said."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaldesk.engine.state import State
from signaldesk.model.outcome import Firing
from signaldesk.rules import document
from signaldesk.rules._series import Series
from tests.support.examples import examples
from tests.support.judging import MICROS, Judging, event

START = 1_700_000_000 * MICROS
WITHIN = 4


class Sent(NamedTuple):
    at: int
    """Seconds."""
    amount: float


Figure = Callable[[list[float]], float]
FIGURES: dict[str, Figure] = {
    "min": min,
    "max": max,
    "p50": lambda values: sorted(values)[-(-len(values) // 2) - 1],
    "avg": statistics.fmean,
    "sum": sum,
    "stddev": lambda values: statistics.stdev(values) if len(values) > 1 else -1e9,
    "distinct": lambda values: len(set(values)),
    "ratio": lambda values: sum(value > 2 for value in values) / len(values),
}
COMPARED: dict[str, Callable[[float, float], bool]] = {
    "above": lambda value, limit: value > limit,
    "at_least": lambda value, limit: value >= limit,
    "below": lambda value, limit: value < limit,
    "at_most": lambda value, limit: value <= limit,
}
LIMITS = {"ratio": [0.5, 0.25, 0, 1]}

amounts = st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0])
comings = st.lists(st.tuples(st.integers(-3, 3), amounts), min_size=1, max_size=25)


def judging(figure: str, word: str, limit: float) -> Judging:
    body: dict[str, Any] = {"name": "x", "event": "y"}
    if figure == "ratio":
        body |= {"where": "amount > 2", "when": {"kind": "ratio", "min_events": 1}}
    else:
        body |= {"when": {"kind": "aggregate", "function": figure, "field": "amount"}}
    body["when"] |= {"within": "4s", word: limit}
    return Judging([document.parse(body)])


@pytest.mark.parametrize("word", COMPARED)
@pytest.mark.parametrize("figure", FIGURES)
@examples(15)
@given(data=st.data(), steps=comings)
def test_it_holds_exactly_when_the_figure_of_the_window_says_so(
    figure: str, word: str, data: st.DataObject, steps: list[tuple[int, float]]
) -> None:
    limit = data.draw(st.sampled_from(LIMITS.get(figure, [2, 1, 3, 2.5])))
    restart = data.draw(st.integers(0, 25))
    desk, at, came = judging(figure, word, limit), 100, list[Sent]()
    for number, (step, amount) in enumerate(steps, 1):
        at += step
        came.append(Sent(at, amount))
        found = desk.take(event(number, "y", START + at * MICROS, {"amount": amount}))
        window = [one.amount for one in came if at - WITHIN < one.at <= at]
        least = 2 if figure == "stddev" else 1
        holds = len(window) >= least and COMPARED[word](FIGURES[figure](window), limit)
        assert any(isinstance(one, Firing) for one in found) is holds
        if number == restart:
            desk.restart()


@pytest.mark.parametrize(("figure", "limit"), [("p50", 10), ("avg", 10), ("max", 10), ("distinct", 100)])
def test_a_window_without_a_value_beyond_the_limit_costs_no_look(
    figure: str, limit: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    measure = Series.measure

    def counted(series: Series[Any], window: State, time: int, *rest: Any, **more: Any) -> Any:
        looks.append(time)
        return measure(series, window, time, *rest, **more)

    monkeypatch.setattr(Series, "measure", counted)
    desk = judging(figure, "above", limit)
    for number in range(1, 50):
        desk.take(event(number, "y", START + number * MICROS, {"amount": number % 7}))
    assert not looks
