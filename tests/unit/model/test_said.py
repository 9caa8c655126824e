"""What a schema finds wrong, said in our words and not in those of the library that found it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from signaldesk.model.said import said


class Thing(BaseModel):
    model_config = ConfigDict(strict=True)

    count: Annotated[int, Field(ge=1, le=10_000)] = 1
    share: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.5
    name: Annotated[str, Field(min_length=1, max_length=5)] = "x"
    link: Annotated[str, Field(pattern="^https?://")] = "http://x"
    on: bool = True
    mode: Literal["live", "shadow", "paused"] = "live"
    some: Annotated[list[int], Field(min_length=1, max_length=2)] = [1]
    inner: dict[str, int] = {}


WRONG: list[tuple[str, Any, str]] = [
    ("count", "abc", "must be a whole number, not 'abc'"),
    ("count", 2.5, "must be a whole number, not 2.5"),
    ("count", 0, "must be 1 or more, not 0"),
    ("count", 10**40, "must be 10000 or less, not that much"),
    ("share", None, "must be a number, not null"),
    ("share", float("inf"), "must be a finite number, not inf"),
    ("share", 0.0, "must be more than 0, not 0.0"),
    ("share", 1.5, "must be less than 1, not 1.5"),
    ("name", "", "must not be empty"),
    ("name", "x" * 999, "must have at most 5 characters"),
    ("name", ["x"], "must be a text, not a list"),
    ("link", "ftp://x", "must begin with http:// or https://, not 'ftp://x'"),
    ("on", "yes", "must be `true` or `false`, not 'yes'"),
    ("mode", "y" * 999, f"must be live, shadow or paused, not '{'y' * 59}…'"),
    ("some", [], "must have at least 1 entry"),
    ("some", [1, 2, 3], "must have at most 2 entries"),
    ("some", {}, "must be a list, not an object"),
    ("inner", True, "must be an object, not true"),
]


@pytest.mark.parametrize(("field", "value", "words"), WRONG)
def test_a_fault_says_what_must_be_and_what_was_found(field: str, value: Any, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Thing.model_validate({field: value})
    (fault,) = caught.value.errors()
    assert said(fault) == words
    assert said(fault, quoted=False) == words.partition(", not ")[0]
