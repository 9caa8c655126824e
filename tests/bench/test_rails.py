"""The benchmarks' own arithmetic: what they promise to measure is what they measure."""

import math
from collections import Counter
from itertools import pairwise

import orjson
import pytest

from signaldesk.rules import document
from tests.bench import desk_side
from tests.bench.report import OURS, Line, Promise, Section, markdown, number, percentile
from tests.bench.side import Commits
from tests.bench.workload import (
    BATCH,
    RULED_TYPES,
    USERS,
    batch_bodies,
    crowded_rules,
    events,
    latency_rules,
    loop_rules,
    mixed_rules,
    scaled_rules,
)


def test_half_of_the_events_match_and_each_of_those_matches_five_rules() -> None:
    rules = Counter(rule.event for rule in loop_rules())
    matches = Counter(rules[str(event["type"])] for event in events(20_000))

    assert set(matches) == {0, 5}
    assert matches[5] / matches.total() == pytest.approx(0.5, abs=0.02)


def test_users_are_spread_independently_of_the_type() -> None:
    payloads = [(event["type"], orjson.dumps(event["payload"])) for event in events(40_000)]
    users = {orjson.loads(payload)["user"] for kind, payload in payloads if kind == "type_0"}

    assert len(users) > USERS / 2


def test_there_are_a_hundred_rules_over_twenty_types_by_user() -> None:
    assert len(loop_rules()) == 100
    assert len({rule.event for rule in loop_rules()}) == RULED_TYPES
    assert {rule.by for rule in loop_rules()} == {"user"}


def test_more_rules_change_nothing_about_the_matches_of_an_event() -> None:
    few, many = scaled_rules(10), scaled_rules(10_000)

    assert len(few) == 10
    assert len(many) == 10_000
    assert many[:10] == few
    assert all(rule.event.startswith("idle_") for rule in many[10:])
    assert len({rule.name for rule in many}) == 10_000


def test_a_crowd_of_rules_sits_on_the_busy_types_and_never_matches() -> None:
    crowd = crowded_rules(1_000)[10:]

    assert {rule.event for rule in crowd} == {f"type_{i}" for i in range(10)}
    assert len({rule.where for rule in crowd}) == len(crowd)
    assert not any("X" in str(event["payload"]) for event in events(100))


def test_a_thousand_rules_are_of_every_kind_and_valid() -> None:
    rules = mixed_rules()

    assert len(rules) == 1_000
    assert {rule.when["kind"] for rule in rules if rule.when} == set(document.kinds())
    assert set(Counter(rule.event for rule in rules).values()) == {5}
    document.parse_all([desk_side._document(rule) for rule in rules])


def test_latency_rules_fire_once_a_second_each() -> None:
    assert {rule.cooldown_s for rule in latency_rules()} == {1}


def test_the_same_seed_makes_the_same_batches() -> None:
    assert batch_bodies(2) == batch_bodies(2)
    assert [len(orjson.loads(body)["events"]) for body in batch_bodies(2)] == [BATCH, BATCH]


@pytest.mark.parametrize(
    ("values", "p", "expected"), [([5], 99, 5), (range(1, 101), 99, 99), (range(1, 101), 50, 50)]
)
def test_a_percentile_is_a_value_that_was_seen(values: list[float], p: float, expected: float) -> None:
    assert percentile(values, p) == expected


def test_a_percentile_of_nothing_is_not_a_number() -> None:
    assert math.isnan(percentile([], 99))


def test_the_rate_of_commits_does_not_count_what_started_the_clock() -> None:
    commits = Commits([(10.0, 500), (10.5, 500), (12.0, 500)])

    assert commits.per_second == 500
    assert commits.series() == [1000, 0, 500]
    assert commits.longest_pause() == max(b - a for a, b in pairwise([10.0, 10.5, 12.0]))


def test_a_single_commit_has_no_rate() -> None:
    assert math.isnan(Commits([(10.0, 500)]).per_second)


def test_we_are_compared_with_the_better_of_the_naive_loops_settings() -> None:
    rate = Line("rate", "events/s", Promise("ratio", at_least=25))
    for label, value in (("naive, everysec", 2_000.0), ("naive, always", 1_000.0), (OURS, 40_000.0)):
        rate.add(label, value)
    wait = Line("wait", "ms")
    for label, value in (("naive, everysec", 20.0), ("naive, always", 30.0), (OURS, 10.0)):
        wait.add(label, value)

    assert rate.ratio() == 20
    assert rate.verdict() == "missed"
    assert wait.naive() == ("naive, everysec", 20.0)


def test_a_promise_without_a_measurement_has_no_verdict() -> None:
    assert Line("rate", "events/s", Promise("ratio", at_least=25)).verdict() == ""


def test_the_report_shows_median_and_range_of_the_rounds() -> None:
    line = Line("rate", "events/s", Promise("ours", at_least=1_000))
    for value in (1_234.0, 2_345.0, 3_456.0):
        line.add(OURS, value, "calm")

    shown = markdown(Section("Whole loop", "What it means.", [line]))

    assert "| rate | events/s | – | 2,340 (1,230–3,460) | – | ≥ 1000 | kept |" in shown
    assert "- rate; ours, round 3: calm" in shown


@pytest.mark.parametrize(
    ("value", "shown"), [(2346.0, "2,350"), (43_210.0, "43,200"), (12.34, "12.3"), (0.5, "0.5")]
)
def test_numbers_have_three_significant_digits(value: float, shown: str) -> None:
    assert number(value) == shown
