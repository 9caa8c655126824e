"""A rule: what to watch, and whom to tell."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Literal
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializeAsAny,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from signaldesk.model import duration
from signaldesk.model.active import Active
from signaldesk.model.duration import Duration
from signaldesk.model.event import TYPE_MAX

Severity = Literal["info", "warning", "error", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error", "critical")


class Mode(StrEnum):
    """`live` notifies, `shadow` is judged and recorded but never notifies, `paused` holds everything back."""

    LIVE = "live"
    SHADOW = "shadow"
    PAUSED = "paused"


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        return [*value, *value.values()]
    return [value] if isinstance(value, str) else value or ()


Listed = BeforeValidator(_listed, json_schema_input_type=str | list[str])
"""One text, or a list of them."""

NEVER = -1
"""The value of `repeat: never`."""


def _repeat(value: Any) -> int:
    if isinstance(value, str) and value.strip() == "never":
        return NEVER
    try:
        micros = duration.parse(value)
    except ValueError as error:
        raise ValueError(f"{error}; or `never`") from None
    if micros < 1000:
        raise ValueError("people are told again after 1ms at the earliest; write 1h, or `never`")
    return micros


Repeat = Annotated[
    int,
    BeforeValidator(_repeat),
    PlainSerializer(lambda micros: "never" if micros == NEVER else duration.text(micros), return_type=str),
    WithJsonSchema({"type": "string", "title": "Repeat", "examples": ["1h", "never"]}),
]
"""Microseconds, or NEVER; reads and writes duration texts and `never`."""


ONE_SPELLING: Final = "one spelling"
"""The context in which parameters are written so that the same meaning has the same text."""


class Condition(BaseModel):
    """Parameters of one kind of condition (`when`); each kind in `signaldesk.rules` has its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: str


class Resolve(BaseModel):
    """When a group's alert is over by itself, whichever comes first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quiet_for: Annotated[
        Duration | None,
        Field(description="The condition has not held for so long (event time)", examples=["10m"]),
    ] = None
    threshold: Annotated[
        float | None,
        Field(description="The measured value is back at this, or better", allow_inf_nan=False, examples=[1]),
    ] = None

    @field_validator("quiet_for")
    @classmethod
    def _some_time(cls, value: int | None) -> int | None:
        if value is not None and value < 1000:
            raise ValueError("a quiet time is at least 1ms long")
        return value

    @model_validator(mode="after")
    def _something(self) -> Resolve:
        if self.quiet_for is None and self.threshold is None:
            raise ValueError("say `quiet_for` or `threshold`, or leave `resolve` out")
        return self


class Rule(BaseModel):
    """One version of a rule, as its YAML or JSON says it. Durations are microseconds in memory."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_enum_values=False, validate_by_name=False, serialize_by_alias=True
    )
    FIELDS_JUDGED: ClassVar = ("event", "where", "by", "when", "allowed_lateness", "for_")

    name: Annotated[str, Field(min_length=1, max_length=200, description="Unique within the organisation")]
    event: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=TYPE_MAX)], ...],
        Listed,
        Field(max_length=50, description="Event types; `*` in one stands for anything"),
    ] = ()
    where: Annotated[str | None, Field(max_length=4000, description="Filter, a boolean SQL expression")] = (
        None
    )
    by: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=200)], ...],
        Listed,
        Field(max_length=5, description="Payload fields; each combination of values is judged by itself"),
    ] = ()
    when: Annotated[SerializeAsAny[Condition], Field(description="The condition; its `kind` says which")]
    for_: Annotated[
        Duration,
        Field(alias="for", description="The condition must have held for so long before the rule fires"),
    ] = 0
    cooldown: Annotated[
        Duration, Field(description="After a firing, hold this group's firings back so long")
    ] = 0
    repeat: Annotated[
        Repeat | None,
        Field(
            description="While an alert stays open, tell people of it again after so long, or `never`; "
            "without it at every firing"
        ),
    ] = None
    allowed_lateness: Annotated[
        Duration | None, Field(description="How far behind the newest event one may come and still be judged")
    ] = None
    resolve: Annotated[
        Resolve | None, Field(description="When an alert is over by itself: `quiet_for`, `threshold`")
    ] = None
    active: Annotated[
        Active | None, Field(description="Hours in which it may fire: `days`, `from`, `to`, `timezone`")
    ] = None
    severity: Annotated[Severity, Field(description="How bad it is")] = "warning"
    notify: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=320)], ...],
        Listed,
        Field(max_length=20, description="Names of channels, or `email:someone@example.com`"),
    ] = ()
    labels: Annotated[
        dict[str, str], Field(max_length=30, description="Texts of your own that travel with the alert")
    ] = {}
    runbook: Annotated[
        str | None, Field(max_length=2000, pattern=r"^https?://", description="Link to what to do about it")
    ] = None
    description: Annotated[str, Field(max_length=4000, description="For whoever reads the rule later")] = ""
    mode: Annotated[Mode, Field(description="Whether it tells people, only records, or rests")] = Mode.LIVE

    @field_validator("name", "event", "by", "notify", "labels", "runbook", "description")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        for text in _texts(value):
            if "\0" in text:
                raise ValueError("the NUL character cannot be stored")
            if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
                raise ValueError("half a surrogate pair is no character")
        return value

    @field_validator("by")
    @classmethod
    def _once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("the same field is named twice")
        return value

    @property
    def shadow(self) -> bool:
        return self.mode is Mode.SHADOW

    def document(self) -> dict[str, Any]:
        """The rule as plain JSON, without what is at its default; the shape people write."""
        found = self.model_dump(mode="json", exclude_defaults=True)
        found["when"] = {"kind": self.when.kind, **self.when.model_dump(mode="json", exclude_defaults=True)}
        for name in ("event", "by", "notify"):  # people write one of them without a list
            if len(found.get(name, ())) == 1:
                found[name] = found[name][0]
        return found

    def fingerprint(self, canonical_where: str | None) -> str:
        """16 hex digits that change only when what is judged changes."""
        judged = self.model_dump(mode="json", include=set(self.FIELDS_JUDGED), context=ONE_SPELLING)
        if not self.for_:
            del judged["for"]
        judged["when"] = {name: value for name, value in judged["when"].items() if value is not None}
        judged["where"] = canonical_where
        judged["event"] = sorted(judged["event"])
        text = json.dumps(judged, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class SavedRule(BaseModel):
    """A rule of an organisation with its identity, as the engine and the API hold it."""

    model_config = ConfigDict(frozen=True)

    org_id: UUID
    id: UUID
    version: int
    since_version: int
    """The version that introduced the present condition: windows live as long as it does."""
    fingerprint: str
    rule: Rule
