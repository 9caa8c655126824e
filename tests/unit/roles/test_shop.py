"""The shop of the example: the same minute always looks the same, and its rules find what goes wrong."""

from __future__ import annotations

from itertools import pairwise

from signaldesk import filters
from signaldesk.roles.demo import founding
from signaldesk.roles.demo.shop import MINUTE, PER_SECOND, SLOT, happenings, incident_in, minute_of, rhythm
from signaldesk.rules.document import parse_all

NOON = 29_400_000 - 29_400_000 % 1440 + 720
"""A minute at 12:00 UTC."""


def test_a_minute_looks_the_same_whoever_asks() -> None:
    first = list(minute_of(NOON))
    minute_of.cache_clear()
    assert minute_of(NOON) == first


def test_pieces_of_time_fit_together_without_gap_or_overlap() -> None:
    start = NOON * MINUTE
    whole = list(happenings(start, start + 3 * MINUTE))
    cuts = [start, start + 7, start + MINUTE, start + 100_000_001, start + 3 * MINUTE]
    pieces = [list(happenings(since, until)) for since, until in pairwise(cuts)]
    assert [one for piece in pieces for one in piece] == whole
    assert [one.at for one in whole] == sorted(one.at for one in whole)


def test_evenings_are_busier_than_nights() -> None:
    day = [rhythm(NOON + minute) for minute in range(1440)]
    assert abs(sum(day) / 1440 - PER_SECOND) < 0.1
    assert max(day) > 2.5 * min(day)


def test_something_goes_wrong_in_every_slot_and_not_all_the_time() -> None:
    first = NOON - NOON % SLOT
    for slot in range(first, first + 50 * SLOT, SLOT):
        troubled = [minute for minute in range(slot, slot + SLOT) if incident_in(minute)]
        assert 3 <= len(troubled) <= 7
        assert troubled == list(range(troubled[0], troubled[-1] + 1))


def test_its_rules_are_valid_and_each_finds_something_within_a_day() -> None:
    rules = parse_all(founding.rules())
    unseen = {rule.name: (rule.event, rule.where and filters.parse(rule.where).predicate) for rule in rules}
    for event in happenings(NOON * MINUTE, (NOON + 360) * MINUTE):
        for name, (types, predicate) in list(unseen.items()):
            if event.type in types and (not predicate or predicate(event.payload, event.type, "", event.at)):
                del unseen[name]
        if not unseen:
            break
    assert not unseen


def test_while_the_past_is_filled_in_nobody_is_notified() -> None:
    assert all("notify" not in founding.silent(rule) for rule in founding.rules())
    assert any("notify" in rule for rule in founding.rules())


def test_alerts_are_over_some_time_so_that_the_next_incident_is_told_again() -> None:
    told = [rule for rule in parse_all(founding.rules()) if rule.notify]
    assert told and all(rule.resolve is not None and rule.resolve.quiet_for for rule in told)
