"""What a change does to a rule: which fields, from what to what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple
from uuid import UUID

Kind = Literal["created", "updated", "unchanged", "deleted"]


class FieldChange(NamedTuple):
    """One field (`when.at_least`) and its values; None where it is not set."""

    field: str
    before: Any
    after: Any


class RuleChanged(NamedTuple):
    """What applying did, or would do, to one rule."""

    name: str
    change: Kind
    id: UUID
    version: int
    """The one that is judged afterwards; 0 for a deleted rule."""
    since_version: int
    """The version that introduced its condition."""
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    @property
    def begins_anew(self) -> bool:
        """Whether the condition changed: windows begin empty, and open alerts are resolved."""
        return self.change == "updated" and self.since_version == self.version

    @property
    def fields(self) -> list[FieldChange]:
        """The fields of an updated rule that differ."""
        if self.change != "updated":
            return []
        return compare(self.before or {}, self.after or {})


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[FieldChange]:
    """The fields that differ between two documents, in the order of the new one, then those that are gone."""
    old, new = dict(_flat(before)), dict(_flat(after))
    names = [*new, *(name for name in old if name not in new)]
    return [
        FieldChange(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)
    ]


def _flat(value: Mapping[str, Any], path: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            found += _flat(inner, f"{path}{name}.")
        else:
            found.append((f"{path}{name}", inner))
    return found
