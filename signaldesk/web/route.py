"""What a route is. The table of all of them is `routes`."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

from pydantic import BaseModel

from signaldesk.web.call import Answer, Call

Handle = Callable[[Call], Awaitable[Answer | BaseModel]]


class Door(Enum):
    """Who may call a route at all; what they may do there, the scope says."""

    ANYBODY = "anybody"
    MEMBER_OR_KEY = "member or key"
    MEMBER = "member"


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one path of the API."""

    method: str
    path: str
    """With `{name}` for parts that vary."""
    handle: Handle
    summary: str
    scope: str | None = None
    answer: type[BaseModel] | None = None
    """Shape of the body of a good answer; None: no content."""
    also: tuple[str, ...] = ()
    """Media types, beside JSON, in which a good answer may be asked for by `Accept`."""
    body: type[BaseModel] | None = None
    """Shape of the request's body."""
    status: int = 200
    door: Door = Door.MEMBER_OR_KEY
    query: tuple[str, ...] = ()
    """Names of the query parameters it understands; others are refused."""
    large: bool = False
    """Whether its body may be a batch, by the setting `max_batch_bytes`, or only `max_body_bytes`."""

    @property
    def pattern(self) -> str:
        """The path as a regular expression."""
        return re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path)
