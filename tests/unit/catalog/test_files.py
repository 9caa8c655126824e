"""Rules travel through YAML files and back, and every fault has its file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from signaldesk.catalog import files
from signaldesk.errors import Invalid, NotFound

ONE = "name: One\nevent: a\nwhen: {kind: each}\n"
TWO = "name: Two\nevent: b\nwhen:\n  kind: count\n  at_least: 3\n  within: 60s\n"


def written(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def names(sources: files.Sources) -> list[str]:
    assert not sources.faults
    return [document["name"] for document in sources.documents]


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


def faults(folder: Path, text: str = "", **texts: str) -> list[tuple[str, str]]:
    sources = files.read([written(folder, **({"rules": text} if text else {}), **texts)])
    with pytest.raises(Invalid) as caught:
        sources.parsed()
    return [(fault.field.replace(str(folder), "…"), fault.message) for fault in caught.value.errors]


def test_a_fault_is_named_by_file_line_and_field(tmp_path: Path) -> None:
    (place, message), *others = faults(tmp_path, f"{ONE}---\n{TWO.replace('3', 'three')}")
    assert place == "…/rules.yaml:9: when.at_least"
    assert "a whole number" in message
    assert others == []


def test_a_missing_field_is_named_by_the_line_of_its_rule(tmp_path: Path) -> None:
    assert faults(tmp_path, f"{ONE}---\nname: Two\nwhen: {{kind: each}}\n") == [
        ("…/rules.yaml:5: event", "is missing")
    ]


def test_a_fault_in_a_list_is_named_by_its_own_line(tmp_path: Path) -> None:
    found = faults(tmp_path, "name: One\nevent:\n- a\n- ''\nwhen: {kind: each}\n")
    assert [place for place, _ in found] == ["…/rules.yaml:4: event.1"]


@pytest.mark.parametrize(
    ("text", "place", "complaint"),
    [
        ("name: One\nevent: [a\n", 3, "this is not YAML"),
        ("name: One\n\tevent: a\n", 2, "this is not YAML"),
        ("name: One\nevent: a\nname: Two\nwhen: {kind: each}\n", 3, "name is given twice, first in line 1"),
        (
            "name: One\nevent: a\nwhen:\n  kind: each\n  kind: each\n",
            5,
            "when.kind is given twice, first in line 4",
        ),
        ("a: !!python/object:os.system {}\n", 1, "this is not YAML"),
        ("&a [*a]\n", 1, "this is not YAML text"),
        ("a: \x01\n", 1, "this is not YAML text"),
        ("a: 2026-13-45\n", 1, "this is not YAML text"),
        (f"{ONE}---\na: {'9' * 5000}\n", 5, "this is not YAML text"),
        ("a: &a [1]\nb: &b [*a, *a]\n" + "".join(
            f"{chr(99 + n)}: &{chr(99 + n)} [{', '.join([f'*{chr(98 + n)}'] * 9)}]\n" for n in range(9)
        ), 1, "more than 100000 fields"),
    ],
)  # fmt: skip
def test_what_is_no_yaml_is_named_by_its_place(tmp_path: Path, text: str, place: int, complaint: str) -> None:
    ((where, message),) = faults(tmp_path, text)
    assert where == f"…/rules.yaml:{place}"
    assert complaint in message


@pytest.mark.parametrize("text", ["# nothing but words\n", "", "rules: []\n", "---\n---\n"])
def test_files_without_a_rule_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(Invalid, match="no rule in these files"):
        files.read([written(tmp_path, rules=text)])


def test_everything_that_is_wrong_in_a_folder_is_said_at_once(tmp_path: Path) -> None:
    wrong = TWO.replace("name: Two", "nmae: Two").replace("count", "cuont")
    found = faults(
        tmp_path,
        a="name: [\n",
        b=f"{TWO.replace('60s', '60x')}---\n{wrong}",
        c=f"{ONE}---\n{ONE}severity: crit\n",
        d=ONE.replace("One", "Three"),
        e=ONE,
    )
    assert [place for place, _ in found] == [
        "…/a.yaml:2",
        "…/b.yaml:6: when.within",
        "…/b.yaml:8: name",
        "…/b.yaml:8: nmae",
        "…/b.yaml:11: when.kind",
        "…/c.yaml:5: name",
        "…/c.yaml:8: severity",
        "…/e.yaml:1: name",
    ]
    said = [message.replace(str(tmp_path), "…") for _, message in found]
    assert said[2:5] == [
        "is missing", "unknown field; did you mean `name`?", "unknown kind 'cuont'; did you mean count?",
    ]  # fmt: skip
    assert said[5] == said[7] == "is the same as that of …/c.yaml:1"


def test_bytes_that_are_no_text_are_named_by_their_line(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_bytes(b"name: One\nevent: \xff\xfe\n")
    assert faults(tmp_path) == [("…/rules.yaml:2", "this is not YAML text: it is not UTF-8")]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no file or folder"):
        files.read([tmp_path / "nowhere.yaml"])


def test_merged_fields_may_be_overridden(tmp_path: Path) -> None:
    text = "- &base {name: One, event: a, when: {kind: each}}\n- <<: *base\n  name: Two\n"
    assert names(files.read([written(tmp_path, rules=text)])) == ["One", "Two"]
