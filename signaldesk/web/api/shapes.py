"""Shapes that several nouns share. Each is built when it is first used: all of them would slow the start."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from signaldesk.clock import in_utc

T = TypeVar("T")
Moment = Annotated[datetime, Field(strict=False), AfterValidator(in_utc)]
"""A time that the API is told, with a time zone."""


class Shape(BaseModel):
    """Something the API says. Times are RFC 3339 in UTC."""

    model_config = ConfigDict(frozen=True, defer_build=True)


class Ask(BaseModel):
    """Something the API is told: unknown fields are refused, so that a typo never passes in silence."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, str_max_length=10_000, defer_build=True
    )


class Page(Shape, Generic[T]):
    """Part of a list. `next` is the `cursor` of the following part, null at the end."""

    items: list[T]
    next: Annotated[str | None, Field(description="`cursor` of the next page")] = None
