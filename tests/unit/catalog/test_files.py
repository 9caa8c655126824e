"""Rules travel through YAML files and back, and every fault has its file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from signaldesk.catalog import files
from signaldesk.errors import Invalid, NotFound
from signaldesk.rules.document import parse_all

ONE = "name: One\nevent: a\nwhen: {kind: each}\n"
TWO = "name: Two\nevent: b\nwhen:\n  kind: count\n  at_least: 3\n  within: 60s\n"


def written(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def names(sources: list[files.Source]) -> list[str]:
    return [source.document["name"] for source in sources]


@pytest.mark.parametrize(
    "text",
    [
        f"{ONE}---\n{TWO}",
        f"---\n{ONE}---\n---\n{TWO}",
        "- {name: One, event: a, when: {kind: each}}\n- {name: Two, event: b, when: {kind: each}}\n",
        "rules:\n- {name: One, event: a, when: {kind: each}}\n- {name: Two, event: b, when: {kind: each}}\n",
    ],
)
def test_a_file_holds_rules_in_several_forms(tmp_path: Path, text: str) -> None:
    assert names(files.read([written(tmp_path, all=text)])) == ["One", "Two"]


def test_a_folder_is_read_by_name_with_all_its_folders(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    written(tmp_path, b=TWO, a=ONE)
    written(tmp_path / "more", c=ONE.replace("One", "Three"))
    (tmp_path / "notes.txt").write_text("not: a rule")
    assert names(files.read([tmp_path])) == ["One", "Two", "Three"]


def faults(folder: Path, text: str) -> list[tuple[str, str]]:
    sources = files.read([written(folder, rules=text)])
    with pytest.raises(Invalid) as caught:
        parse_all([source.document for source in sources])
    located = files.located(caught.value, sources).errors
    return [(fault.field.replace(str(folder), "…"), fault.message) for fault in located]


def test_a_fault_is_named_by_file_line_and_field(tmp_path: Path) -> None:
    (place, message), *others = faults(tmp_path, f"{ONE}---\n{TWO.replace('3', 'three')}")
    assert place == "…/rules.yaml:9: when.at_least"
    assert "integer" in message
    assert others == []


def test_a_missing_field_is_named_by_the_line_of_its_rule(tmp_path: Path) -> None:
    assert faults(tmp_path, f"{ONE}---\nname: Two\nwhen: {{kind: each}}\n") == [
        ("…/rules.yaml:5: event", "is missing")
    ]


def test_a_fault_in_a_list_is_named_by_its_own_line(tmp_path: Path) -> None:
    found = faults(tmp_path, "name: One\nevent:\n- a\n- ''\nwhen: {kind: each}\n")
    assert [place for place, _ in found] == ["…/rules.yaml:4: event.1"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name: One\nevent: [a\n", r"rules.yaml:3: this is not YAML"),
        ("name: One\n\tevent: a\n", r"rules.yaml:2: this is not YAML"),
        ("name: One\nevent: a\nname: Two\n", r"rules.yaml:3: name is given twice, first in line 1"),
        ("when:\n  kind: each\n  kind: count\n", r"rules.yaml:3: when.kind is given twice"),
        ("a: !!python/object:os.system {}\n", r"rules.yaml:1: this is not YAML"),
        ("&a [*a]\n", r"rules.yaml: this is not YAML text"),
        ("a: \x01\n", r"rules.yaml: this is not YAML text"),
        ("# nothing but words\n", "no rule in these files"),
        ("", "no rule in these files"),
    ],
)
def test_what_is_no_yaml_is_refused_with_its_place(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(Invalid, match=complaint):
        files.read([written(tmp_path, rules=text)])


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_bytes(b"name: \xff\xfe\n")
    with pytest.raises(Invalid, match="not YAML text"):
        files.read([tmp_path])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no file or folder"):
        files.read([tmp_path / "nowhere.yaml"])


def test_merged_fields_may_be_overridden(tmp_path: Path) -> None:
    text = "- &base {name: One, event: a, when: {kind: each}}\n- <<: *base\n  name: Two\n"
    assert names(files.read([written(tmp_path, rules=text)])) == ["One", "Two"]


def test_what_is_written_can_be_read_again(tmp_path: Path) -> None:
    documents: list[dict[str, Any]] = [
        {"when": {"kind": "each"}, "event": ["a", "b"], "name": "Ünïcode: yes?", "labels": {"team": "no"}},
        {"name": "Two", "event": "b", "where": "amount > 20 AND country <> 'XX'", "when": {"kind": "each"}},
    ]
    text = files.write(documents)
    assert text.startswith("name: 'Ünïcode: yes?'\nevent:\n  - a\n  - b\nwhen:\n")
    assert [source.document for source in files.read([written(tmp_path, all=text)])] == documents
