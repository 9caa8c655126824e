"""Rules that a composite rule names have to be there, be plain, and group alike."""

from __future__ import annotations

from typing import Any

from signaldesk.catalog import parts
from signaldesk.model.rule import Rule
from signaldesk.rules import document


def rule(name: str, **fields: Any) -> Rule:
    body = {"name": name, "event": "y", "by": "shop", "when": {"kind": "each"}, **fields}
    return document.parse({field: value for field, value in body.items() if value is not None})


def composite(**names: Any) -> Rule:
    return rule("whole", event=None, when={"kind": "composite", "within": "1m", **names})


def faults(whole: Rule, *rules: Rule) -> dict[str, str]:
    known = {one.name: one for one in rules}
    return {fault.field: fault.message for fault in parts.faults(whole.document(), known)}


def test_rules_that_are_there_and_fit_are_no_fault() -> None:
    assert not faults(composite(all=["A"], none="B"), rule("A"), rule("B"))


def test_a_rule_that_is_missing_is_named_with_the_nearest_that_is_there() -> None:
    found = faults(composite(all=["Errors rose", "Zebra"]), rule("Errors rise"))
    assert found == {
        "when.all.0": "there is no rule 'Errors rose'; did you mean 'Errors rise'?",
        "when.all.1": "there is no rule 'Zebra'; make it first",
    }


def test_a_part_groups_as_the_whole_does() -> None:
    assert "groups without `by`" in faults(composite(any="A"), rule("A", by=[]))["when.any.0"]
    assert "groups by shop, user" in faults(composite(any="A"), rule("A", by=["shop", "user"]))["when.any.0"]


def test_a_part_is_no_composite_rule_itself() -> None:
    inner = rule("B", event=None, when={"kind": "composite", "within": "1m", "all": ["A"]})
    assert "is a composite rule itself" in faults(composite(all=["B"]), rule("A"), inner)["when.all.0"]
