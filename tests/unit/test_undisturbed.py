"""A test that measures time has the workers of its run to itself."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from tests.support.undisturbed import Floor

LONG = 5.0
SHORT = 0.05
Start = Callable[[bool], Event]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start another worker's test, alone or not; the event says that it runs. It ends with this test."""
    end = Event()

    def run(alone: bool, runs: Event) -> None:
        with Floor(tmp_path).taken(alone):
            runs.set()
            end.wait(LONG)

    def start(alone: bool) -> Event:
        runs = Event()
        workers.submit(run, alone, runs)
        return runs

    with ThreadPoolExecutor(3) as workers:
        yield start
        end.set()


def test_two_tests_run_beside_each_other(start: Start) -> None:
    assert start(False).wait(LONG)
    assert start(False).wait(LONG)


@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_a_test_that_measures_runs_alone(start: Start, first: bool) -> None:
    assert start(first).wait(LONG)
    assert not start(not first).wait(SHORT)


def test_whoever_comes_later_does_not_go_before_a_test_that_measures(start: Start) -> None:
    assert start(False).wait(LONG)
    assert not start(True).wait(SHORT)
    assert not start(False).wait(SHORT)
