"""Makes the example organisation, or finds it again; nothing is ever made twice."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from signaldesk.accounts.orgs import Org
from signaldesk.desk import Desk
from signaldesk.errors import NotFound, Unauthenticated
from signaldesk.roles.demo import credentials
from signaldesk.roles.demo.credentials import Credentials

ORG, SLUG = "Demo Shop", "demo-shop"
"""Not what anybody would call an organisation of their own: the shop's events must never end up in that."""
EMAIL = "demo@shop.example"
CHANNEL = "team"
KEY_NAME = "demo shop"


async def found(desk: Desk) -> tuple[Org, Credentials]:
    """The organisation with its owner, channel, rules and key, made as far as they are not there."""
    known = credentials.read(desk.settings.data_dir) or Credentials(EMAIL, secrets.token_urlsafe(9), "")
    try:
        org = await desk.orgs.choose(SLUG)
    except NotFound:
        await desk.users.found(org=ORG, email=known.email, password=known.password, name="Mira Kern")
        org = await desk.orgs.choose(SLUG)
        await desk.channels.create(org.id, name=CHANNEL, kind="in_app", config={})
        await desk.rules.apply(org.id, [silent(rule) for rule in rules()])
    now = Credentials(known.email, await _password(desk, known), await _key(desk, org, known))
    credentials.keep(desk.settings.data_dir, now)
    return org, now


def rules() -> list[dict[str, Any]]:
    """The rules as they are meant to be."""
    return list(yaml.safe_load_all(Path(__file__).with_name("rules.yaml").read_text(encoding="utf-8")))


def silent(rule: dict[str, Any]) -> dict[str, Any]:
    """The rule as long as only the past is filled in: nobody needs to be told of that."""
    return {name: value for name, value in rule.items() if name != "notify"}


async def speak_up(desk: Desk, org: Org) -> None:
    """Let the rules notify from now on, unless somebody has changed them meanwhile."""
    saved = {rule.name: rule for rule in await desk.rules.all(org.id)}
    for rule in rules():
        stored = saved.get(rule["name"])
        if stored is not None and "notify" in rule and stored.version == 1 and "notify" not in stored.body:
            await desk.rules.update(org.id, stored.id, rule)


async def _password(desk: Desk, known: Credentials) -> str:
    """The password that works; a new one when the kept one does not (any more)."""
    try:
        await desk.users.authenticate(known.email, known.password)
    except Unauthenticated:
        fresh = secrets.token_urlsafe(9)
        with suppress(NotFound):  # somebody deleted the user; the rest of the example works all the same
            await desk.users.set_password(known.email, fresh)
        return fresh
    return known.password


async def _key(desk: Desk, org: Org, known: Credentials) -> str:
    """The key that works; a new one, in place of the old one, when that is not known here (any more)."""
    with suppress(Unauthenticated):
        if known.key and (await desk.key_ring.principal(known.key)).org_id == org.id:
            return known.key
    for listed in await desk.api_keys.list(org.id):
        if listed.name == KEY_NAME and listed.revoked_at is None:
            await desk.api_keys.revoke(org.id, listed.id)
    return (await desk.api_keys.create(org.id, scopes=["*"], name=KEY_NAME))[1]
