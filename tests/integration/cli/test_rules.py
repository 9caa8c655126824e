"""`signaldesk rules`: YAML files, both ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import Terminal

FAILURES = """\
name: Checkout failures
event: checkout_failed
where: amount > 20
by: [country]
when: {kind: count, at_least: 3, within: 60s}
severity: critical
"""
REFUNDS = "name: Refunds\nevent: refund_issued\nwhen: {kind: each}\n"


@pytest.fixture
def folder(acme: Terminal) -> Path:
    """A folder of rules in the terminal's own."""
    rules = acme.folder / "rules"
    rules.mkdir()
    (rules / "failures.yaml").write_text(FAILURES)
    (rules / "refunds.yml").write_text(REFUNDS)
    return rules


def test_applying_creates_then_does_nothing_then_updates(acme: Terminal, folder: Path) -> None:
    assert acme.run("rules", "apply", "rules").out == "Checkout failures: created\nRefunds: created\n"
    assert acme.run("rules", "apply", "rules").out == "Checkout failures: unchanged\nRefunds: unchanged\n"
    (folder / "failures.yaml").write_text(FAILURES.replace("3", "5"))
    changes = acme.run("rules", "apply", "rules", "--json").json()
    assert [one["change"] for one in changes] == ["updated", "unchanged"]
    assert changes[0]["fields"] == [{"field": "when.at_least", "before": 3, "after": 5}]
    assert (changes[0]["version"], changes[0]["begins_anew"]) == (2, True)
    versions = {one["rule"]["name"]: one["version"] for one in acme.run("rules", "list", "--json").json()}
    assert versions == {"Checkout failures": 2, "Refunds": 1}


def test_a_dry_run_changes_nothing(acme: Terminal, folder: Path) -> None:
    said = acme.run("rules", "apply", "rules", "--dry-run")
    assert said.out == "Checkout failures: would be created\nRefunds: would be created\n"
    assert acme.run("rules", "list", "--json").json() == []
    acme.run("rules", "apply", "rules")
    (folder / "failures.yaml").write_text(FAILURES.replace("3", "5").replace("critical", "error"))
    assert acme.run("rules", "apply", "rules", "--dry-run").out == (
        "Checkout failures: would be updated\n"
        "  when.at_least: 3 → 5\n"
        "  severity: critical → error\n"
        "  the condition changes: windows begin empty, open alerts are resolved\n"
        "Refunds: unchanged\n"
    )
    assert {one["version"] for one in acme.run("rules", "list", "--json").json()} == {1}


def test_rules_that_are_in_no_file_stay_unless_they_are_pruned(acme: Terminal, folder: Path) -> None:
    acme.run("rules", "apply", "rules")
    (folder / "refunds.yml").unlink()
    assert acme.run("rules", "apply", "rules").out == "Checkout failures: unchanged\n"
    pruned = "Checkout failures: unchanged\nRefunds: {}deleted\n"
    assert acme.run("rules", "apply", "rules", "--prune", "--dry-run").out == pruned.format("would be ")
    assert "-name: Refunds" in acme.run("rules", "diff", "rules", "--prune", expect=1).out.splitlines()
    assert acme.run("rules", "apply", "rules", "--prune").out == pruned.format("")
    assert [one["rule"]["name"] for one in acme.run("rules", "list", "--json").json()] == [
        "Checkout failures"
    ]


def test_rules_come_from_standard_input(acme: Terminal) -> None:
    assert acme.run("rules", "apply", "-", stdin=f"{FAILURES}---\n{REFUNDS}").out.count("created") == 2
    said = acme.run("rules", "apply", "-", stdin="name: One\nevent: [\n", expect=1).err
    assert "<stdin>:3: this is not YAML" in said
    assert "no rule in these files" in acme.refuses("rules", "apply", "-", "--prune", stdin="")


def test_faults_are_named_by_file_and_line_and_nothing_is_saved(acme: Terminal, folder: Path) -> None:
    (folder / "refunds.yml").write_text(REFUNDS.replace("event:", "evnt:") + "where: amount >\n")
    said = acme.run("rules", "apply", "rules", expect=1).err
    assert "rules/refunds.yml:2: evnt: unknown field; did you mean `event`?" in said
    assert "rules/refunds.yml:4: where" in said
    assert "Traceback" not in said
    assert acme.run("rules", "list", "--json").json() == []


def test_a_channel_that_is_not_there_is_named(acme: Terminal, folder: Path) -> None:
    (folder / "refunds.yml").write_text(REFUNDS + "notify: [ops]\nseverity: crit\n")
    said = acme.run("rules", "apply", "rules", expect=1).err
    assert "rules/refunds.yml:4: notify.0: there is no channel named 'ops'" in said
    assert "rules/refunds.yml:5: severity" in said and "did you mean critical?" in said


def test_a_list_tells_what_each_rule_watches(acme: Terminal, folder: Path) -> None:
    acme.run("rules", "apply", "rules")
    first, second = acme.run("rules", "list").out.splitlines()
    assert first.split("\t")[:4] == [
        "Checkout failures",
        "checkout_failed",
        "3 or more in 60 s, by country",
        "critical",
    ]
    assert second.split("\t")[2] == "every matching event"


def test_what_is_exported_can_be_applied_again(acme: Terminal, folder: Path) -> None:
    acme.run("rules", "apply", "rules")
    acme.run("rules", "export", "--to", "copy")
    assert sorted(file.name for file in (acme.folder / "copy").iterdir()) == [
        "checkout-failures.yaml",
        "refunds.yaml",
    ]
    (acme.folder / "all.yaml").write_text(acme.run("rules", "export").out)
    for source in ("copy", "all.yaml"):
        assert acme.run("rules", "diff", source).err == "no differences\n"
        assert acme.run("rules", "apply", source).out.count("unchanged") == 2


def test_an_export_leaves_files_alone_whose_rules_are_unchanged(acme: Terminal, folder: Path) -> None:
    (folder / "failures.yaml").write_text(f"# why we watch this\n{FAILURES}")
    acme.run("rules", "apply", "rules")
    said = acme.run("rules", "export", "--to", "rules").out
    assert said == "rules/failures.yaml: unchanged\nrules/refunds.yml: unchanged\n"
    assert (folder / "failures.yaml").read_text() == f"# why we watch this\n{FAILURES}"
    acme.run("rules", "delete", "Refunds", "--yes")
    assert "Refunds is not saved" in acme.run("rules", "export", "--to", "rules").err


def test_one_rule_is_shown_as_yaml(acme: Terminal, folder: Path) -> None:
    acme.run("rules", "apply", "rules")
    assert (
        acme.run("rules", "show", "Refunds").out
        == "name: Refunds\nevent: refund_issued\nwhen:\n  kind: each\n"
    )
    assert acme.run("rules", "show", "Refunds", "--json").json()["rule"]["event"] == "refund_issued"
    assert "did you mean 'Refunds'?" in acme.refuses("rules", "show", "Refund")


def test_a_difference_is_shown_line_by_line(acme: Terminal, folder: Path) -> None:
    acme.run("rules", "apply", "rules")
    (folder / "refunds.yml").write_text(REFUNDS + "severity: info\n")
    assert "+severity: info" in acme.run("rules", "diff", "rules", expect=1).out.splitlines()
    (changed,) = acme.run("rules", "diff", "rules", "--json", expect=1).json()
    assert changed["fields"] == [{"field": "severity", "before": None, "after": "info"}]


def test_a_deleted_rule_is_gone(acme: Terminal, folder: Path) -> None:
    acme.run("rules", "apply", "rules")
    assert "--yes" in acme.refuses("rules", "delete", "Refunds", expect=2)
    acme.run("rules", "delete", "Refunds", "--yes")
    assert [one["rule"]["name"] for one in acme.run("rules", "list", "--json").json()] == [
        "Checkout failures"
    ]
    assert "no rule 'Refunds'" in acme.refuses("rules", "delete", "Refunds", "--yes")


def test_files_that_are_not_there_are_named(acme: Terminal) -> None:
    assert "no file or folder nowhere" in acme.refuses("rules", "apply", "nowhere")
    assert "Missing argument" in acme.refuses("rules", "apply", expect=2)


def test_rules_are_paused_resumed_and_rolled_back(acme: Terminal, folder: Path) -> None:
    acme.run("rules", "apply", "rules")
    paused = "Checkout failures: paused, version 2\nRefunds: paused, version 2\n"
    assert acme.run("rules", "pause", "Refunds", "Checkout failures").out == paused
    assert acme.run("rules", "pause", "Refunds").out == "Refunds: as it was, version 2\n"
    assert acme.run("rules", "resume", "Refunds").out == "Refunds: resumed, version 3\n"
    assert acme.run("rules", "rollback", "Refunds", "2").out == "Refunds: version 4 equals version 2\n"
    modes = {
        one["rule"]["name"]: one["rule"].get("mode") for one in acme.run("rules", "list", "--json").json()
    }
    assert modes == {"Checkout failures": "paused", "Refunds": "paused"}
    assert "there are 1 to 4" in acme.refuses("rules", "rollback", "Refunds", "9")
    assert "did you mean 'Refunds'?" in acme.refuses("rules", "pause", "Refund")
