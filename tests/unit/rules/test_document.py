"""Documents of rules: every fault at once, with what to write instead; read and written back the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from signaldesk.errors import FieldError, Invalid
from signaldesk.model.rule import SEVERITIES, Mode
from signaldesk.rules import document

Document = dict[str, Any]

MINIMAL: Document = {"name": "Refunds", "event": "refund", "when": {"kind": "each"}}
COUNT: Document = {**MINIMAL, "when": {"kind": "count", "at_least": 3, "within": "1m"}}
FULL = yaml.safe_load("""
name: Checkout failures by country
event: [checkout_failed, checkout_*]
where: amount > 20 AND country <> 'XX'
by: [country, user.plan]
when: {kind: count, at_least: 3, within: 60s}
cooldown: 5m
allowed_lateness: 0s
severity: critical
notify: [ops-discord, "email:oncall@example.com"]
labels: {team: shop}
runbook: https://example.com/runbooks/checkout
description: Customers cannot pay.
mode: shadow
""")


def faults(body: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        document.parse(body)
    found = {fault.field: fault.message for fault in caught.value.errors}
    assert len(found) == len(caught.value.errors)
    return found


# --- faults --------------------------------------------------------------------------------------------


def test_every_fault_is_found_at_once() -> None:
    found = faults(
        {
            "name": "",
            "event": [],
            "where": "amount >",
            "by": ["a", "a"],
            "when": {"kind": "count", "at_least": 0, "witin": "60s"},
            "cooldown": "soon",
            "severity": "dreadful",
            "mode": "loud",
            "labels": {"team": 1},
            "runbook": "javascript:alert(1)",
            "colour": "red",
        }
    )
    assert found.keys() == {
        "name", "event", "where", "by", "when.at_least", "when.within", "when.witin", "cooldown", "severity",
        "mode", "labels.team", "runbook", "colour",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"cooldwon": "5m"}, "cooldwon", "unknown field; did you mean `cooldown`?"),
        ({"xyz": 1}, "xyz", "unknown field; known are name, event, where"),
        ({"when": {"kind": "cuont"}}, "when.kind", "unknown kind 'cuont'; did you mean count?"),
        ({"when": {"kind": "zzz"}}, "when.kind", "unknown kind 'zzz'; known are "),
        ({"when": {"kind": ["each"]}}, "when.kind", "must be one of "),
        ({"when": {}}, "when.kind", "must be one of "),
        ({"when": "each"}, "when", "is missing; say e.g. {kind: count, at_least: 3, within: 60s}"),
        ({"when": {"kind": "each", "within": "60s"}}, "when.within", "unknown field; known are kind"),
        ({"when": {"kind": "count", "within": "60s"}}, "when", "say what the value is compared with"),
        ({"when": {"kind": "count", "at_least": 3}}, "when.within", "is missing"),
        ({"when": {**COUNT["when"], "at_leats": 2}}, "when.at_leats", "did you mean `at_least`?"),
        ({"when": {**COUNT["when"], "at_least": "3"}}, "when.at_least", "a whole number, not"),
        ({"when": {**COUNT["when"], "at_least": 3.0}}, "when.at_least", "a whole number, not"),
        ({"when": {**COUNT["when"], "at_least": True}}, "when.at_least", "a whole number, not"),
        ({"when": {**COUNT["when"], "at_least": 10_001}}, "when.at_least", "must be 10000 or less"),
        ({"when": {**COUNT["when"], "at_least": 10**400}}, "when.at_least", "must be 10000 or less"),
        ({"when": {**COUNT["when"], "within": "0s"}}, "when.within", "a window is at least 1ms long"),
        ({"when": {**COUNT["when"], "within": "9" * 400 + "w"}}, "when.within", "is not a duration"),
        ({"where": "amount >"}, "where", "at character"),
        ({"where": 7}, "where", "must be a text, not"),
        ({"by": list("abcdef")}, "by", "at most 5 entries"),
        ({"by": ["a", "b", "a"]}, "by", "the same field is named twice"),
        ({"event": ["x"] * 51}, "event", "at most 50 entries"),
        ({"event": [""]}, "event.0", "must not be empty"),
        ({"name": "x" * 201}, "name", "at most 200 characters"),
        ({"name": "a\0b"}, "name", "the NUL character cannot be stored"),
        ({"name": "\ud800"}, "name", "must be a text, not"),
        ({"labels": {"a": "\ud800"}}, "labels", "half a surrogate pair is no character"),
        ({"labels": {"\ud800": "a"}}, "labels", "half a surrogate pair is no character"),
        ({"runbook": "https://example.com/\0"}, "runbook", "the NUL character cannot be stored"),
        ({"cooldown": "401d"}, "cooldown", "between 0s and 400d"),
        ({"cooldown": float("nan")}, "cooldown", "the longest is 400d"),
    ],
)
def test_a_fault_names_its_field_and_says_what_instead(change: Document, field: str, message: str) -> None:
    found = faults({**MINIMAL, **change})
    assert message in found[field]


SEQUENCE: Document = {"name": "s", "when": {"kind": "sequence", "within": "1m"}}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"when": {"kind": "count"}}, {"when.within", "when"}),
        ({"when": {"kind": "count", "within": "5q"}}, {"when.within", "when"}),
        ({"when": {"kind": "count", "at_leats": 3}}, {"when.within", "when.at_leats"}),
        ({"when": {"kind": "aggregate", "above": "x", "below": 1}},
         {"when", "when.function", "when.field", "when.within", "when.above"}),
        ({"when": {"kind": "ratio", "above": 2}, "cooldown": "x"},
         {"where", "when.within", "when.above", "cooldown"}),
        ({"when": {"kind": "change", "function": "sum", "rise": 1}}, {"when", "when.within"}),
        ({"when": {"kind": "composite"}}, {"when", "when.within", "event"}),
        ({"when": {"kind": "composite", "all": "a", "within": "x"}, "where": "a = 1"},
         {"when.within", "where", "event"}),
        ({"when": {"kind": "absence", "witin": "1m", "expected": {"cron": "x", "grce": 1}}},
         {"when.witin", "when.expected.cron", "when.expected.grce"}),
        ({"when": {"kind": "new_value", "field": "a", "within": "0s"}, "by": "a"},
         {"when.within", "when.field"}),
        ({"when": {"kind": "anomaly", "bin": "5m"}, "for": "1m", "mode": "loud"}, {"for", "mode"}),
        ({"when": {"kind": "anomaly", "bin": "5m"}, "name": "", "for": "1m"}, {"for", "name"}),
    ],
)  # fmt: skip
def test_what_several_fields_show_together_is_told_beside_the_faults_of_each(
    body: Document, found: set[str]
) -> None:
    assert faults({**MINIMAL, **body}).keys() == found


def test_a_kind_that_takes_no_event_is_not_asked_for_one_when_its_parameters_are_wrong() -> None:
    steps = [{"event": "a", "where": "b == AND"}, {"evnt": "c", "event": "d"}]
    found = faults({**SEQUENCE, "when": {**SEQUENCE["when"], "steps": steps, "missing": {}}})
    assert found.keys() == {"when.steps.0.where", "when.steps.1.evnt", "when.missing.event"}
    assert found["when.steps.1.evnt"] == "unknown field; did you mean `event`?"


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"resolve": {"quiet": "5m"}}, "resolve.quiet", "did you mean `quiet_for`?"),
        ({"resolve": {"xyz": 1}}, "resolve.xyz", "known are quiet_for, threshold"),
        ({"active": {"form": "09:00"}}, "active.form", "did you mean `from`?"),
        ({"active": {"timezone": "America/New_Yrok"}}, "active.timezone", "did you mean America/New_York?"),
        ({"event": None}, "event", "must be a text or a list of texts"),
    ],
)
def test_a_fault_inside_of_a_field_is_helped_with_what_is_known_there(
    change: Document, field: str, message: str
) -> None:
    assert message in faults({**MINIMAL, **change})[field]


@pytest.mark.parametrize("body", [None, 7, "a rule", [], [MINIMAL], True])
def test_what_is_no_object_is_no_rule(body: Any) -> None:
    assert "expected an object, found" in faults(body)[""]


def test_a_document_of_nothing_but_faults_gets_a_short_answer() -> None:
    found = faults({**{f"field {n}": 1 for n in range(50_000)}, "x" * 1_000_000: 1})
    assert len(found) <= 102
    assert max(map(len, found)) <= 60


def test_a_deeply_nested_kind_is_refused_like_any_other() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    found = faults({**MINIMAL, "when": {"kind": deep}})
    assert found.keys() == {"when.kind"} and found["when.kind"].startswith("must be one of ")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*FULL, "kind", "at_least", "within"]) | st.text(), json_values))
def test_any_document_is_a_rule_or_a_list_of_faults(body: Document) -> None:
    try:
        document.parse({**MINIMAL, **body})
    except Invalid as error:
        assert error.errors
        assert all(isinstance(fault, FieldError) and fault.message for fault in error.errors)


# --- the same again ------------------------------------------------------------------------------------


def test_a_rule_is_read_as_people_write_it() -> None:
    rule = document.parse(FULL)
    assert rule.event == ("checkout_failed", "checkout_*")
    assert rule.by == ("country", "user.plan")
    assert (rule.cooldown, rule.allowed_lateness) == (300_000_000, 0)
    assert rule.when.kind == "count"
    assert rule.mode is Mode.SHADOW and rule.shadow


def test_a_single_event_field_or_channel_needs_no_list() -> None:
    rule = document.parse({**MINIMAL, "by": "country", "notify": "ops"})
    assert (rule.event, rule.by, rule.notify) == (("refund",), ("country",), ("ops",))
    assert rule.document() == {**MINIMAL, "by": "country", "notify": "ops"}


def test_what_is_at_its_default_is_not_written() -> None:
    written_out: Document = {"where": None, "by": [], "cooldown": "0s", "severity": "warning", "mode": "live"}
    assert document.parse({**MINIMAL, **written_out}).document() == MINIMAL


@pytest.mark.parametrize("body", [MINIMAL, COUNT, FULL], ids=["minimal", "count", "full"])
def test_a_rule_read_from_its_own_document_is_the_same_rule(body: Document) -> None:
    rule = document.parse(body)
    again = document.parse(json.loads(json.dumps(rule.document())))
    assert again == rule
    assert again.document() == rule.document()
    assert document.fingerprint(again) == document.fingerprint(rule)


durations = st.integers(0, 400 * 86_400_000).map(lambda ms: f"{ms}ms")
rules = st.fixed_dictionaries(
    {
        "name": st.text(min_size=1, max_size=20).filter(lambda text: "\0" not in text),
        "event": st.lists(st.sampled_from(["a", "b*", "c"]), min_size=1, max_size=3),
        "when": st.just({"kind": "each"})
        | st.builds(
            lambda need, within: {"kind": "count", "at_least": need, "within": f"{within}ms"},
            st.integers(1, 10_000),
            st.integers(1, 10**9),
        ),
    },
    optional={
        "where": st.sampled_from(["a > 1", "b IS NULL OR c = 'x'"]),
        "by": st.lists(st.sampled_from("pqrst"), unique=True, max_size=5),
        "cooldown": durations,
        "allowed_lateness": durations,
        "severity": st.sampled_from(SEVERITIES),
        "labels": st.dictionaries(st.sampled_from("xyz"), st.sampled_from("12")),
        "mode": st.sampled_from([mode.value for mode in Mode]),
    },
)


@given(rules)
def test_every_rule_survives_being_written_and_read(body: Document) -> None:
    rule = document.parse(body)
    assert document.parse(json.loads(json.dumps(rule.document()))) == rule


# --- the fingerprint -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Other"},
        {"cooldown": "1h"},
        {"severity": "info"},
        {"notify": []},
        {"labels": {}},
        {"runbook": None},
        {"description": "…"},
        {"mode": "paused"},
        {"event": ["checkout_*", "checkout_failed"]},
        {"where": "(amount > 20) and country != 'XX'"},
        {"when": {"kind": "count", "at_least": 3, "within": "1m"}},
    ],
    ids=str,
)
def test_the_fingerprint_stays_when_the_same_is_judged(change: Document) -> None:
    assert document.fingerprint(document.parse({**FULL, **change})) == document.fingerprint(
        document.parse(FULL)
    )


@pytest.mark.parametrize(
    "change",
    [
        {"event": "checkout_failed"},
        {"where": "amount > 21 AND country <> 'XX'"},
        {"where": None},
        {"by": ["country"]},
        {"by": ["user.plan", "country"]},
        {"when": {"kind": "count", "at_least": 4, "within": "60s"}},
        {"when": {"kind": "count", "at_least": 3, "within": "61s"}},
        {"when": {"kind": "each"}},
        {"allowed_lateness": "1s"},
    ],
    ids=str,
)
def test_the_fingerprint_changes_when_something_else_is_judged(change: Document) -> None:
    assert document.fingerprint(document.parse({**FULL, **change})) != document.fingerprint(
        document.parse(FULL)
    )


@pytest.mark.parametrize(
    ("when", "same", "other"),
    [
        (
            {"kind": "ratio", "within": "1m", "above": 0.1, "among": "amount > 1 AND country = 'DE'"},
            {"among": "country = 'DE' and (amount > 1)"},
            {"among": "amount > 2 AND country = 'DE'"},
        ),
        (
            {"kind": "aggregate", "function": "sum", "within": "1m", "above": 1, "field": "amount * 2"},
            {"field": "(amount)*2"},
            {"field": "amount * 3"},
        ),
        (
            {
                "kind": "sequence",
                "within": "1m",
                "steps": [{"event": "a", "where": "amount > 1"}, {"event": "b"}],
            },
            {"steps": [{"event": "a", "where": "(amount>1)"}, {"event": "b"}]},
            {"steps": [{"event": "a", "where": "amount > 2"}, {"event": "b"}]},
        ),
    ],
    ids=["ratio", "aggregate", "sequence"],
)
def test_filters_and_values_of_a_condition_count_by_their_meaning(
    when: Document, same: Document, other: Document
) -> None:
    around: Document = {"name": "x"} if when["kind"] == "sequence" else {"name": "x", "event": "y"}
    around |= {"where": "amount > 0"} if when["kind"] == "ratio" else {}

    def judged(change: Document) -> str:
        return document.fingerprint(document.parse({**around, "when": {**when, **change}}))

    assert judged(same) == judged({})
    assert judged(other) != judged({})


# --- many ----------------------------------------------------------------------------------------------


def test_many_rules_are_read_in_order() -> None:
    bodies = [{**MINIMAL, "name": name} for name in "abc"]
    assert [rule.name for rule in document.parse_all(bodies)] == ["a", "b", "c"]


def test_the_faults_of_many_rules_say_which_rule() -> None:
    with pytest.raises(Invalid) as caught:
        document.parse_all(
            [MINIMAL, {**MINIMAL, "name": 1}, {**COUNT, "name": "c", "by": 7}, {**MINIMAL, "for": "x"}]
        )
    found = [(fault.field, fault.message) for fault in caught.value.errors]
    assert [field for field, _ in found] == ["rules[1].name", "rules[2].by", "rules[3].name", "rules[3].for"]
    assert found[2][1] == "is the same as that of rules[0]"
    assert "4 faults" in caught.value.detail
