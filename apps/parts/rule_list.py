"""The pieces of the Rules page: filters, the list, and one rule with its versions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from uuid import UUID

import panel as pn

from apps import rule_words
from apps.markup import Html, box
from apps.parts.rule_choice import MODES, RuleChoice
from signaldesk.model.rule import SEVERITIES
from signaldesk.model.rule_page import RuleDetail, RuleLines
from signaldesk.rules.document import kinds


class RuleHead(pn.viewable.Viewer):
    """Links to rules by mode, and to a new one."""

    def __init__(self, *, may_edit: bool, **params: object) -> None:
        super().__init__(**params)
        self._may_edit = may_edit
        self._links = Html("bare heads")

    def draw(self, chosen: RuleChoice) -> None:
        self._links.fill("rules/head.html", chosen=chosen, modes=("", *MODES), may_edit=self._may_edit)

    def __panel__(self) -> pn.viewable.Viewable:
        return self._links


class RuleList(pn.viewable.Viewer):
    """The rules, each a link that opens it, below what they are chosen by."""

    def __init__(self, *, zone: tzinfo, may_edit: bool, **params: object) -> None:
        super().__init__(**params)
        self._zone = zone
        self._may_edit = may_edit
        self._tools = Html("bare")
        self._list = Html("bare")

    def draw(
        self, rules: RuleLines, labels: Sequence[str], chosen: RuleChoice, shown: UUID | None, now_us: int
    ) -> None:
        self._tools.fill(
            "rules/tools.html",
            chosen=chosen, severities=reversed(SEVERITIES), kinds=sorted(kinds()), labels=labels,
            may_edit=self._may_edit,
        )  # fmt: skip
        self._list.fill(
            "rules/list.html",
            rules=rules, words={line.id: rule_words.sentence(line.body) for line in rules.lines},
            chosen=chosen, shown=shown, may_edit=self._may_edit, now=now_us, zone=self._zone,
        )  # fmt: skip

    def __panel__(self) -> pn.viewable.Viewable:
        return box("card flush", self._tools, self._list)


class RuleStory(pn.viewable.Viewer):
    """One rule: what it says, how it stands, its text, its versions, and what may be done with it."""

    def __init__(self, *, zone: tzinfo, may_edit: bool, **params: object) -> None:
        super().__init__(**params)
        self._zone = zone
        self._may_edit = may_edit
        self._title, self._acts = Html("grow"), Html("bare acts")
        self._facts, self._text, self._versions = Html("bare"), Html("bare"), Html("bare")

    def draw(self, detail: RuleDetail | None, chosen: RuleChoice, any_rule: bool, now_us: int) -> None:
        line = detail.line if detail else None
        words = rule_words.sentence(line.body) if line else ""
        text = rule_words.as_yaml(line.body) if line else ""
        self._title.fill("rules/title.html", line=line, any_rule=any_rule)
        # What people press is drawn anew only when the rule has changed, not with each second.
        self._acts.fill("rules/acts.html", line=line, chosen=chosen, may_edit=self._may_edit)
        self._facts.fill(
            "rules/facts.html", line=line, words=words, chosen=chosen, now=now_us, zone=self._zone
        )
        self._text.fill("rules/text.html", line=line, text=text, address=rule_words.download(text))
        self._versions.fill(
            "rules/versions.html",
            line=line, versions=rule_words.versions(detail.versions) if detail else [], chosen=chosen,
            may_edit=self._may_edit, now=now_us, zone=self._zone,
        )  # fmt: skip

    def __panel__(self) -> pn.viewable.Viewable:
        top = box("title", self._title, self._acts)
        return box("card story", top, self._facts, self._text, self._versions)
