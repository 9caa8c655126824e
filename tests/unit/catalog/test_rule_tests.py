"""Test files are read with every fault at once, and expectations take the moments that fit them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from signaldesk.catalog import files, rule_tests
from signaldesk.catalog.rule_test_results import compare
from signaldesk.clock import to_us
from signaldesk.errors import Invalid
from signaldesk.model.moment import Moment

RULE = "name: One\nevent: a\nwhen: {kind: each}\n"
TEST = "tests: [{name: t, events: [], fires: []}]\n"
START = to_us(rule_tests.START)


def cases(folder: Path, text: str, **more: str) -> list[rule_tests.Case]:
    for name, content in {"it.test": text, **more}.items():
        (folder / f"{name}.yaml").write_text(content, encoding="utf-8")
    return rule_tests.read([folder])


def faults(folder: Path, text: str, **more: str) -> list[str]:
    with pytest.raises(Invalid) as caught:
        cases(folder, text, **more)
    return [f"{fault.field}: {fault.message}".replace(f"{folder}/", "") for fault in caught.value.errors]


def test_a_test_names_rules_beside_it_and_says_when_what_happens(tmp_path: Path) -> None:
    (case,) = cases(
        tmp_path,
        "rules: [one.yaml, {name: Two, event: b, when: {kind: each}}]\n"
        "tests:\n"
        "  - name: both\n"
        "    events:\n"
        "      - {at: 5s, type: a, payload: {n: 1}, times: 3, every: 2s}\n"
        "      - {at: 2026-01-05T12:01:00Z, type: b}\n"
        "    until: 2m\n"
        "    fires: [{at: 5s, rule: One}]\n"
        "    held: []\n",
        one=RULE,
    )
    assert [rule.name for rule in case.rules] == ["One", "Two"]
    assert [(sent.value["type"], sent.at - START) for sent in case.sent] == [
        ("a", 5_000_000), ("a", 7_000_000), ("a", 9_000_000), ("b", 60_000_000),
    ]  # fmt: skip
    assert case.until == START + 120_000_000 and case.looked_at == {"fires", "held"}
    assert case.wanted[0].moment == Moment("fires", "One", START + 5_000_000, None, None, reason=None)


def test_files_of_tests_are_no_rules_and_files_of_rules_no_tests(tmp_path: Path) -> None:
    text = "rules: one.yaml\ntests: [{name: t, events: [], fires: []}]\n"
    assert len(cases(tmp_path, text, one=RULE)) == 1
    assert [document["name"] for document in files.read([tmp_path]).documents] == ["One"]
    (tmp_path / "it.test.yaml").unlink()
    with pytest.raises(Invalid, match="no test in these files"):
        rule_tests.read([tmp_path])


def test_everything_that_is_wrong_is_said_at_once_by_file_and_line(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        "rules: [one.yaml, gone.yaml]\n"
        "tests:\n"
        "  - name: first\n"
        "    evnts: []\n"
        "    fires: []\n"
        "  - name: second\n"
        "    start: 2026-01-05\n"
        "    events: []\n"
        "    fires: []\n"
        "  - name: third\n"
        "    events:\n"
        "      - {type: a}\n"
        "      - {at: 5x, type: a, times: 0}\n"
        "    fires:\n"
        "      - {at: 2026-01-05T12:00:00, valu: 3}\n",
        one=RULE,
    )
    assert found == [
        "it.test.yaml:1: there is no file or folder gone.yaml; name YAML files, or a folder of them",
        "it.test.yaml:3: tests.0.events: is missing",
        "it.test.yaml:4: tests.0.evnts: unknown field; did you mean `events`?",
        "it.test.yaml:7: tests.1.start: '2026-01-05' is no time with a zone; write 2026-01-31T12:00:00Z",
        "it.test.yaml:12: tests.2.events.0.at: is missing",
        "it.test.yaml:13: tests.2.events.1.at: '5x' is not a duration; write 60s, 5m, 1h30m or 7d",
        "it.test.yaml:13: tests.2.events.1.times: must be 1 or more, not 0",
        "it.test.yaml:15: tests.2.fires.0.at: '2026-01-05 12:00:00' is no time with a zone; "
        "write 2026-01-31T12:00:00Z",
        "it.test.yaml:15: tests.2.fires.0.valu: unknown field; did you mean `value`?",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("rules: one.yaml\n", "it.test.yaml:1: tests: is missing"),
        ("rules: one.yaml\ntests: []\n", "it.test.yaml:2: tests: must have at least 1 entry"),
        ("- 1\n", "it.test.yaml:1: must be an object"),
        ("rules: {name: One}\n" + TEST, "it.test.yaml:1: rules.event: is missing"),
        ("rules: [{name: One}]\n" + TEST, "rules.0.event: is missing"),
        (
            "rules: [one.yaml, two.yaml]\ntests: [{name: t, events: [], fires: [{at: 0s}]}]\n",
            "tests.0.fires.0: say which `rule`: One, Two",
        ),
        (
            "rules: one.yaml\ntests: [{name: t, events: [], fires: [{at: 0s, rule: Two}]}]\n",
            "tests.0.fires.0.rule: there is no such rule here; there are One",
        ),
        (f"rules: [one.yaml, {{{', '.join(RULE.splitlines())}}}]\n{TEST}", "rules: One is given twice"),
        (f"rules: broken.yaml\n{TEST}", "broken.yaml:1: event: is missing"),
        ("rules: [\n", "it.test.yaml:2: this is not YAML"),
    ],
)  # fmt: skip
def test_a_wrong_test_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    more = {"one": RULE, "two": RULE.replace("One", "Two"), "broken": RULE.replace("event: a\n", "")}
    assert any(fault in one for one in faults(tmp_path, text, **more))


# --- comparing -----------------------------------------------------------------------------------------


def differences(folder: Path, wanted: str, *moments: Moment) -> tuple[list[Any], list[Any]]:
    """(what is missing, what is too much): groups of moments at 0s."""
    (case,) = cases(folder, f"rules: one.yaml\ntests: [{{name: t, events: [], {wanted}}}]\n", one=RULE)
    result = compare(case, moments)
    assert result.passed == (not result.missing and not result.unexpected)
    return [one.moment.group for one in result.missing], [one.group for one in result.unexpected]


def fired(group: dict[str, Any], value: float = 1, *, at: int = 0) -> Moment:
    return Moment("fires", "One", START + at, group, value)


def test_what_is_expected_and_comes_is_no_difference(tmp_path: Path) -> None:
    wanted = "fires: [{at: 0s, group: {c: 1}, value: 0.3}, {at: 0s}]"
    assert differences(tmp_path, wanted, fired({"c": 2}), fired({"c": 1.0}, 0.1 + 0.2)) == ([], [])


def test_the_vague_never_takes_what_only_the_precise_fits(tmp_path: Path) -> None:
    wanted = "fires: [{at: 0s}, {at: 0s, group: {c: 1}}]"
    assert differences(tmp_path, wanted, fired({"c": 1}), fired({"c": 2})) == ([], [])


@pytest.mark.parametrize(
    "moment",
    [fired({"c": True}), fired({"c": 1}, 2), fired({"c": 1}, at=1), fired({"c": 1, "d": None}), fired({})],
)
def test_what_differs_is_missing_and_too_much(tmp_path: Path, moment: Moment) -> None:
    wanted = "fires: [{at: 0s, group: {c: 1}, value: 1}]"
    assert differences(tmp_path, wanted, moment) == ([{"c": 1}], [moment.group])


def test_twice_is_not_once(tmp_path: Path) -> None:
    assert differences(tmp_path, "fires: [{at: 0s}]", fired({"c": 1}), fired({"c": 1})) == ([], [{"c": 1}])
    assert differences(tmp_path, "fires: [{at: 0s}, {at: 0s}]", fired({"c": 1})) == ([None], [])


def test_only_what_a_test_speaks_of_is_looked_at(tmp_path: Path) -> None:
    held = Moment("held", "One", START, {}, reason="cooldown")
    assert differences(tmp_path, "fires: []", held) == ([], [])
    assert differences(tmp_path, "fires: [], held: []", held) == ([], [{}])
    assert differences(tmp_path, "fires: [], held: [{at: 0s, reason: cooldown}]", held) == ([], [])
    assert differences(tmp_path, "fires: [], held: [{at: 0s, reason: late}]", held) == ([None], [{}])
