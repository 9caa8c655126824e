"""What the address of the Alerts page chooses: folder, filters, page of the list, the alert that is open."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from apps.page import Query
from signaldesk.model.inbox import FOLDERS, AlertFilter, Place
from signaldesk.model.rule import SEVERITIES

ME, NOBODY = "me", "nobody"


@dataclass(frozen=True, slots=True)
class Chosen:
    """Empty texts filter nothing. `label` and `group` are `name=value`, or a name for any value."""

    state: str = FOLDERS[0]
    severities: tuple[str, ...] = ()
    rule: str = ""
    label: str = ""
    assignee: str = ""
    group: str = ""
    q: str = ""
    after: str = ""
    alert: str = ""

    @classmethod
    def read(cls, query: Query) -> Chosen:
        """Of an address; what makes no sense counts as not said."""
        state, given = query.get("state", ""), query.get("severity", "").split(",")
        assignee = query.get("assignee", "")
        return cls(
            state=state if state in FOLDERS else FOLDERS[0],
            severities=tuple(one for one in SEVERITIES if one in given),
            rule=_id(query.get("rule", "")),
            label=query.get("label", "")[:300],
            assignee=assignee if assignee in (ME, NOBODY) else _id(assignee),
            group=query.get("group", "")[:300],
            q=query.get("q", "")[:200],
            after=str(Place.read(query.get("after", "")) or ""),
            alert=_id(query.get("alert", "")),
        )

    @property
    def fields(self) -> dict[str, str]:
        """The filters, as parts of an address."""
        found = {"severity": ",".join(self.severities), "rule": self.rule, "label": self.label}
        found |= {"assignee": self.assignee, "group": self.group, "q": self.q}
        return {name: value for name, value in found.items() if value}

    @property
    def filtered(self) -> bool:
        return bool(self.fields)

    def link(self, **changes: Any) -> str:
        """The address with other choices. Another filter begins at the first page, with no alert chosen."""
        if not changes.keys() <= {"alert", "after"}:
            changes = {"after": "", "alert": "", **changes}
        elif "after" in changes:
            changes = {"alert": "", **changes}
        one = replace(self, **changes)
        parts = {"state": one.state, **one.fields, "after": one.after, "alert": one.alert}
        return "?" + urlencode({name: value for name, value in parts.items() if value})

    def toggled(self, severity: str) -> str:
        """The address with this severity chosen, or no longer."""
        return self.link(
            severities=tuple(one for one in SEVERITIES if (one in self.severities) != (one == severity))
        )

    def wanted(self, me: UUID) -> AlertFilter:
        return AlertFilter(
            states=(self.state,),
            rule_id=UUID(self.rule) if self.rule else None,
            severities=self.severities,
            labels=_pairs(self.label),
            fields=_pairs(self.group),
            assignee=None
            if self.assignee in ("", NOBODY)
            else me
            if self.assignee == ME
            else UUID(self.assignee),
            unassigned=self.assignee == NOBODY,
            text=self.q,
        )


def _id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        return ""


def _pairs(text: str) -> list[tuple[str, str | None]]:
    name, equals, value = text.partition("=")
    return [(name.strip(), value.strip() if equals else None)] if name.strip() and "\0" not in text else []
