"""The rule builder without a server."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any
from uuid import UUID

from apps.markup import first_paint
from apps.page import Visit
from apps.rule_builder import RuleBuilder
from tests.unit.apps.conftest import ID, NOW, FixedPast, FixedRules, rule_line

FORM: dict[str, Any] = {
    "name": "Three",
    "event": "checkout_failed",
    "by": "country",
    "when": {"kind": "count", "_limit": "at_least", "_value": "3", "within": "60s"},
}


async def opened(visit: Visit, **query: str) -> RuleBuilder:
    page = RuleBuilder(replace(visit, query=query))
    await page.load(NOW)
    return page


def shown(page: RuleBuilder) -> str:
    return " ".join(str(first_paint(page.body)).split())


def answer(page: RuleBuilder) -> Any:
    return json.loads(page.form.draft.answer)


def send(page: RuleBuilder, **part: Any) -> Any:
    page.form.draft.sent = json.dumps({"turn": 1, **part})
    return answer(page)


async def test_a_new_rule_begins_with_the_example_of_a_kind(visit: Visit) -> None:
    page = await opened(visit, kind="ratio", event="search")
    html = shown(page)
    assert 'name="when._value" value="0.05"' in html and 'value="search"' in html
    assert "Not a rule yet" in html and "ratio" in html
    assert 'data-save="/api/v1/rules" data-method="POST"' in str(first_paint(page.actions))


async def test_what_is_typed_becomes_a_document(visit: Visit) -> None:
    page = await opened(visit)
    found = send(page, form=FORM)
    assert found == {
        "turn": 1,
        "document": {
            "name": "Three", "event": "checkout_failed", "by": "country",
            "when": {"kind": "count", "at_least": 3, "within": "1m"},
        },
        "faults": [],
    }  # fmt: skip
    html = shown(page)
    assert "checkout_failed: 3 or more in 60 s, per country" in html and "at_least: 3" in html


async def test_every_fault_is_told_with_its_field(visit: Visit) -> None:
    page = await opened(visit)
    wrong = {**FORM, "where": "lenght(country) > 2", "cooldown": "soon", "name": ""}
    wrong["when"] = {**FORM["when"], "_value": "many"}
    faults = {fault["field"]: fault["message"] for fault in send(page, form=wrong)["faults"]}
    assert set(faults) == {"name", "cooldown", "when.at_least", "where"}
    assert "at character 1" in faults["where"] and "did you mean `length`" in faults["where"]
    assert answer(page)["document"] is None


async def test_text_and_form_follow_each_other(visit: Visit) -> None:
    page = await opened(visit)
    when = "{kind: aggregate, function: p95, field: ms, above: 500, within: 5m}"
    text = f"name: Slow\nevent: search\nwhen: {when}\n"
    assert send(page, yaml=text)["document"]["when"]["function"] == "p95"
    html = shown(page)
    assert 'name="when.function" value="p95"' in html and 'name="name" value="Slow"' in html
    faults = send(page, yaml=text.replace("above: 500", "above: 500, wihtin: 5m"))["faults"]
    assert "line 3: when.wihtin unknown field; did you mean `within`?" in faults[-1]["message"]
    assert send(page, yaml="name: [")["faults"][0]["field"] == "yaml"
    assert "found 2" in send(page, yaml=f"{text}---\n{text}")["faults"][0]["message"]


async def test_another_kind_brings_its_own_parameters(visit: Visit) -> None:
    page = await opened(visit)
    send(page, form={**FORM, "when": {"kind": "sequence", "within": "60s"}})
    html = shown(page)
    assert 'name="when.steps.1.event"' in html and 'name="event"' not in html


async def test_rules_are_offered_to_make_one_of(visit: Visit) -> None:
    page = await opened(visit, kind="composite")
    assert 'data-put="when.all" data-value="Slow\\, search"' in shown(page)


async def test_a_saved_rule_is_changed_against_its_version(visit: Visit, rules: FixedRules) -> None:
    rules.lines = (rule_line(body={**rule_line().body, "name": "Three", "notify": []}),)
    page = await opened(visit, rule=str(ID))
    acts = str(first_paint(page.actions))
    assert (
        f'data-save="/api/v1/rules/{ID}" data-method="PUT" data-version="2"' in acts and "version 3" in acts
    )
    send(page, form={**FORM, "when": {**FORM["when"], "_value": "5"}})
    html = shown(page)
    assert "<del>3</del> → <ins>5</ins>" in html and "windows begin empty" in html


OTHER = UUID(int=9)


def acts(page: RuleBuilder) -> str:
    return str(first_paint(page.actions))


async def test_a_live_rule_goes_on_while_its_draft_is_saved_in_its_shadow(
    visit: Visit, rules: FixedRules
) -> None:
    body = {**rule_line().body, "name": "Three", "notify": []}
    live = rule_line(name="Three", body=body)
    rules.lines = (live,)
    beside = 'data-mode="shadow" data-name="Three (shadow)"'
    assert f'data-save="/api/v1/rules" data-method="POST" data-version="0" {beside}' in acts(
        await opened(visit, rule=str(ID))
    )
    shadow = {**body, "name": "Three (shadow)", "mode": "shadow", "when": {**body["when"], "at_least": 6}}
    rules.lines = (live, rule_line(id=OTHER, name="Three (shadow)", version=4, body=shadow))
    assert f'data-save="/api/v1/rules/{OTHER}" data-method="PUT" data-version="4" {beside}' in acts(
        await opened(visit, rule=str(ID))
    )


async def test_a_rule_in_the_shadow_is_compared_with_the_live_one(visit: Visit, rules: FixedRules) -> None:
    when = {"kind": "count", "within": "5m"}
    body = {**rule_line().body, "name": "Three", "notify": [], "when": {**when, "at_least": 2}}
    shadow = {**body, "name": "Three (shadow)", "mode": "shadow", "when": {**when, "at_least": 3}}
    rules.lines = (
        rule_line(name="Three", id=OTHER, body=body),
        rule_line(name="Three (shadow)", body=shadow),
    )
    page = await opened(visit, rule=str(ID))
    assert f'data-save="/api/v1/rules/{ID}" data-method="PUT" data-version="2" data-mode="shadow">' in acts(
        page
    )
    await asyncio.gather(*page._loads)
    await page.tuner.settled()
    assert "<b>Against the live rule Three:</b>" in shown(page)
    assert "fewer with this" in shown(page)


async def settled(page: RuleBuilder) -> None:
    await asyncio.gather(*page._loads, return_exceptions=True)
    await page.tuner.settled()


async def test_events_are_asked_for_anew_when_the_draft_looks_at_others_or_at_other_fields(
    visit: Visit, past: FixedPast
) -> None:
    page = await opened(visit, rule=str(ID))
    await settled(page)
    saved = page.tuner.against
    assert saved is not None and [one.against for one in past.asked] == [saved]
    changes: list[tuple[dict[str, Any], int]] = [
        ({"when": {**FORM["when"], "_value": "4"}}, 1),  # what is at hand is judged again
        ({"where": "amount > 1"}, 2),
        ({"where": "amount > 2"}, 2),
        ({"event": "checkout_ok"}, 3),
    ]
    for changed, times in changes:
        send(page, form={**FORM, "by": saved.by[0], "event": saved.event[0], **changed})
        await settled(page)
        assert len(past.asked) == times
    assert page.tuner.tried is not None


async def test_while_events_are_loaded_it_says_so(visit: Visit, past: FixedPast) -> None:
    past.loaded.clear()
    page = await opened(visit, rule=str(ID))
    await page.tuner.settled()
    assert "Looking for the events of this rule" in shown(page) and page.tuner.tried is None
    past.loaded.set()
    await settled(page)
    assert "Looking for the events" not in shown(page) and page.tuner.tried is not None


async def test_of_several_changes_of_what_is_looked_at_only_the_last_is_asked_for(
    visit: Visit, past: FixedPast
) -> None:
    page = await opened(visit)
    for word in ("a", "am", "amount"):
        send(page, form={**FORM, "where": f"{word} > 1"})
    await settled(page)
    assert [one.rule.where for one in past.asked] == ["amount > 1"]


async def test_a_copy_is_a_rule_of_its_own(visit: Visit) -> None:
    page = await opened(visit, copy=str(ID))
    assert "(copy)" in shown(page)
    assert 'data-method="POST"' in str(first_paint(page.actions))


async def test_text_from_tenants_is_escaped_everywhere(visit: Visit) -> None:
    page = await opened(visit, rule=str(ID))
    html = shown(page) + str(first_paint(page.actions))
    assert "<script" not in html and "&lt;script&gt;" in html


async def test_who_may_only_look_cannot_save(visit: Visit) -> None:
    page = await opened(replace(visit, may_edit=False))
    assert "data-save=" not in str(first_paint(page.actions)) and "takes an editor" in shown(page)


async def test_a_tab_keeps_the_draft_and_another_rule_begins_anew(visit: Visit) -> None:
    page = await opened(visit)
    send(page, form=FORM)
    await page.navigate({"tab": "yaml"}, NOW)
    assert "at_least: 3" in shown(page)
    assert answer(page)["document"]["name"] == "Three"
    await page.navigate({"rule": str(UUID(int=8))}, NOW)
    assert "Three" not in shown(page)


async def test_nonsense_from_a_browser_changes_nothing(visit: Visit) -> None:
    page = await opened(visit)
    send(page, form=FORM)
    for nonsense in (
        "",
        "{",
        "[]",
        '{"turn": "x"}',
        '{"turn": 2, "form": []}',
        '{"turn": 2, "form": {"labels": 3}}',
    ):
        page.form.draft.sent = nonsense
        assert answer(page)["turn"] == 1
