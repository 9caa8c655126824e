"""Logging in and out, who one is, and tickets for the WebSocket."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from signaldesk.errors import Unauthenticated
from signaldesk.store.identity import Membership
from signaldesk.stream.tickets import LASTS_S
from signaldesk.web.api.shapes import Ask, Shape
from signaldesk.web.call import Answer, Call


class LogIn(Ask):
    """E-mail address and password."""

    email: Annotated[str, Field(max_length=254)]
    password: Annotated[str, Field(max_length=1024)]


class Org(Shape):
    id: UUID
    slug: str
    name: str
    plan: str


class Me(Shape):
    """Who these credentials belong to. `csrf` goes into the header X-CSRF-Token of writes by cookie."""

    org: Org
    email: str | None = None
    name: str
    role: str | None = None
    scopes: list[str]
    csrf: str | None = None


class Ticket(Shape):
    """For `GET /ws?ticket=…`, once."""

    ticket: str
    expires_in: Annotated[int, Field(description="Seconds")] = LASTS_S


async def log_in(call: Call) -> Answer:
    wanted = call.body(LogIn)
    member, token = await open_session(call, wanted.email, wanted.password)
    return Answer(_me(call, member, token), session=token)


async def log_out(call: Call) -> Answer:
    if call.session:
        await call.services.sessions.close(call.session)
    return Answer(status=204, session="")


async def show_me(call: Call) -> Me:
    if call.member is not None:
        return _me(call, call.member, call.session)
    org = await call.services.keys.org(call.org_id)
    return Me(org=Org(**org._asdict()), name=call.principal.name, scopes=sorted(call.principal.scopes))


async def issue_ticket(call: Call) -> Answer:
    return Answer(Ticket(ticket=await call.services.tickets.issue(call.org_id)), 201)


async def open_session(call: Call, email: str, password: str) -> tuple[Membership, str]:
    """Check the password, slow down guessing, open a session. Raises Unauthenticated, TooMany."""
    services, name = call.services, email.strip().lower()
    services.throttle.check(call.client, name)
    try:
        member = await services.users.authenticate(email, password)
    except Unauthenticated:
        services.throttle.failed(call.client, name)
        raise
    services.throttle.succeeded(call.client, name)
    return member, await services.sessions.open(member.user_id, member.org_id)


def _me(call: Call, member: Membership, token: str) -> Me:
    from signaldesk.accounts.sessions import principal_of

    return Me(
        org=Org(id=member.org_id, slug=member.org_slug, name=member.org_name, plan=member.plan),
        email=member.email,
        name=member.name,
        role=member.role,
        scopes=sorted(principal_of(member).scopes),
        csrf=call.csrf(token),
    )
