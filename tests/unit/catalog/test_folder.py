"""A folder is brought up to date with the saved rules, and what its owners wrote around them stays."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from signaldesk.catalog import files
from signaldesk.catalog.folder import export
from signaldesk.errors import Invalid
from signaldesk.store.rules import StoredRule

NOW = datetime(2026, 1, 31, tzinfo=UTC)
ONE = {"name": "One", "event": "a", "when": {"kind": "each"}}
TWO = {"name": "Two", "event": "b", "when": {"kind": "count", "at_least": 3, "within": "1m"}}


def saved(*bodies: dict[str, Any]) -> list[StoredRule]:
    return [
        StoredRule(UUID(int=number), body["name"], 1, 1, "", body, NOW, NOW)
        for number, body in enumerate(bodies, 1)
    ]


def changes(folder: Path, *bodies: dict[str, Any]) -> list[tuple[str, str, str]]:
    done = export(folder, saved(*bodies))
    return [(one.name, str(one.file.relative_to(folder)), one.change) for one in done]


def test_an_empty_folder_gets_a_file_for_each_rule(tmp_path: Path) -> None:
    assert changes(tmp_path / "new", ONE, TWO) == [
        ("One", "one.yaml", "written"), ("Two", "two.yaml", "written"),
    ]  # fmt: skip
    assert files.read([tmp_path]).documents == [ONE, TWO]


def test_a_second_time_nothing_is_written(tmp_path: Path) -> None:
    export(tmp_path, saved(ONE, TWO))
    for file in tmp_path.iterdir():
        file.chmod(0o400)
    before = {file: (file.stat().st_mtime_ns, file.stat().st_ino) for file in tmp_path.iterdir()}
    assert [change for *_, change in changes(tmp_path, ONE, TWO)] == ["unchanged", "unchanged"]
    assert {file: (file.stat().st_mtime_ns, file.stat().st_ino) for file in tmp_path.iterdir()} == before


def test_the_same_rule_written_differently_is_unchanged(tmp_path: Path) -> None:
    text = "# ours\nwhen: {within: 60s, kind: count, at_least: 3}\nname: 'Two'\nevent: [b] # only b\n"
    (tmp_path / "mine.yml").write_text(text)
    assert changes(tmp_path, TWO) == [("Two", "mine.yml", "unchanged")]
    assert (tmp_path / "mine.yml").read_text() == text


def test_of_a_rule_that_changed_only_its_own_text_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(
        "# the first\nname: One\nevent: x\nwhen: {kind: each}\n\n# between\n---\n# the second\n"
        "name: Two # kept\nevent: b\nwhen: {kind: count, at_least: 3, within: 60s}\n# the end\n"
    )
    assert changes(tmp_path, ONE, TWO) == [("One", "all.yaml", "rewritten"), ("Two", "all.yaml", "unchanged")]
    assert (tmp_path / "all.yaml").read_text() == (
        "# the first\nname: One\nevent: a\nwhen:\n  kind: each\n\n# between\n---\n# the second\n"
        "name: Two # kept\nevent: b\nwhen: {kind: count, at_least: 3, within: 60s}\n# the end\n"
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "rules:\n  # first\n  - name: One\n    event: x\n    when: {kind: each}\n  # then\n"
            "  - {name: Two, event: x, when: {kind: each}} # flat\n",
            "rules:\n  # first\n  - name: One\n    event: a\n    when:\n      kind: each\n  # then\n"
            "  - {name: Two, event: b, when: {kind: count, at_least: 3, within: 1m}} # flat\n",
        ),
        (
            "[{name: One, event: x, when: {kind: each}},\n {name: Two, event: x, when: {kind: each}}]\n",
            "[{name: One, event: a, when: {kind: each}},\n"
            " {name: Two, event: b, when: {kind: count, at_least: 3, within: 1m}}]\n",
        ),
    ],
)
def test_several_rules_of_one_file_are_replaced_in_their_style(
    tmp_path: Path, text: str, wanted: str
) -> None:
    (tmp_path / "all.yaml").write_text(text)
    assert {change for *_, change in changes(tmp_path, ONE, TWO)} == {"rewritten"}
    assert (tmp_path / "all.yaml").read_text() == wanted


def test_a_rule_that_others_borrow_from_is_left_to_people(tmp_path: Path) -> None:
    text = "- &base {name: One, event: x, when: {kind: each}}\n- {<<: *base, name: Two}\n"
    (tmp_path / "all.yaml").write_text(text)
    with pytest.raises(Invalid, match=r"all\.yaml:1: One cannot be replaced here"):
        export(tmp_path, saved(ONE, {**ONE, "name": "Two", "event": "x"}))
    assert (tmp_path / "all.yaml").read_text() == text


def test_a_file_whose_rule_is_not_saved_is_named_and_left(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text("name: Old\nevent: a\nwhen: {kind: each}\n")
    assert changes(tmp_path, ONE) == [("One", "one.yaml", "written"), ("Old", "old.yaml", "foreign")]


def test_names_that_look_alike_get_files_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("name: other\nevent: a\nwhen: {kind: each}\n")
    done = changes(tmp_path, ONE, {**ONE, "name": "one!"}, {**ONE, "name": "日本"})
    named = [file for name, file, _ in done if name != "other"]
    assert named[0] != "one.yaml" and len(set(named)) == 3
    assert changes(tmp_path, ONE, {**ONE, "name": "one!"}, {**ONE, "name": "日本"})[0][2] == "unchanged"


def test_a_folder_with_faults_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("name: One\nevnt: a\n")
    with pytest.raises(Invalid) as caught:
        export(tmp_path, saved(ONE))
    places = [fault.field.rpartition("/")[2] for fault in caught.value.errors]
    assert sorted(places) == ["one.yaml:1: event", "one.yaml:1: when", "one.yaml:2: evnt"]
    assert [file.name for file in tmp_path.iterdir()] == ["one.yaml"]


def test_lines_keep_their_ends(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_bytes(b"# ours\r\nname: One\r\nevent: x\r\nwhen: {kind: each}\r\n# end\r\n")
    export(tmp_path, saved(ONE))
    text = (tmp_path / "all.yaml").read_bytes()
    assert text.startswith(b"# ours\r\nname: One\n") and text.endswith(b"kind: each\r\n# end\r\n")
