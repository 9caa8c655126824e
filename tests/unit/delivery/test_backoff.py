"""When a failed message is tried again."""

from __future__ import annotations

import re
from itertools import accumulate
from random import Random

import pytest

from signaldesk.clock import MICROS
from signaldesk.delivery import backoff
from signaldesk.delivery.backoff import ATTEMPTS, JITTER, WAITS, settled, wait
from signaldesk.model.delivery import Attempt
from tests.support.claims import claimed


class Middle(Random):
    """No jitter: always the middle."""

    def random(self) -> float:
        return 0.5


def test_waits_grow_to_hours_and_end_after_eight_attempts() -> None:
    waits = [wait(n, retry_after=None, random=Middle()) for n in range(1, ATTEMPTS + 3)]
    assert waits[:-3] == pytest.approx(list(WAITS))
    assert waits[-3:] == [None, None, None]
    assert ATTEMPTS == 8
    assert list(WAITS) == sorted(WAITS)
    assert 4 * 3600 < sum(WAITS) < 6 * 3600


def test_the_table_in_the_documentation_is_the_schedule() -> None:
    rows = re.findall(r"^\| (\d) \| ([^|]*) \| ([^|]*) \|$", backoff.__doc__ or "", re.MULTILINE)
    assert [seconds(row[1]) for row in rows] == list(WAITS)
    totals = [seconds(row[2]) for row in rows]
    assert totals == pytest.approx(list(accumulate(WAITS)), abs=30)


def seconds(text: str) -> float:
    units = {"s": 1, "min": 60, "h": 3600}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"(\d+) (s|min|h)\b", text))


@pytest.mark.parametrize("attempt", range(1, ATTEMPTS))
def test_jitter_spreads_a_wait_by_a_fifth_either_way(attempt: int) -> None:
    random = Random(7)
    waits = [wait(attempt, retry_after=None, random=random) or 0 for _ in range(500)]
    base = WAITS[attempt - 1]
    assert base * (1 - JITTER) <= min(waits) < base * 0.9
    assert base * 1.1 < max(waits) <= base * (1 + JITTER)


def test_a_destination_that_says_when_is_not_asked_before() -> None:
    assert wait(1, retry_after=90.0, random=Middle()) == 90.0
    assert wait(4, retry_after=90.0, random=Middle()) == pytest.approx(600)


def test_a_sent_message_is_done() -> None:
    result = settled(claimed(), Attempt("sent", 0, 0), now_us=0, random=Middle())
    assert (result.status, result.next_us) == ("sent", None)


def test_a_failed_message_waits_for_its_next_attempt() -> None:
    result = settled(claimed(number=2), Attempt("retry", 0, 0), now_us=10 * MICROS, random=Middle())
    assert (result.status, result.next_us) == ("retrying", 40 * MICROS)


def test_a_message_out_of_attempts_has_failed() -> None:
    result = settled(claimed(number=ATTEMPTS), Attempt("retry", 0, 0), now_us=0, random=Middle())
    assert (result.status, result.attempt.result, result.next_us) == ("failed", "failed", None)


def test_a_refused_message_has_failed_at_once() -> None:
    result = settled(claimed(number=1), Attempt("failed", 0, 0), now_us=0, random=Middle())
    assert (result.status, result.next_us) == ("failed", None)
