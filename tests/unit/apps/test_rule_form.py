"""A rule made through the form is the rule that YAML says, for every kind."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from apps import rule_draft
from apps.markup import first_paint
from apps.page import zone_named
from apps.parts.rule_form import KINDS, Known, RuleForm
from apps.rule_fields import form_of
from signaldesk.catalog.yaml_text import write
from signaldesk.rules.document import kinds, parse
from tests.support.rule_documents import document_of

ROOT = Path(__file__).parents[3]
KNOWN = Known(types=("checkout_failed",), fields=("country",), channels=("ops, by day", "email:a@b.test"))

EVERY: list[dict[str, Any]] = [
    {"event": "a", "when": {"kind": "each"}},
    {"event": ["a", "b,c", "pay_*"], "by": ["x", "y.z"],
     "when": {"kind": "count", "above": 0, "within": "90s"}},
    {"event": "a", "when": {"kind": "count", "at_most": 3, "within": "1h30m"}},
    {
        "event": "a",
        "when": {"kind": "aggregate", "function": "p99.9", "field": "price * quantity", "below": -0.5,
                 "within": "250ms", "min_events": 7},
    },
    {"event": "a", "where": "ok = false", "when": {"kind": "ratio", "at_least": "5%", "within": "5m",
                                                    "among": "country = 'DE'", "min_events": 3}},
    {"event": "a", "when": {"kind": "change", "fall_by": 12.5, "function": "avg", "field": "ms",
                            "within": "1h", "against": "week"}},
    {"event": "a", "when": {"kind": "change", "rise": 0.07, "within": "1h"}},
    {"event": "a", "when": {"kind": "absence", "within": "10m"}},
    {"event": "a", "when": {"kind": "absence", "expected": {"cron": "0 3 * * *", "timezone": "Europe/Berlin",
                                                             "grace": "10m"}}},
    {"by": "user", "when": {"kind": "sequence", "within": "5m", "steps": [
        {"event": "a", "where": "n > 1"}, {"event": ["b", "c"]}]}},
    {"when": {"kind": "sequence", "within": "5m", "steps": [{"event": "a"}],
              "missing": {"event": "b", "where": "ok"}}},
    {"event": "a", "when": {"kind": "new_value", "field": "user.plan", "within": "7d", "learn": "1d"}},
    {"event": "a", "when": {"kind": "anomaly", "bin": "5m", "function": "sum", "field": "amount",
                            "direction": "up", "score": 2.5, "min_history": "12h",
                            "settle": "1s", "timezone": "Asia/Tokyo"}},
    {"when": {"kind": "composite", "all": ["A, B", "C"], "any": "D", "none": ["E"], "within": "5m"}},
]  # fmt: skip

REST: dict[str, Any] = {
    "description": "Two\nlines, and a comma",
    "cooldown": "5m",
    "repeat": "never",
    "allowed_lateness": "1m",
    "resolve": {"quiet_for": "10m"},
    "active": {"days": ["mon", "sun"], "from": "09:00", "to": "24:00", "timezone": "Europe/Berlin"},
    "severity": "critical",
    "notify": ["ops, by day", "email:someone@example.com"],
    "labels": {"team": "a=b", "empty": ""},
    "runbook": "https://example.com/a?b=#c",
    "mode": "shadow",
}


class Fields(HTMLParser):
    """What a browser would send of every field, in `builder.js`'s words: (name, text)."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, str]] = []
        self._text: str | None = None
        self._select: list[tuple[str, bool]] = []
        self._name = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "input" and given.get("name"):
            if given.get("type") not in ("checkbox", "radio") or "checked" in given:
                self.sent.append((given["name"] or "", given.get("value") or ""))
        elif tag in ("textarea", "select"):
            self._name, self._select = given.get("name") or "", []
            self._text = "" if tag == "textarea" else None
        elif tag == "option" and self._name:
            self._select.append((given.get("value") or "", "selected" in given))
            self._text = "" if given.get("value") is None else None

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "option" and self._text is not None and self._name:
            self._select[-1] = (self._text, self._select[-1][1])
            self._text = None
        elif tag == "textarea":
            self.sent.append((self._name, self._text or ""))
            self._text, self._name = None, ""
        elif tag == "select":
            chosen = [text for text, selected in self._select if selected] or [self._select[0][0]]
            self.sent.append((self._name, chosen[0]))
            self._name = ""


def put(whole: Any, path: str, text: str) -> None:
    steps = path.split(".")
    for step, following in pairwise(steps):
        fresh: Any = [] if following.isdigit() else {}
        if isinstance(whole, list):
            if int(step) == len(whole):
                whole.append(fresh)
            whole = whole[int(step)]
        else:
            whole = whole.setdefault(step, fresh)
    if isinstance(whole, list):
        whole.append(text)
    else:
        whole[steps[-1]] = text


def through_the_form(body: dict[str, Any]) -> dict[str, Any]:
    """The document that the form says when it shows this one."""
    form = RuleForm(zone=zone_named("UTC"))
    form.draw(parse(body).document(), KNOWN)
    html = str(first_paint(form.__panel__()))
    reader = Fields()
    reader.feed(html[: html.index("data-draft-yaml")])
    sent: dict[str, Any] = {}
    for name, text in reader.sent:
        put(sent, name, text)
    return rule_draft.document(sent)


@pytest.mark.parametrize("body", EVERY, ids=lambda body: str(body["when"]["kind"]))
def test_the_form_says_the_rule_that_it_shows(body: dict[str, Any]) -> None:
    rule = {"name": "One, and two", **body}
    assert write([through_the_form(rule)]) == write([rule])


def test_every_kind_is_among_them_and_in_the_picker() -> None:
    assert {body["when"]["kind"] for body in EVERY} == set(kinds()) == set(KINDS)


def test_the_other_fields_come_through_as_well() -> None:
    rule = {"name": "One", **EVERY[1], **REST}
    assert write([through_the_form(rule)]) == write([rule])


@pytest.mark.parametrize("seed", range(60))
def test_random_rules_come_through_the_form_unchanged(seed: int) -> None:
    rule = document_of(Random(seed), f"rule {seed}")
    lines = [*rule.get("labels", {}).items(), ("", rule.get("description", ""))]
    if any(re.search(r"[\r\n\x85\u2028\u2029]|^\s|\s$", text) for pair in lines for text in pair):
        pytest.skip("a browser keeps no other line ends than its own")
    assert write([through_the_form(rule)]) == write([rule])


def test_the_picker_says_what_the_pages_of_the_kinds_say() -> None:
    for name, (words, _) in KINDS.items():
        title = (ROOT / "docs" / "rules" / f"{name}.md").read_text(encoding="utf-8").splitlines()[0]
        assert title == f"# `{name}`: {words}"


def test_of_parameters_that_exclude_each_other_one_is_asked() -> None:
    assert [one.name for one in form_of("count").limits] == ["above", "at_least", "below", "at_most"]
    assert [one.name for one in form_of("change").limits] == ["rise", "fall", "rise_by", "fall_by"]
    assert not form_of("anomaly").limits
    within = form_of("count").field("within")
    assert within is not None and (within.shape, within.required) == ("duration", True)


def test_what_is_no_number_is_left_for_the_rule_s_own_check() -> None:
    assert [rule_draft.number(text) for text in ("3", " 0.5 ", "1e3", "3x", "5%", "")] == [
        3, 0.5, 1000.0, "3x", "5%", "",
    ]  # fmt: skip


def test_a_comma_in_a_name_is_kept() -> None:
    assert rule_draft.split(rule_draft.joined(["a, b", "c"])) == ["a, b", "c"]
