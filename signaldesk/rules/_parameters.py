"""Parameters that several kinds share: the length of a window, and what a measured value is compared with."""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import ge, gt, le, lt
from typing import Annotated, Any, NamedTuple

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SerializationInfo,
    WithJsonSchema,
    model_validator,
)

from signaldesk import filters
from signaldesk.errors import Invalid
from signaldesk.model.duration import Duration
from signaldesk.model.event import Event
from signaldesk.model.message import number
from signaldesk.model.rule import ONE_SPELLING, Condition


def _some_time(within: int) -> int:
    if within < 1000:
        raise ValueError("a window is at least 1ms long")
    return within


Within = Annotated[
    Duration, AfterValidator(_some_time), Field(description="Length of the window", examples=["60s"])
]
"""Microseconds."""

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "above": gt,
    "at_least": ge,
    "below": lt,
    "at_most": le,
}
_NAMES = "`above`, `at_least`, `below`, `at_most`"


class Comparator(NamedTuple):
    """What a value is compared with, and how."""

    word: str
    """`above`, `at_least`, `below` or `at_most`."""
    threshold: float
    holds: Callable[[float, float], bool]
    """(value, threshold) -> whether the condition holds."""

    @classmethod
    def of(cls, word: str, threshold: float) -> Comparator:
        return cls(word, threshold, _OPERATORS[word])

    @property
    def upwards(self) -> bool:
        """Whether large values are the bad ones."""
        return self.word in ("above", "at_least")

    @property
    def words(self) -> str:
        """For sentences: `above 500`, `at least 3`."""
        return f"{self.word.replace('_', ' ')} {number(self.threshold)}"

    def recovered(self, value: float, threshold: float) -> bool:
        """Whether a value is back at `resolve.threshold`, or on the good side of it."""
        return value <= threshold if self.upwards else value >= threshold


def _limit(description: str, *examples: float) -> Any:
    return Field(description=description, examples=list(examples) or None, strict=True, allow_inf_nan=False)


class Compared(Condition):
    """A condition that compares what it measures with a number: exactly one of four parameters says how."""

    above: Annotated[float | None, _limit("Holds while the value is greater than this", 500)] = None
    at_least: Annotated[float | None, _limit("Holds while the value is this or greater")] = None
    below: Annotated[float | None, _limit("Holds while the value is less than this")] = None
    at_most: Annotated[float | None, _limit("Holds while the value is this or less")] = None

    @model_validator(mode="after")
    def _one_limit(self) -> Any:
        given = [name for name in _OPERATORS if getattr(self, name) is not None]
        if not given:
            raise ValueError(f"say what the value is compared with: one of {_NAMES}")
        if len(given) > 1:
            raise ValueError(f"{' and '.join(f'`{name}`' for name in given)} contradict; say one of {_NAMES}")
        return self

    @property
    def comparator(self) -> Comparator:
        for word, holds in _OPERATORS.items():
            threshold = getattr(self, word)
            if threshold is not None:
                return Comparator(word, threshold, holds)
        raise AssertionError("a condition without a limit is refused")


def _share(value: Any) -> Any:
    """A fraction, or a percentage such as `5%`."""
    if isinstance(value, str):
        if not _PERCENT.fullmatch(value.strip()):
            raise ValueError(f"{value[:40]!r} is no share; write 0.05 or 5%")
        return float(value.strip().removesuffix("%")) / 100
    return value


_PERCENT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})? ?%")

Share = Annotated[
    float,
    Field(strict=True, allow_inf_nan=False, ge=0),
    BeforeValidator(_share),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": f"^{_PERCENT.pattern}$"}]}
    ),
]
"""A fraction of 1; reads percentages as well."""


def share_limit(description: str, *examples: float) -> Any:
    """A share that a part of a whole can be: 0 to 1."""
    return Field(le=1, description=description, examples=list(examples) or None)


def _parsed(parse: Callable[[str], Any]) -> AfterValidator:
    """Refuses a text that the parser does not take, with the faults that it names."""

    def check(text: str) -> str:
        try:
            parse(text)
        except Invalid as error:
            said = "; ".join(fault.message for fault in error.errors) or error.detail
            raise ValueError(said) from error
        return text

    return AfterValidator(check)


def _spelled(parse: Callable[[str], Any]) -> PlainSerializer:
    """Writes a text as it is, and in one spelling for the fingerprint."""

    def write(text: str, info: SerializationInfo) -> str:
        return str(parse(text).canonical) if info.context == ONE_SPELLING else text

    return PlainSerializer(write, return_type=str)


FilterText = Annotated[str, Field(max_length=4000), _spelled(filters.parse), _parsed(filters.parse)]
"""A condition in the language of filters."""
ValueText = Annotated[
    str, Field(min_length=1, max_length=1000), _parsed(filters.parse_value), _spelled(filters.parse_value)
]
"""A value of an event in the language of filters: a field, or what is worked out of some."""


def value_of(text: str) -> Callable[[dict[str, Any], Event], Any]:
    """A function from a payload and its event to a number, text or boolean, or None.

    A list or an object, which is no value either, may come as it is.
    """
    parsed = filters.parse_value(text)
    if parsed.path is not None and len(parsed.path) == 1 and isinstance(name := parsed.path[0], str):
        return lambda payload, event: payload.get(name)
    value = parsed.value
    return lambda payload, event: value(payload, event.type, event.source, event.timestamp)
