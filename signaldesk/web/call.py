"""One API request as its handler sees it, and the answer it gives back. No Tornado in here."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

import orjson
from pydantic import BaseModel, ValidationError

from signaldesk.accounts.roles import Principal
from signaldesk.clock import from_us
from signaldesk.errors import FieldError, Invalid, NotFound, Unauthenticated, Unavailable
from signaldesk.model import group
from signaldesk.model.actor import Actor
from signaldesk.store.identity import Membership
from signaldesk.web import paging, strict_json
from signaldesk.web.faults import faults_of
from signaldesk.web.services import Services

M = TypeVar("M", bound=BaseModel)


class Stream(Protocol):
    """Bytes that come one after the other; closed whatever happens."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: `body` is JSON-able, ready bytes, or None for no content."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    session: str | None = None
    """A session's token to put into the cookie; an empty text takes the cookie away."""
    stream: Stream | None = None
    """Sent piece by piece instead of a body."""

    def encoded(self) -> bytes:
        return (
            self.body
            if isinstance(self.body, bytes)
            else orjson.dumps(self.body, default=_plain, option=orjson.OPT_UTC_Z)
        )


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was let in."""

    services: Services
    params: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    raw: bytes
    client: str
    """The client's address."""
    who: Principal | None
    csrf: Callable[[str], str]
    """Session token → the proof that writes by cookie must carry."""
    member: Membership | None = None
    """Set when a session, not a key, opened the door."""
    session: str = ""

    @property
    def principal(self) -> Principal:
        """Who asks. Raises Unauthenticated on a route that anybody may call."""
        if self.who is None:
            raise Unauthenticated
        return self.who

    @property
    def org_id(self) -> UUID:
        return self.principal.org_id

    @property
    def now(self) -> datetime:
        return from_us(self.services.clock.now_us())

    @property
    def id(self) -> UUID:
        """The `{id}` of the path. What is no UUID names nothing: NotFound."""
        return uuid_or_missing(self.params["id"])

    async def tell(self, message: dict[str, Any]) -> None:
        """Tell the organisation's open pages; when Redis is away they find out by themselves later."""
        with suppress(Unavailable):
            await self.services.news.publish(self.org_id, message)

    def json(self, *, also: str = "") -> Any:
        """The body's JSON value; its type may be `also` another one. Raises Invalid and its kinds."""
        return strict_json.read(self.raw, self.headers.get("Content-Type", ""), also=also)

    def body(self, model: type[M]) -> M:
        """The body as a model. Raises Invalid with one FieldError per fault."""
        given = self.json()
        try:
            return model.model_validate(given)
        except ValidationError as error:
            raise Invalid(errors=faults_of(error, given, model)) from None

    def one(self, name: str) -> str | None:
        """A query parameter that may be given once. Raises Invalid when given more often."""
        values = self.query.get(name, ())
        if len(values) > 1:
            raise Invalid(errors=[FieldError(name, "is given more than once")])
        return values[0] if values else None

    def choice(self, name: str, among: Sequence[str], default: Sequence[str]) -> Sequence[str]:
        """A query parameter that takes some of `among`, separated by commas. Raises Invalid."""
        given = self.one(name)
        if given is None:
            return default
        chosen = [part.strip() for part in given.split(",")]
        if strangers := [one for one in chosen if one not in among]:
            message = f"unknown value {strangers[0][:40]!r}; known are {', '.join(among)}"
            raise Invalid(errors=[FieldError(name, message)])
        return chosen

    def truth(self, name: str) -> bool | None:
        """A query parameter that is `true` or `false`. Raises Invalid."""
        given = self.one(name)
        if given not in (None, "true", "false"):
            raise Invalid(errors=[FieldError(name, "must be `true` or `false`")])
        return None if given is None else given == "true"

    def moment(self, name: str) -> datetime | None:
        """A query parameter that is a time. Raises Invalid."""
        given = self.one(name)
        return None if given is None else paging.moment(name, given)

    def uuid(self, name: str) -> UUID | None:
        """A query parameter that is an id. Raises Invalid."""
        given = self.one(name)
        try:
            return None if given is None else UUID(given)
        except ValueError:
            raise Invalid(errors=[FieldError(name, "is not an id (a UUID)")]) from None

    def limit(self, default: int = 50, most: int = 500) -> int:
        """The query parameter `limit`. Raises Invalid."""
        given = self.one("limit")
        if given is None:
            return default
        if not given.isascii() or not given.isdigit() or not 1 <= int(given[:9]) <= most or len(given) > 9:
            raise Invalid(errors=[FieldError("limit", f"must be a whole number from 1 to {most}")])
        return int(given)

    def many(self, name: str) -> Sequence[str]:
        """A query parameter that may be given any number of times."""
        return self.query.get(name, ())

    def group(self) -> str | None:
        """The query parameter `group`, a group's values as a JSON object; its text. Raises Invalid."""
        given = self.one("group")
        if given is None:
            return None
        try:
            values = orjson.loads(given)
            if not isinstance(values, dict):
                raise ValueError("no object")
            return group.text(tuple(values), group.key(tuple(values), values))
        except (ValueError, TypeError):
            message = 'expected the group as a JSON object, e.g. {"country":"DE"}'
            raise Invalid(errors=[FieldError("group", message)]) from None

    @property
    def expected(self) -> frozenset[int] | None:
        """Versions named by `If-Match`, for which alone this write is meant; None: for whichever there is."""
        given = self.headers.get("If-Match", "*").strip()
        if given == "*":
            return None
        return frozenset(int(found) for found in re.findall(r'(?:^|,)\s*"([0-9]{1,9})"\s*(?=,|$)', given))

    def name_cursor(self) -> str:
        """The same as `cursor` for lists in the order of a text; empty on the first page."""
        given = self.one("cursor")
        return "" if given is None else paging.name_place(given)

    def count_cursor(self) -> tuple[int, str] | None:
        """The same for lists in the order of a number, then a text. Raises Invalid."""
        given = self.name_cursor()
        count, _, name = given.partition(" ")
        if given and not (count.isascii() and count.isdigit() and len(count) < 19):
            raise paging.no_cursor()
        return (int(count), name) if given else None

    def cursor(self) -> tuple[datetime, UUID] | None:
        """The query parameter `cursor`, from the `next` of the page before. Raises Invalid."""
        given = self.one("cursor")
        return None if given is None else paging.place(given)


def actor(call: Call) -> Actor:
    """Who asks, as timelines, versions and the audit trail name them."""
    who = call.principal
    return Actor(who.user_id, who.name if who.user_id else f"API key {who.name}")


def label(text: str, parameter: str = "label") -> tuple[str, str | None]:
    """`team=payments`, or `team` for whatever value. Raises Invalid."""
    name, equals, value = text.partition("=")
    if not name:
        raise Invalid(errors=[FieldError(parameter, "expected name=value, or a name; e.g. team=payments")])
    return name, value if equals else None


def uuid_or_missing(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound from None


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
