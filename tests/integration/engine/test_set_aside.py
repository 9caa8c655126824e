"""A rule that fails while it judges is set aside alone: others, and other organisations, notice nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar
from uuid import UUID

import pytest
from sqlalchemy import update

from signaldesk import filters
from signaldesk.catalog.rules import RuleCatalog
from signaldesk.clock import MICROS, from_us
from signaldesk.engine.dry_run import judge as dry_run
from signaldesk.engine.explain import Explainer
from signaldesk.errors import Invalid
from signaldesk.filters import Filter
from signaldesk.model import group as groups
from signaldesk.model import window as windows
from signaldesk.model.rule import Rule, SavedRule
from signaldesk.rules import document
from signaldesk.rules._kind import Judge
from signaldesk.store import tables as t
from signaldesk.store.past import Past
from signaldesk.store.rules import RuleFilter
from tests.support.judging import event
from tests.support.lab import LATENESS_US, Lab, Life

GOOD = {
    "name": "good",
    "event": "paid",
    "by": "user",
    "when": {"kind": "count", "at_least": 2, "within": "10s"},
}
BAD = {**GOOD, "name": "bad", "by": "user"}
BOMB = "bomb"
"""The user at whose event a bad rule fails."""


class Failure(Exception):
    """What a bad rule fails with."""


class Breaks:
    """Makes rules named `bad` fail at one of the things that are asked of a rule, in the group `bomb`."""

    judged: ClassVar = ("holds", "verdict", "value", "thin", "due", "ring", "dump", "load")
    places: ClassVar = ("filter", "group", "sample", *judged)

    def __init__(self, monkeypatch: pytest.MonkeyPatch, place: str, kind: str = "count") -> None:
        self._patch, self._place = monkeypatch, place
        make, grouper, parse = document.kinds()[kind].judge, groups.grouper, filters.parse
        monkeypatch.setattr(document.kinds()[kind], "judge", lambda rule: self._broken(make(rule), rule))
        if place == "thin":
            monkeypatch.setattr(windows, "FEW", 0)
        if place == "group":
            monkeypatch.setattr(groups, "grouper", lambda by: self._grouping(grouper(by), by))
        if place == "filter":
            monkeypatch.setattr(filters, "parse", lambda text: self._filtering(parse(text)))

    @property
    def rule(self) -> dict[str, Any]:
        """A rule that fails there."""
        more: dict[str, dict[str, Any]] = {
            "filter": {"where": "explode IS NULL"},
            "group": {"by": ["user", "explode"]},
            "value": {"resolve": {"threshold": 1}},
        }
        return BAD | more.get(self._place, {})

    def _broken(self, judge: Judge, rule: Rule) -> Judge:
        if rule.name != "bad":
            return judge
        if self._place == "sample":
            self._patch.setattr(judge, "sampled", True)
            self._patch.setattr(judge, "sample", lambda payload, event: self._explode(payload["user"]))
        if self._place in ("due", "ring"):
            self._patch.setattr(judge, "timed", True)
        if self._place in ("dump", "load"):
            self._patch.setattr(judge, "noted", True)
        if self._place == "ring":
            self._patch.setattr(judge, "due", self._due)
        if self._place in self.judged:
            method = getattr(judge, self._place)

            def broken(window: Any, *args: Any) -> Any:
                self._explode(window.key)
                return method(window, *args)

            self._patch.setattr(judge, self._place, broken)
        return judge

    def _explode(self, user: Any) -> None:
        if user == BOMB:
            raise Failure(self._place)

    @staticmethod
    def _due(window: Any) -> int | None:
        return window.times[-1] + 3 * MICROS if window.key == BOMB else None

    def _grouping(self, grouped: Any, by: tuple[str, ...]) -> Any:
        def broken(event: Any, payload: dict[str, Any]) -> Any:
            if "explode" in by:
                self._explode(payload["user"])
            return grouped(event, payload)

        return broken

    def _filtering(self, parsed: Filter) -> Filter:
        def broken(payload: dict[str, Any], *about: Any) -> bool:
            self._explode(payload["user"])
            return parsed.predicate(payload, *about)

        return replace(parsed, predicate=broken) if "explode" in parsed.text else parsed


async def pay(lab: Lab, org_id: UUID, *users: str) -> None:
    """One request, with an event a tenth of a second after the other, the last of them now."""
    now = lab.clock.now_us() / MICROS
    times = [now - (len(users) - n) / 10 for n in range(1, len(users) + 1)]
    rows = [
        {"type": "paid", "payload": {"user": user}, "timestamp": time}
        for user, time in zip(users, times, strict=True)
    ]
    await lab.send(org_id, rows)


async def live(lab: Lab) -> None:
    owner = await lab.owner(Life(checkpoint_every=0.0))
    assert await owner.work_off()
    await owner.end()


def fired(lab: Lab, saved: SavedRule) -> list[str]:
    """The users for whom a rule fired, in order."""
    query = """SELECT "group" FROM firings WHERE rule_id = %(rule)s ORDER BY timestamp"""
    return [row["group"]["user"] for row in lab.rows(query, rule=saved.id)]


def failures(lab: Lab, org_id: UUID) -> list[tuple[str, bool]]:
    """The system alerts of an organisation: what they say, and whether they are over."""
    query = "SELECT detail, resolved_at IS NOT NULL AS over FROM system_alerts WHERE org_id = %(org)s"
    return [(row["detail"], row["over"]) for row in lab.rows(query, org=org_id)]


@pytest.mark.parametrize("place", Breaks.places)
async def test_a_rule_that_fails_is_set_aside_and_all_others_go_on(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    breaks = Breaks(monkeypatch, place)
    org_id, other_id = await lab.org(), await lab.org()
    good, elsewhere = await lab.save_rule(org_id, GOOD), await lab.save_rule(other_id, GOOD)
    bad = await lab.save_rule(org_id, breaks.rule)
    lab.clock.advance(2)
    for org in (org_id, other_id):
        await pay(lab, org, "a", "b", "a", "b", BOMB, BOMB, "a", "b")
    await lab.pass_time(20)
    for _ in range(2):
        await pay(lab, org_id, BOMB, "c", BOMB, "c")
        await live(lab)
        lab.clock.advance(20)
    assert fired(lab, elsewhere) == ["a", "b", BOMB, "a", "b"]
    assert fired(lab, good) == ["a", "b", BOMB, "a", "b", *(2 * [BOMB, "c"])]
    after = {"ring": [BOMB, "a", "b"], "verdict": []}
    if place == "dump":  # noticed when the windows are written down, beside everything else
        assert fired(lab, bad)[:2] == ["a", "b"]
    else:
        assert fired(lab, bad) == ["a", "b", *after.get(place, [])]
    said = (
        f"The rule bad failed, and is not judged any more: Failure: {place}. Save it again when it is mended."
    )
    assert failures(lab, org_id) == [(said, False)]
    assert failures(lab, other_id) == []
    assert lab.rows("SELECT FROM poison_events WHERE org_id = %(org)s", org=org_id) == []
    await lab.forget([org_id, other_id])


async def test_a_composite_rule_that_fails_leaves_its_parts_alone(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    Breaks(monkeypatch, "holds", kind="composite")
    org_id = await lab.org()
    good = await lab.save_rule(org_id, GOOD)
    when = {"kind": "composite", "any": ["good"], "within": "1m"}
    bad = await lab.save_rule(org_id, {"name": "bad", "by": "user", "when": when})
    lab.clock.advance(2)
    await pay(lab, org_id, "a", "a", BOMB, BOMB, "b", "b")
    await live(lab)
    assert (fired(lab, good), fired(lab, bad)) == (["a", BOMB, "b"], ["a"])
    await lab.forget([org_id])


async def test_a_rule_that_cannot_be_read_is_set_aside_too(lab: Lab) -> None:
    org_id = await lab.org()
    good, bad = await lab.save_rule(org_id, GOOD), await lab.save_rule(org_id, BAD)
    async with lab.database.system() as connection:
        spoil = update(t.rule_versions).where(t.rule_versions.c.rule_id == bad.id)
        await connection.execute(spoil.values(body={"name": "bad", "when": {"kind": "of tomorrow"}}))
    lab.clock.advance(2)
    await pay(lab, org_id, "a", "a")
    await live(lab)
    assert (fired(lab, good), fired(lab, bad)) == (["a"], [])
    ((said, over),) = failures(lab, org_id)
    assert "it cannot be read" in said
    assert not over
    await lab.forget([org_id])


@pytest.mark.parametrize("how", ["resume", "save", "delete"])
async def test_saving_it_again_brings_it_back_with_an_empty_window(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    breaks = Breaks(monkeypatch, "holds")
    rules = RuleCatalog(database=lab.database, stream=lab.stream, clock=lab.clock)
    org_id = await lab.org()
    bad = await rules.create(org_id, breaks.rule)
    lab.clock.advance(2)
    await pay(lab, org_id, "a", BOMB)
    await live(lab)
    found = await rules.get(org_id, bad.id)
    assert (found.error, found.failed_at) == ("Failure: holds", from_us(lab.clock.now_us()))
    if how == "resume":
        (done,) = await rules.switch(org_id, "resume", RuleFilter(ids=[bad.id]))
        assert (done.change, done.begins_anew) == ("updated", True)
    elif how == "save":
        assert (await rules.update(org_id, bad.id, bad.body)).version == 2
    else:
        await rules.delete(org_id, bad.id)
    lab.clock.advance(2)
    await pay(lab, org_id, "a", "b", "b")
    await live(lab)
    assert [over for _, over in failures(lab, org_id)] == [True]
    rows = lab.rows("""SELECT "group" FROM firings WHERE org_id = %(org)s""", org=org_id)
    assert [row["group"]["user"] for row in rows] == ([] if how == "delete" else ["b"])
    if how != "delete":
        assert (await rules.get(org_id, bad.id)).failed_at is None
    await lab.forget([org_id])


def test_a_dry_run_says_which_rule_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = document.parse(Breaks(monkeypatch, "holds").rule)
    with pytest.raises(Invalid, match="the rule 'bad' fails: Failure: holds"):
        dry_run([rule], [event(1, "paid", MICROS, {"user": BOMB})], start=0, lateness=0)


async def test_it_is_explained(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    breaks = Breaks(monkeypatch, "holds")
    org_id = await lab.org()
    bad = await lab.save_rule(org_id, breaks.rule)
    lab.clock.advance(2)
    await pay(lab, org_id, "a", BOMB)
    await live(lab)
    explainer = Explainer(database=lab.database, past=Past(database=lab.database), lateness=LATENESS_US)
    found = await explainer.explain(org_id, bad.id, lab.clock.now_us() + MICROS, {"user": "a"})
    assert found.answer == "set_aside"
    assert "Failure: holds" in found.text
    before = await explainer.explain(org_id, bad.id, lab.clock.now_us() - 1, {"user": "a"})
    assert before.answer == "not_enough"
    await lab.forget([org_id])
