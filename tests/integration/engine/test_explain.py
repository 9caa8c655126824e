"""Why a rule fired, or did not: every answer there is, for what the real engine did."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from signaldesk.clock import MICROS
from signaldesk.engine.explain import Explainer
from signaldesk.errors import Invalid, NotFound
from signaldesk.ids import new_id
from signaldesk.model.explanation import Explanation
from tests.support.lab import LATENESS_US, Lab

RULE = {
    "name": "failures",
    "event": "failed",
    "where": "amount > 20 AND plan = 'pro'",
    "by": "country",
    "when": {"kind": "count", "at_least": 3, "within": "60s"},
    "cooldown": "5m",
}


class Desk:
    """A rule, events for it, and questions about it."""

    def __init__(self, lab: Lab, org_id: UUID, rule_id: UUID) -> None:
        self.lab, self.org_id, self.rule_id = lab, org_id, rule_id
        self.explainer = Explainer(database=lab.database, lateness=LATENESS_US)

    async def send(self, *events: dict[str, Any]) -> None:
        self.lab.clock.advance(1)
        await self.lab.send(self.org_id, events)

    async def judged(self) -> None:
        owner = await self.lab.owner()
        assert await owner.work_off()
        await owner.end()

    async def why(self, *, at: int | None = None, group: dict[str, Any] | None = None) -> Explanation:
        moment = self.lab.clock.now_us() if at is None else at
        shown = {"country": "DE"} if group is None else group
        return await self.explainer.explain(self.org_id, self.rule_id, moment, shown)


def failed(country: str = "DE", amount: int = 30, plan: str = "pro", **more: Any) -> dict[str, Any]:
    return {"type": "failed", "payload": {"country": country, "amount": amount, "plan": plan}, **more}


@pytest.fixture
async def desk(database_url: str, redis_url: str) -> AsyncIterator[Desk]:
    lab = Lab(database_url, redis_url)
    org_id = await lab.org()
    saved = await lab.save_rule(org_id, RULE)
    yield Desk(lab, org_id, saved.id)
    await lab.forget([org_id])
    await lab.close()


async def test_two_of_three_are_not_enough(desk: Desk) -> None:
    await desk.send(failed(), failed(), failed("FR"))
    await desk.judged()
    why = await desk.why()
    assert (why.answer, why.value) == ("not_enough", 2)
    assert "the value was 2; the rule needs: 3 or more in 60 s" in why.text


async def test_a_firing_is_named_with_its_alert(desk: Desk) -> None:
    await desk.send(failed(), failed(), failed())
    await desk.judged()
    why = await desk.why()
    assert (why.answer, why.value) == ("fired", 3)
    assert why.firing_id is not None and why.alert_id is not None


async def test_a_cooldown_is_told_with_its_end(desk: Desk) -> None:
    await desk.send(failed(), failed(), failed())
    fired = desk.lab.clock.now_us()
    await desk.send(failed())
    await desk.judged()
    why = await desk.why()
    assert (why.answer, why.reason, why.until) == ("held_back", "cooldown", fired + 300 * MICROS)
    assert (await desk.why(at=fired)).answer == "fired"


async def test_the_clause_that_is_false_is_named(desk: Desk) -> None:
    await desk.send(failed(amount=5))
    await desk.judged()
    why = await desk.why()
    assert why.answer == "filter_false"
    assert dict(why.clauses) == {"amount > 20": False, "plan = 'pro'": True}
    assert why.text.endswith("the filter is not true: amount > 20")


async def test_an_event_that_came_too_late_is_named(desk: Desk) -> None:
    now = desk.lab.clock.now_us() + MICROS
    late = (now - LATENESS_US - MICROS) / MICROS
    await desk.send({"type": "other", "payload": {}}, failed(timestamp=late))
    await desk.judged()
    why = await desk.why()
    assert (why.answer, why.event_at) == ("late", round(late * MICROS))


async def test_no_event_of_the_group_is_told_so(desk: Desk) -> None:
    await desk.send(failed("FR"), failed("FR"), failed("FR"))
    await desk.judged()
    assert (await desk.why()).answer == "no_event"
    assert (await desk.why(group={"country": "FR"})).answer == "fired"


async def test_before_the_rule_there_was_no_rule(desk: Desk) -> None:
    begun = desk.lab.clock.now_us()
    await desk.judged()
    why = await desk.why(at=begun - 1)
    assert (why.answer, why.version) == ("not_yet", 0)


@pytest.mark.parametrize("group", [{}, {"land": "DE"}, {"country": "DE", "more": 1}])
async def test_a_group_has_exactly_the_rule_s_fields(desk: Desk, group: dict[str, Any]) -> None:
    await desk.judged()
    with pytest.raises(Invalid) as caught:
        await desk.why(group=group)
    assert "name exactly the fields country" in caught.value.errors[0].message


async def test_another_organisation_s_rule_is_not_there(desk: Desk) -> None:
    with pytest.raises(NotFound):
        await desk.explainer.explain(new_id(), desk.rule_id, desk.lab.clock.now_us(), {"country": "DE"})
