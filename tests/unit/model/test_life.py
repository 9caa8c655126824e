"""What becomes of alerts, and who is told: the pure fold, and the one decision in it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from signaldesk.ids import derived_id
from signaldesk.model.event import Event
from signaldesk.model.life import Ground, Lives, Told
from signaldesk.model.outcome import Firing, GroupRef, Resolution
from signaldesk.model.rule import NEVER, SavedRule
from signaldesk.model.silence import Matcher, Silence
from signaldesk.model.telling import HOUR, Decision, Facts, decide, decide_resolved
from signaldesk.rules import document

ORG, RULE, CHANNEL = UUID(int=1), UUID(int=2), UUID(int=3)
MINUTE = 60_000_000
T = 100 * HOUR
SILENCE = Silence(UUID(int=9), "silence", (Matcher("country", "=~", "D."),), T, T + HOUR)


def facts(**changes: Any) -> Facts:
    """An alert that people were told of at T, firing a minute later."""
    plain: dict[str, Any] = {
        "time": T + MINUTE, "state": "open", "opened_at": T, "notified_at": T, "woke": False, "worse": False,
        "flapping": False, "repeat": None, "silence": None, "crowded": False,
    }  # fmt: skip
    return Facts(**(plain | changes))


@pytest.mark.parametrize(
    ("changes", "told", "reason"),
    [
        ({"notified_at": None}, True, "opened"),
        ({}, True, "again"),
        ({"repeat": NEVER}, False, "repeat"),
        ({"repeat": MINUTE + 1}, False, "repeat"),
        ({"repeat": MINUTE}, True, "repeat"),
        ({"repeat": NEVER, "notified_at": None}, True, "opened"),
        ({"repeat": NEVER, "worse": True}, True, "severity"),
        ({"repeat": NEVER, "woke": True}, True, "woke"),
        ({"state": "acknowledged"}, False, "acknowledged"),
        ({"state": "acknowledged", "worse": True}, True, "severity"),
        ({"state": "acknowledged", "repeat": MINUTE}, True, "repeat"),
        ({"state": "snoozed", "notified_at": None}, False, "snoozed"),
        ({"silence": SILENCE, "state": "snoozed"}, False, "silence"),
        ({"silence": SILENCE._replace(kind="maintenance")}, False, "maintenance"),
        ({"flapping": True, "notified_at": None}, True, "flapping"),
        ({"flapping": True}, False, "flapping"),
        ({"flapping": True, "time": T + HOUR}, True, "again"),
        ({"crowded": True}, False, "storm"),
        ({"crowded": True, "repeat": NEVER}, False, "repeat"),
    ],
)
def test_each_decision_has_its_reason(changes: dict[str, Any], told: bool, reason: str) -> None:
    assert decide(facts(**changes)) == Decision(told, reason)


@pytest.mark.parametrize(
    ("changes", "told", "reason"),
    [
        ({}, True, "resolved"),
        ({"state": "acknowledged"}, True, "resolved"),
        ({"notified_at": None}, False, "untold"),
        ({"state": "snoozed"}, False, "snoozed"),
        ({"flapping": True}, False, "flapping"),
        ({"grouped": True}, False, "storm"),
        ({"silence": SILENCE}, False, "silence"),
    ],
)
def test_those_who_were_told_hear_that_it_is_over(changes: dict[str, Any], told: bool, reason: str) -> None:
    plain = {"state": "open", "notified_at": T, "flapping": False, "grouped": False, "silence": None}
    assert decide_resolved(**(plain | changes)) == Decision(told, reason)  # type: ignore[arg-type]


def saved(**body: Any) -> SavedRule:
    plain = {"name": "Failures", "event": "e", "by": "country", "when": {"kind": "each"}}
    rule = document.parse({**plain, **body})
    return SavedRule(org_id=ORG, id=RULE, version=1, since_version=1, fingerprint="f", rule=rule)


def fired(country: str, time: int, value: float = 1, **body: Any) -> Firing:
    name = f"{country} {time} {value}"
    event = Event(derived_id(name).bytes, "e", time, b"{}", None, False)
    return Firing(
        id=derived_id("firing", name), saved=saved(**body), org_name="Acme", channels=[CHANNEL],
        group=GroupRef(RULE, "", country), values={"country": country}, event=event, time=time, timer=False,
        value=value, at_least=False, threshold=1, window_from=time, window_to=time, evidence=[], words="",
        received_at=time, position=1,
    )  # fmt: skip


def over(country: str, at: int, after: int) -> Resolution:
    group, values = GroupRef(RULE, "", country), {"country": country}
    return Resolution(saved(), "Acme", [CHANNEL], group, values, at, "quiet", after, at)


def live(firings: list[Firing], resolutions: list[Resolution] | None = None, **ground: Any) -> Lives:
    return Lives(Ground(**ground), storm_after=3).run(firings, resolutions or [])


def reasons(lives: Lives) -> list[str]:
    return [one.reason if isinstance(one, Told) else "resolved" for one in lives.tellings]


def test_fired_resolved_and_fired_in_one_batch_are_two_alerts() -> None:
    lives = live([fired("DE", T), fired("DE", T + 2)], [over("DE", T + 1, 1)])
    ends = [(alert.state, alert.resolved_at) for alert in lives.alerts]
    assert ends == [("resolved", T + 1), ("open", None)]
    assert reasons(lives) == ["opened", "resolved", "opened"]
    assert [step.kind for step in lives.steps] == ["opened", "resolved", "opened"]


def test_firings_that_follow_one_another_are_one_step() -> None:
    lives = live([fired("DE", T + i) for i in range(5)])
    assert [(step.kind, step.times) for step in lives.steps] == [("opened", 1), ("fired", 4)]


def test_a_silenced_alert_opens_and_its_message_is_held_back_with_the_silences_id() -> None:
    lives = live([fired("DE", T), fired("DE", T + 1), fired("FR", T)], silences={ORG: [SILENCE]})
    assert len(lives.alerts) == 2 and reasons(lives) == ["opened"]
    assert [(one.reason, one.times, one.silence_id) for one in lives.held] == [("silence", 2, SILENCE.id)]


def test_after_a_silence_people_hear_of_what_they_were_not_told() -> None:
    lives = live(
        [fired("DE", T, repeat="never"), fired("DE", T + HOUR, repeat="never")], silences={ORG: [SILENCE]}
    )
    assert reasons(lives) == ["opened"]


def test_a_snooze_ends_when_its_time_is_over_or_the_alert_has_grown() -> None:
    for snooze, ends in (
        ({"snoozed_until": T + 10}, T + 10),
        ({"snoozed_value": 7.0}, T + 8),
        ({"snoozed_firings": 6}, T + 6),
    ):
        (alert,) = live([fired("DE", T)]).alerts
        alert.state = "snoozed"
        for name, value in snooze.items():
            setattr(alert, name, value)
        firings = [fired("DE", T + i, value=i) for i in range(1, 15)]
        lives = live(firings, alerts={alert.group: alert})
        assert [step.at for step in lives.steps if step.kind == "woke"] == [ends]
        assert alert.state == "open" and reasons(lives)[0] == "woke"


def test_flapping_is_told_once_and_then_quiet() -> None:
    firings = [fired("DE", T + i * MINUTE) for i in range(8)]
    ends = [over("DE", T + i * MINUTE + 1, i + 1) for i in range(8)]
    lives = live(firings, ends)
    assert reasons(lives) == ["opened", "resolved"] * 3 + ["flapping"]
    assert [(one.reason, one.times) for one in lives.held] == [("flapping", 4)]
    calm = live([fired("DE", T + 9 * HOUR)])
    assert reasons(calm) == ["opened"]


def test_a_storm_is_told_singly_at_first_and_then_as_one() -> None:
    lives = live([fired(f"C{i}", T + i) for i in range(40)])
    assert reasons(lives) == ["opened"] * 3
    (storm,) = lives.storms.values()
    assert (storm.alerts, len(storm.groups), storm.groups[0]) == (37, 10, {"country": "C3"})
    assert sum(one.times for one in lives.held) == 37 and {one.reason for one in lives.held} == {"storm"}


def test_alerts_further_apart_than_a_minute_are_no_storm() -> None:
    lives = live([fired(f"C{i}", T + i * 21 * 1_000_000) for i in range(20)])
    assert reasons(lives) == ["opened"] * 20 and not lives.storms
