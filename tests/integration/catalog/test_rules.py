"""Rules are saved all or none, with every fault at once, and what was exported changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text as sql
from sqlalchemy.exc import ProgrammingError

from signaldesk.catalog import files
from signaldesk.catalog.rules import RuleCatalog
from signaldesk.catalog.yaml_text import write
from signaldesk.desk import Desk, Urls
from signaldesk.errors import Conflict, Invalid
from signaldesk.settings import Settings
from tests.support.rule_documents import document_of
from tests.support.tenants import make_channel, make_org

EACH = {"name": "One", "event": "a", "when": {"kind": "each"}}
COUNT = {"name": "Two", "event": "b", "when": {"kind": "count", "at_least": 3, "within": "60s"}}


@pytest.fixture
async def desk(database_url: str, redis_url: str) -> AsyncIterator[Desk]:
    desk = Desk(Settings(), Urls(database_url, redis_url))
    yield desk
    await desk.close()


@pytest.fixture
def rules(desk: Desk) -> RuleCatalog:
    return desk.rules


@pytest.fixture
async def org(desk: Desk) -> UUID:
    return await make_org(desk.database)


def changes(done: list[Any]) -> list[tuple[str, str, int]]:
    return [(one.name, one.change, one.version) for one in done]


async def markers(desk: Desk, org: UUID) -> int:
    return int(await desk.redis.xlen("sd:{p0}:events"))


async def test_what_is_exported_and_applied_again_changes_nothing(rules: RuleCatalog, org: UUID) -> None:
    chance = Random(20260131)
    bodies = [document_of(chance, f"Rule {number}: no, yes") for number in range(200)]
    assert {one.change for one in await rules.apply(org, bodies)} == {"created"}
    stored = await rules.all(org)
    exported = write(rule.body for rule in stored)
    again = await rules.apply(org, files.parse_text(exported, "all.yaml").documents, prune=True)
    assert {(one.change, one.version) for one in again} == {("unchanged", 1)} and len(again) == 200
    assert await rules.all(org) == stored
    assert write(rule.body for rule in await rules.all(org)) == exported


async def test_a_dry_run_says_what_the_real_one_does_and_leaves_no_trace(
    desk: Desk, rules: RuleCatalog, org: UUID
) -> None:
    await rules.apply(org, [EACH, COUNT])
    before, marked = await rules.all(org), await markers(desk, org)
    wanted = [{**EACH, "notify": "email:a@b.test"}, {**COUNT, "name": "Three"}]
    said = await rules.apply(org, wanted, prune=True, dry_run=True)
    assert changes(said) == [("One", "updated", 2), ("Three", "created", 1), ("Two", "deleted", 0)]
    assert await rules.all(org) == before and await markers(desk, org) == marked
    assert await desk.channels.all(org) == []
    done = await rules.apply(org, wanted, prune=True)
    assert changes(done) == changes(said) and await markers(desk, org) == marked + 1
    assert [rule.name for rule in await rules.all(org)] == ["One", "Three"]


async def test_faults_of_rules_and_of_the_channels_they_name_come_together(
    desk: Desk, rules: RuleCatalog, org: UUID
) -> None:
    await make_channel(desk.database, org, kind="in_app", config={}, name="team")
    wrong = [
        {**EACH, "notify": ["team", "email:nobody", "taem"], "severity": "crit"},
        {**COUNT, "notify": "ops", "where": "amount >"},
        {**EACH, "evnt": "a"},
    ]
    with pytest.raises(Invalid) as caught:
        await rules.apply(org, [EACH, *wrong])
    fields = {fault.field for fault in caught.value.errors}
    assert {
        "rules[1].severity", "rules[1].notify.1", "rules[1].notify.2", "rules[2].notify.0", "rules[2].where",
        "rules[3].evnt",
    } <= fields  # fmt: skip
    assert await rules.all(org) == []
    with pytest.raises(Invalid) as caught:
        await rules.create(org, wrong[0])
    told = {fault.field: fault.message for fault in caught.value.errors}
    assert set(told) == {"severity", "notify.1", "notify.2"}
    assert "did you mean team?" in told["notify.2"] and "did you mean critical?" in told["severity"]


async def test_a_change_that_does_not_touch_the_condition_keeps_its_windows(
    rules: RuleCatalog, org: UUID
) -> None:
    await rules.apply(org, [{**COUNT, "where": "amount > 20"}])
    same = {**COUNT, "where": "(amount>20)", "severity": "error", "cooldown": "5m", "name": "Two"}
    (softly,) = await rules.apply(org, [same])
    assert (softly.change, softly.version, softly.since_version, softly.begins_anew) == (
        "updated",
        2,
        1,
        False,
    )
    (anew,) = await rules.apply(org, [{**same, "where": "amount > 21"}])
    assert (anew.version, anew.since_version, anew.begins_anew) == (3, 3, True)


async def test_many_who_apply_at_once_do_not_wait_for_each_other_for_ever(
    rules: RuleCatalog, org: UUID
) -> None:
    bodies = [{**EACH, "name": f"Rule {number}"} for number in range(20)]

    async def apply(chance: Random) -> None:
        mine = chance.sample(bodies, len(bodies))
        await rules.apply(org, [{**body, "severity": chance.choice(["info", "error"])} for body in mine])

    await asyncio.gather(*(apply(Random(number)) for number in range(8)))
    stored = await rules.all(org)
    assert [rule.name for rule in stored] == sorted(str(body["name"]) for body in bodies)
    for rule in stored:
        versions = [one.version for one in await rules.versions(org, rule.id)]
        assert versions == list(range(rule.version, 0, -1))


async def test_a_name_is_had_by_one_rule(rules: RuleCatalog, org: UUID) -> None:
    await rules.apply(org, [EACH, COUNT])
    two = next(rule for rule in await rules.all(org) if rule.name == "Two")
    with pytest.raises(Conflict):
        await rules.update(org, two.id, {**COUNT, "name": "One"})


async def test_no_version_can_be_changed_by_those_who_save_rules(
    desk: Desk, rules: RuleCatalog, org: UUID
) -> None:
    made = await rules.create(org, EACH)
    for statement in ("UPDATE rule_versions SET body = '{}'", "DELETE FROM rule_versions"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with desk.database.tenant(org) as connection:
                await connection.execute(sql(statement))
    assert [one.body for one in await rules.versions(org, made.id)] == [EACH]


async def test_a_rule_that_others_are_made_of_is_neither_deleted_nor_renamed_nor_regrouped(
    rules: RuleCatalog, org: UUID
) -> None:
    whole = {"name": "Both", "when": {"kind": "composite", "all": ["One", "Two"], "within": "1m"}}
    await rules.apply(org, [EACH, COUNT, whole])
    one = next(rule for rule in await rules.all(org) if rule.name == "One")
    with pytest.raises(Conflict, match="'Both' is made of 'One'; change it first"):
        await rules.delete(org, one.id)
    with pytest.raises(Conflict, match="is made of 'One'"):
        await rules.update(org, one.id, {**EACH, "name": "Eins"})
    with pytest.raises(Conflict, match="groups by country"):
        await rules.patch(org, one.id, {"by": "country"})
    with pytest.raises(Conflict, match="is made of 'Two'"):
        await rules.apply(org, [EACH, whole], prune=True)
    assert [(rule.name, rule.version) for rule in await rules.all(org)] == [
        ("Both", 1), ("One", 1), ("Two", 1),
    ]  # fmt: skip
    await rules.apply(org, [EACH], prune=True)
    await rules.delete(org, one.id)
    assert await rules.all(org) == []


async def test_groups_that_name_nothing_are_refused_beside_every_other_fault(
    rules: RuleCatalog, org: UUID
) -> None:
    wrong = {**EACH, "by": "items[0].sku", "cooldown": "soon", "notify": "nobody"}
    with pytest.raises(Invalid) as caught:
        await rules.create(org, wrong)
    assert {fault.field for fault in caught.value.errors} == {"by.0", "cooldown", "notify.0"}
    with pytest.raises(Invalid) as caught:
        await rules.apply(org, [EACH, {**COUNT, "by": "a."}])
    assert [fault.field for fault in caught.value.errors] == ["rules[1].by.0"]


async def test_a_part_that_is_missing_is_named_by_its_field(rules: RuleCatalog, org: UUID) -> None:
    whole = {"name": "Both", "when": {"kind": "composite", "all": ["One", "Twoo"], "within": "1m"}}
    with pytest.raises(Invalid) as caught:
        await rules.apply(org, [EACH, COUNT, whole])
    (fault,) = caught.value.errors
    assert fault.field == "rules[2].when.all.1" and "did you mean 'Two'?" in fault.message
