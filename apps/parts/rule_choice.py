"""What the address of the Rules page chooses: filters, the page of the list, the rule that is open."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from apps.page import Query
from signaldesk.model.rule import SEVERITIES, Mode
from signaldesk.model.rule_page import RuleWanted
from signaldesk.rules.document import kinds

MODES = tuple(mode.value for mode in Mode)


@dataclass(frozen=True, slots=True)
class RuleChoice:
    """Empty texts filter nothing. `label` is `name=value`, or a name for any value."""

    mode: str = ""
    severity: str = ""
    kind: str = ""
    label: str = ""
    q: str = ""
    after: str = ""
    rule: str = ""

    @classmethod
    def read(cls, query: Query) -> RuleChoice:
        """Of an address; what makes no sense counts as not said."""

        def among(name: str, known: Any) -> str:
            return query.get(name, "") if query.get(name, "") in known else ""

        return cls(
            mode=among("mode", MODES),
            severity=among("severity", SEVERITIES),
            kind=among("kind", kinds()),
            label=_clean(query.get("label", ""))[:300],
            q=_clean(query.get("q", ""))[:200],
            after=_clean(query.get("after", ""))[:200],
            rule=_id(query.get("rule", "")),
        )

    @property
    def fields(self) -> dict[str, str]:
        """The filters, as parts of an address."""
        names = ("mode", "severity", "kind", "label", "q")
        return {name: getattr(self, name) for name in names if getattr(self, name)}

    @property
    def filtered(self) -> bool:
        return bool(self.fields)

    def link(self, **changes: Any) -> str:
        """The address with other choices. Another filter begins at the first page, with no rule chosen."""
        if not changes.keys() <= {"rule", "after"}:
            changes = {"after": "", "rule": "", **changes}
        elif "after" in changes:
            changes = {"rule": "", **changes}
        one = replace(self, **changes)
        parts = {**one.fields, "after": one.after, "rule": one.rule}
        return "?" + urlencode({name: value for name, value in parts.items() if value})

    @property
    def wanted(self) -> RuleWanted:
        name, equals, value = self.label.partition("=")
        return RuleWanted(
            modes=(self.mode,) if self.mode else (),
            severities=(self.severity,) if self.severity else (),
            kinds=(self.kind,) if self.kind else (),
            label=(name.strip(), value.strip() if equals else None) if name.strip() else None,
            text=self.q,
        )


def _clean(text: str) -> str:
    return "" if "\0" in text else text


def _id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        return ""
