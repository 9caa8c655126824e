"""Channels of an organisation: saved, shown without their secrets, tried out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select
from standardwebhooks import Webhook

from signaldesk.catalog.channels import ChannelCatalog
from signaldesk.catalog.targets import ensure_targets
from signaldesk.channels.kinds import Means
from signaldesk.channels.outbound import Outbound
from signaldesk.clock import SystemClock
from signaldesk.errors import Conflict, Invalid, NotFound
from signaldesk.ids import new_id
from signaldesk.store import tables as t
from signaldesk.store.database import Database
from tests.support.endpoint import Endpoint, answers, drops, endpoint
from tests.support.messages import NOW_US
from tests.support.tenants import at, change_channel, channel, make_org, system_alerts

HOOK = "https://hooks.example.com/a-path-nobody-should-know"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture
async def org_id(database: Database) -> UUID:
    return await make_org(database)


@pytest.fixture
async def server() -> AsyncIterator[Endpoint]:
    async with endpoint() as served:
        yield served


@pytest.fixture
def announced() -> list[UUID]:
    """The organisations whose change was announced to the engine."""
    return []


@pytest.fixture
async def catalog(database: Database, announced: list[UUID]) -> AsyncIterator[ChannelCatalog]:
    async def announce(org_id: UUID) -> None:
        announced.append(org_id)

    async def publish(org_id: UUID, message: dict[str, Any]) -> None: ...

    outbound = Outbound.guarded(allow=[ip_network("127.0.0.0/8")])
    means = Means(outbound=outbound, clock=SystemClock(), publish=publish)
    yield ChannelCatalog(database=database, means=means, announce=announce)
    await outbound.close()


async def make(
    catalog: ChannelCatalog, org_id: UUID, name: str = "ops", url: str = HOOK, **config: Any
) -> UUID:
    made = await catalog.create(org_id, name=name, kind="webhook", config={"url": url, **config})
    return made.channel.id


async def put_rule(database: Database, org_id: UUID, name: str, *notify: str) -> None:
    rule_id = new_id()
    values = {"version": 1, "fingerprint": "f"}
    async with database.system() as connection:
        await connection.execute(
            insert(t.rules).values(id=rule_id, org_id=org_id, name=name, since_version=1, **values)
        )
        await connection.execute(
            insert(t.rule_versions).values(
                org_id=org_id, rule_id=rule_id, body={"notify": list(notify)}, **values
            )
        )


def faults(error: pytest.ExceptionInfo[Invalid]) -> dict[str, str]:
    return {fault.field: fault.message for fault in error.value.errors}


async def revision(database: Database, org_id: UUID) -> int:
    async with database.system() as connection:
        found = await connection.execute(select(t.orgs.c.rules_revision).where(t.orgs.c.id == org_id))
        return int(found.scalar_one())


# --- making ------------------------------------------------------------------------------------------------


async def test_a_new_webhook_shows_its_secret_once_and_never_again(
    catalog: ChannelCatalog, org_id: UUID
) -> None:
    made = await catalog.create(org_id, name="ops", kind="webhook", config={"url": HOOK})
    secret = made.once["secret"]
    assert secret.startswith("whsec_")
    for view in (made.channel, await catalog.get(org_id, made.channel.id), *await catalog.all(org_id)):
        assert secret not in str(view)
        assert "a-path-nobody-should-know" not in str(view)
        assert view.config["url"] == "https://hooks.example.com/…know"


async def test_a_new_channel_is_on_and_healthy_and_the_engine_is_told(
    catalog: ChannelCatalog, org_id: UUID, announced: list[UUID], database: Database
) -> None:
    made = await catalog.create(org_id, name="everybody", kind="in_app", config={})
    view = made.channel
    assert (view.name, view.kind, view.enabled, view.failures, view.fault) == (
        "everybody",
        "in_app",
        True,
        0,
        None,
    )
    assert announced == [org_id]
    assert await revision(database, org_id) == 1


async def test_every_fault_is_listed_at_once(catalog: ChannelCatalog, org_id: UUID) -> None:
    with pytest.raises(Invalid) as invalid:
        await catalog.create(org_id, name=" ", kind="webhook", config={"url": "nonsense", "x": 1})
    assert set(faults(invalid)) == {"name", "config.url", "config.x"}
    with pytest.raises(Invalid) as invalid:
        await catalog.create(org_id, name=None, kind=["slack"], config={})
    assert set(faults(invalid)) == {"name", "kind"}


@pytest.mark.parametrize("name", ["", " ", " a", "a ", "a:b", "email:a@example.com", "a\nb", "a" * 101, 7])
async def test_a_name_of_another_shape_is_refused(name: Any, catalog: ChannelCatalog, org_id: UUID) -> None:
    with pytest.raises(Invalid) as invalid:
        await catalog.create(org_id, name=name, kind="in_app", config={})
    assert "without a colon" in faults(invalid)["name"]


async def test_a_name_is_given_once_per_organisation(
    catalog: ChannelCatalog, org_id: UUID, database: Database
) -> None:
    await make(catalog, org_id, "ops")
    with pytest.raises(Conflict, match="there is a channel named 'ops' already"):
        await make(catalog, org_id, "ops")
    await make(catalog, await make_org(database, "other"), "ops")


# --- changing ----------------------------------------------------------------------------------------------


async def test_what_was_shown_can_be_sent_back_without_losing_a_secret(
    catalog: ChannelCatalog, org_id: UUID, database: Database
) -> None:
    id = await make(catalog, org_id, headers={"authorization": "Bearer 0123456789abcdef"})
    before = (await channel(database, id)).config
    view = await catalog.get(org_id, id)
    await catalog.update(org_id, id, name="ops team", config=view.config)
    assert (await channel(database, id)).config == before
    changed = await catalog.update(org_id, id, config={"url": "https://other.example.com/hook"})
    after = (await channel(database, id)).config
    assert (after["url"], after["secrets"]) == ("https://other.example.com/hook", before["secrets"])
    assert (changed.name, changed.config["url"]) == ("ops team", "https://other.example.com/…hook")


async def test_a_change_that_is_not_valid_changes_nothing(
    catalog: ChannelCatalog, org_id: UUID, database: Database
) -> None:
    id = await make(catalog, org_id)
    before = await channel(database, id)
    with pytest.raises(Invalid) as invalid:
        await catalog.update(org_id, id, name="a:b", config={"url": "nonsense"}, enabled="yes")
    assert set(faults(invalid)) == {"name", "config.url", "enabled"}
    assert await channel(database, id) == before


async def test_a_channel_is_not_renamed_to_a_name_that_is_taken(
    catalog: ChannelCatalog, org_id: UUID
) -> None:
    await make(catalog, org_id, "ops")
    id = await make(catalog, org_id, "dev")
    with pytest.raises(Conflict, match="named 'ops'"):
        await catalog.update(org_id, id, name="ops")


async def test_switching_on_again_forgets_the_failures_and_resolves_the_warning(
    catalog: ChannelCatalog, org_id: UUID, database: Database
) -> None:
    id = await make(catalog, org_id)
    off = await catalog.update(org_id, id, enabled=False)
    assert (off.enabled, off.disabled_reason) == (False, "by a person")
    await change_channel(database, id, failures=20, failing_since=at(NOW_US), disabled_reason="it failed")
    async with database.system() as connection:
        values = {
            "id": new_id(),
            "org_id": org_id,
            "kind": "channel_disabled",
            "subject": str(id),
            "detail": "off",
        }
        await connection.execute(insert(t.system_alerts).values(**values))
    on = await catalog.update(org_id, id, enabled=True)
    assert (on.enabled, on.disabled_reason, on.failures, on.failing_since) == (True, None, 0, None)
    assert [alert.resolved_at is not None for alert in await system_alerts(database, org_id)] == [True]


async def test_a_rotated_secret_is_shown_once_and_the_old_one_goes_on_working(
    catalog: ChannelCatalog, org_id: UUID, server: Endpoint
) -> None:
    made = await catalog.create(org_id, name="ops", kind="webhook", config={"url": server.url})
    rotated = await catalog.rotate(org_id, made.channel.id)
    assert rotated.once["secret"] != made.once["secret"]
    await catalog.test(org_id, made.channel.id)
    (request,) = server.received
    for secret in (made.once["secret"], rotated.once["secret"]):
        Webhook(secret).verify(request.body, request.headers)


async def test_a_stored_configuration_that_is_not_valid_any_more_says_so_and_can_be_replaced(
    catalog: ChannelCatalog, org_id: UUID, database: Database
) -> None:
    id = await make(catalog, org_id)
    await change_channel(database, id, config={"url": "nonsense"})
    view = await catalog.get(org_id, id)
    assert view.config == {}
    assert "config.url" in (view.fault or "")
    assert (await catalog.update(org_id, id, config={"url": HOOK})).fault is None


# --- deleting ----------------------------------------------------------------------------------------------


async def test_a_deleted_channel_is_gone(
    catalog: ChannelCatalog, org_id: UUID, announced: list[UUID]
) -> None:
    id = await make(catalog, org_id)
    await catalog.delete(org_id, id)
    assert await catalog.all(org_id) == []
    assert announced == [org_id] * 2
    with pytest.raises(NotFound):
        await catalog.delete(org_id, id)


async def test_a_channel_that_rules_notify_is_neither_deleted_nor_renamed(
    catalog: ChannelCatalog, org_id: UUID, database: Database
) -> None:
    id = await make(catalog, org_id, "ops")
    await put_rule(database, org_id, "Checkout failures", "ops", "dev")
    await put_rule(database, org_id, "Unrelated", "dev")
    for change in (catalog.delete(org_id, id), catalog.update(org_id, id, name="new")):
        with pytest.raises(Conflict, match="while rules notify it: Checkout failures; change them first"):
            await change
    await catalog.update(org_id, id, enabled=False)


# --- other organisations -----------------------------------------------------------------------------------


async def test_another_organisations_channel_is_not_found_whatever_is_asked(
    catalog: ChannelCatalog, org_id: UUID, database: Database
) -> None:
    id, other = await make(catalog, org_id), await make_org(database, "other")
    asks = (
        catalog.get(other, id),
        catalog.update(other, id, enabled=False),
        catalog.rotate(other, id),
        catalog.delete(other, id),
        catalog.test(other, id),
    )
    for ask in asks:
        with pytest.raises(NotFound):
            await ask
    assert await catalog.all(other) == []


# --- trying out --------------------------------------------------------------------------------------------


async def test_a_test_sends_a_real_message_and_returns_the_real_answer(
    catalog: ChannelCatalog, org_id: UUID, server: Endpoint
) -> None:
    server.behaviour = answers(202, b"thanks")
    id = await make(catalog, org_id, url=server.url)
    tried = await catalog.test(org_id, id)
    (request,) = server.received
    assert (tried.delivered, tried.status, tried.answer, tried.error) == (True, 202, "thanks", None)
    assert (request.json()["type"], request.json()["data"]["org"]) == ("channel.test", "Acme")


async def test_a_test_that_fails_says_why(catalog: ChannelCatalog, org_id: UUID, server: Endpoint) -> None:
    id = await make(catalog, org_id, url=server.url)
    server.behaviour = answers(403, b"wrong key")
    tried = await catalog.test(org_id, id)
    assert (tried.delivered, tried.status, tried.answer) == (False, 403, "wrong key")
    server.behaviour = drops
    tried = await catalog.test(org_id, id)
    assert (tried.status, tried.error) == (
        None,
        "no answer from 127.0.0.1: the connection ended before an answer",
    )


async def test_a_channel_that_is_switched_off_can_be_tried_before_it_is_switched_on(
    catalog: ChannelCatalog, org_id: UUID, server: Endpoint
) -> None:
    id = await make(catalog, org_id, url=server.url)
    await catalog.update(org_id, id, enabled=False)
    assert (await catalog.test(org_id, id)).delivered


# --- targets of rules --------------------------------------------------------------------------------------


async def targets(database: Database, org_id: UUID, *names: str) -> dict[str, UUID]:
    async with database.tenant(org_id) as connection:
        return await ensure_targets(connection, org_id, names)


async def test_targets_are_channels_by_name(
    catalog: ChannelCatalog, org_id: UUID, database: Database
) -> None:
    ops, dev = await make(catalog, org_id, "ops"), await make(catalog, org_id, "dev")
    assert await targets(database, org_id, "ops", "dev", "ops") == {"ops": ops, "dev": dev}
    assert await targets(database, org_id) == {}


async def test_an_address_in_a_rule_becomes_a_channel_of_that_name(
    catalog: ChannelCatalog, org_id: UUID, database: Database
) -> None:
    name = "email:oncall@example.com"
    found = await targets(database, org_id, name)
    assert await targets(database, org_id, name) == found
    (view,) = await catalog.all(org_id)
    assert (view.id, view.name, view.kind) == (found[name], name, "email")
    assert view.config == {"to": ["oncall@example.com"]}


async def test_two_rules_saved_at_once_share_the_channel_they_name(org_id: UUID, database: Database) -> None:
    found = await asyncio.gather(*(targets(database, org_id, "email:a@example.com") for _ in range(5)))
    assert len({ids["email:a@example.com"] for ids in found}) == 1


async def test_a_name_that_nobody_has_is_refused_with_suggestions(
    catalog: ChannelCatalog, org_id: UUID, database: Database
) -> None:
    with pytest.raises(Invalid) as invalid:
        await targets(database, org_id, "ops")
    assert faults(invalid)["notify.0"] == "there is no channel named 'ops'; make one first, or write email:…"
    await make(catalog, org_id, "ops-discord")
    with pytest.raises(Invalid) as invalid:
        await targets(
            database, org_id, "ops-discord", "ops-discrod", "pager", "email:nobody", "webhook:https://x.com"
        )
    found = faults(invalid)
    assert found["notify.1"] == "there is no channel named 'ops-discrod'; did you mean ops-discord?"
    assert found["notify.2"] == "there is no channel named 'pager'; there are ops-discord; or write email:…"
    assert "name@example.com" in found["notify.3"]
    assert "there is no channel" in found["notify.4"]
    assert len(await catalog.all(org_id)) == 1
