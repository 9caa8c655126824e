"""Who is asking: an API key in the header, or a session in the cookie."""

from __future__ import annotations

from typing import NamedTuple

from tornado.httputil import HTTPServerRequest

from signaldesk.accounts.keys import KeyRing
from signaldesk.accounts.roles import Principal
from signaldesk.accounts.sessions import Sessions, principal_of
from signaldesk.errors import Forbidden, Unauthenticated
from signaldesk.store.identity import Membership
from signaldesk.web.cookies import CSRF_HEADER, Cookies

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Identity(NamedTuple):
    """Who it is; the last two are set for a session."""

    principal: Principal
    member: Membership | None = None
    session: str = ""


class Doorkeeper:
    """Finds out who sent a request."""

    def __init__(
        self, *, ring: KeyRing, sessions: Sessions, cookies: Cookies, origins: frozenset[str]
    ) -> None:
        self._ring = ring
        self._sessions = sessions
        self._cookies = cookies
        self._origins = origins

    async def identify(self, request: HTTPServerRequest) -> Identity:
        """By key if the request has one, else by session. Raises Unauthenticated, Forbidden, Unavailable."""
        header = request.headers.get("Authorization")
        if header is not None:
            scheme, _, key = header.partition(" ")
            if scheme.lower() != "bearer":
                raise Unauthenticated("send the API key as `Authorization: Bearer sk_…`")
            return Identity(await self._ring.principal(key.strip()))
        identity = await self.by_session(request)
        if identity is None:
            raise Unauthenticated("send an API key (`Authorization: Bearer sk_…`), or log in")
        if request.method not in SAFE:
            self.check_origin(request)
            proof = request.headers.get(CSRF_HEADER, "")
            if not self._cookies.csrf_right(identity.session, proof):
                raise Forbidden(
                    f"a write by cookie needs the header {CSRF_HEADER}; GET /api/v1/me tells its value"
                )
        return identity

    async def by_session(self, request: HTTPServerRequest) -> Identity | None:
        """The member whose session the request's cookie names."""
        cookie = request.cookies.get(self._cookies.session)
        if cookie is None or not cookie.value:
            return None
        member = await self._sessions.member(cookie.value)
        return Identity(principal_of(member), member, cookie.value) if member else None

    def check_origin(self, request: HTTPServerRequest, *, needed: bool = False) -> None:
        """Raises Forbidden for a request from another site's page.

        Programs send no Origin; a browser always does where `needed` is set (sockets), so there it must.
        """
        origin = request.headers.get("Origin")
        if (
            origin is None
            and not needed
            and request.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin")
        ):
            return
        if (origin or "").lower() not in self._origins:
            raise Forbidden("this request comes from another site's page")
