"""Scopes, and which of them a member's role brings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from signaldesk.errors import FieldError, Forbidden, Invalid

Role = Literal["owner", "admin", "editor", "viewer"]

SCOPES = {
    "events:write": "send events",
    "events:read": "read stored events",
    "query:read": "ask in SQL: events, alerts, firings and labels",
    "rules:read": "read rules and labels",
    "rules:write": "make, change and delete rules and labels",
    "channels:read": "read channels, without their secrets",
    "channels:write": "make, change, test and delete channels",
    "alerts:read": "read alerts and silences",
    "alerts:write": "acknowledge, snooze, assign and resolve alerts; make silences",
    "notifications:read": "read notifications and their attempts",
    "keys:read": "list API keys",
    "keys:write": "make and revoke API keys",
}
"""Every scope and what it allows."""

EVERYTHING = "*"

_READ = frozenset(scope for scope in SCOPES if scope.endswith(":read")) - {"keys:read"}
_EDIT = _READ | {"events:write", "rules:write", "channels:write", "alerts:write"}
_ALL = frozenset((*SCOPES, EVERYTHING))
ROLES: dict[str, frozenset[str]] = {"viewer": _READ, "editor": _EDIT, "admin": _ALL, "owner": _ALL}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking: a member (through a session) or an API key, for exactly one organisation."""

    org_id: UUID
    scopes: frozenset[str]
    name: str
    partition: int
    user_id: UUID | None = None
    key_id: UUID | None = None

    def may(self, scope: str) -> bool:
        return scope in self.scopes or EVERYTHING in self.scopes

    def require(self, scope: str) -> None:
        """Raises Forbidden, naming what is missing."""
        if not self.may(scope):
            means = SCOPES[scope]
            raise Forbidden(f"the scope {scope} ({means}) is missing from these credentials")


def check_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """The scopes, each once, in order. Raises Invalid, naming each unknown one."""
    wanted = tuple(dict.fromkeys(scopes))
    known = ", ".join((EVERYTHING, *SCOPES))
    faults = [
        FieldError(f"scopes[{i}]", f"unknown scope {scope[:40]!r}; known are {known}")
        for i, scope in enumerate(wanted)
        if scope != EVERYTHING and scope not in SCOPES
    ]
    if not wanted:
        faults = [FieldError("scopes", f"is empty; name at least one of {known}")]
    if faults:
        raise Invalid("the scopes are not valid", errors=faults)
    return wanted
