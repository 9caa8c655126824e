"""`signaldesk rules test`: rules are tested without any server, and differences are shown like a diff's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from signaldesk import cli

RULE = """\
name: Failures
event: checkout_failed
where: amount > 20
by: country
when: {kind: count, at_least: 3, within: 60s}
cooldown: 5m
resolve: {quiet_for: 10m}
"""
GOOD = """\
rules: failures.yaml
tests:
  - name: three within a minute fire, and the fourth is held back
    events:
      - {at: 0s, type: checkout_failed, payload: {country: DE, amount: 25}, times: 4, every: 20s}
      - {at: 1m, type: checkout_failed, payload: {country: FR, amount: 25}}
    until: 20m
    fires:
      - {at: 40s, group: {country: DE}, value: 3}
    held:
      - {at: 60s, reason: cooldown}
    resolves:
      - {at: 11m, reason: quiet}
  - name: small ones do not matter
    events:
      - {at: 0s, type: checkout_failed, payload: {country: DE, amount: 20}, times: 9}
    fires: []
"""
BAD = GOOD.replace("40s", "41s").replace("value: 3", "value: 4")


class Ran:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the command in a folder with the rule and these tests."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "failures.yaml").write_text(RULE)

    def typed(text: str, *words: str) -> Ran:
        (tmp_path / "failures.test.yaml").write_text(text)
        code = cli.exit_code(["rules", "test", *(words or (".",))])
        return Ran(code, *capsys.readouterr())

    return typed


def test_tests_that_pass_are_listed(run: Any) -> None:
    ran = run(GOOD)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "✓ three within a minute fire, and the fourth is held back",
        "✓ small ones do not matter",
        "2 tests passed",
    ]


def test_a_test_that_fails_shows_what_is_missing_and_what_is_too_much(run: Any) -> None:
    ran = run(BAD, "failures.test.yaml")
    assert ran.code == 1
    assert ran.out.splitlines() == [
        "✗ three within a minute fire, and the fourth is held back (failures.test.yaml:3)",
        "  + fires at 40s: country = DE, value 3 or more",
        "  - fires at 41s: country = DE, value 4  (failures.test.yaml:9)",
        "✓ small ones do not matter",
        "2 tests, 1 failed",
    ]


def test_programs_get_json(run: Any) -> None:
    ran = run(BAD, "failures.test.yaml", "--json")
    failed, passed = json.loads(ran.out)
    assert ran.code == 1 and (failed["passed"], passed["passed"]) == (False, True)
    assert failed["missing"] == [
        {
            "what": "fires", "rule": "Failures", "at": "2026-01-05T12:00:41Z", "group": {"country": "DE"},
            "value": 4.0, "at_least": False, "margin": None, "reason": None, "place": "failures.test.yaml:9",
        }
    ]  # fmt: skip
    assert failed["unexpected"][0]["at"] == "2026-01-05T12:00:40Z"
    assert passed["missing"] == passed["unexpected"] == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (GOOD.replace("fires: []", "fire: []"), "did you mean `fires`?"),
        (GOOD.replace("amount: 20}", "amount: 20}, sorce: x"), "failures.test.yaml:16: sorce: unknown field"),
        (GOOD.replace("type: checkout_failed", "typ: checkout_failed"), "did you mean type?"),
        (GOOD.replace("failures.yaml", "gone.yaml"), "no file or folder gone.yaml"),
    ],
)
def test_what_is_no_test_is_exit_code_2(run: Any, text: str, complaint: str) -> None:
    ran = run(text)
    assert (ran.code, ran.out) == (2, "") and complaint in ran.err


def test_a_file_that_is_not_there_is_exit_code_2(run: Any) -> None:
    assert run(GOOD, "nowhere.yaml").code == 2


def test_the_time_of_a_test_is_its_own(run: Any) -> None:
    night = "active: {days: mon-fri, from: '22:00', to: '24:00', timezone: Europe/Berlin}\n"
    text = f"""\
rules:
  - name: Nights
    event: a
    when: {{kind: each}}
    {night}
tests:
  - name: in the night
    start: 2026-01-05T22:30:00+01:00
    events: [{{at: 0s, type: a}}, {{at: 2h, type: a}}]
    fires: [{{at: 0s}}]
    held: [{{at: 2026-01-06T00:30:00+01:00, reason: inactive}}]
"""
    ran = run(text)
    assert ran.code == 0, ran.out + ran.err
