"""Statements: the files that travel with the code are found, read once and cut into named statements."""

from collections.abc import Callable
from pathlib import Path

import pytest

from signaldesk import statements

Installation = Callable[[dict[str, str]], Path]


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Makes an installation of the given files (path -> text) and lets `statements` live in it."""

    def make(files: dict[str, str]) -> Path:
        package = tmp_path / "signaldesk"
        package.mkdir()
        for path, text in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        monkeypatch.setattr(statements, "_PACKAGE", package)
        return tmp_path

    return make


def test_a_checkout_has_its_folders_beside_the_package(installation: Installation) -> None:
    root = installation({"pyproject.toml": "", "sql/redis/x.lua": "return 1"})
    assert statements.folder("sql") == root / "sql"
    assert statements.load("redis/x.lua") == "return 1"


def test_a_wheel_has_its_folders_inside_the_package(installation: Installation) -> None:
    root = installation({"signaldesk/_bundled/sql/redis/x.lua": "return 2", "sql/redis/x.lua": "return 1"})
    assert statements.folder("sql") == root / "signaldesk/_bundled/sql"
    assert statements.load("redis/x.lua") == "return 2"


def test_a_folder_of_somebody_else_in_site_packages_is_not_ours(installation: Installation) -> None:
    installation({"sql/redis/x.lua": "return 1"})
    with pytest.raises(FileNotFoundError, match=r"no folder sql/ .* install SignalDesk again"):
        statements.folder("sql")


def test_a_missing_file_is_answered_with_what_there_is(installation: Installation) -> None:
    installation({"pyproject.toml": "", "sql/redis/append.lua": "", "sql/redis/trim.lua": ""})
    with pytest.raises(FileNotFoundError, match=r"no file sql/redis/apend.lua; .*: append.lua, trim.lua"):
        statements.load("redis/apend.lua")


def test_a_file_is_cut_into_its_named_statements(installation: Installation) -> None:
    text = "-- Two of them.\n\n-- name: first\nSELECT 1;\n\n--name:  second_2\n-- why\nSELECT\n  2;\n"
    installation({"pyproject.toml": "", "sql/x.sql": text})
    assert statements.named("x.sql") == {"first": "SELECT 1;", "second_2": "-- why\nSELECT\n  2;"}


def test_what_a_caller_does_to_the_named_statements_stays_with_him(installation: Installation) -> None:
    installation({"pyproject.toml": "", "sql/x.sql": "-- name: a\nSELECT 1"})
    statements.named("x.sql").clear()
    assert list(statements.named("x.sql")) == ["a"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("-- name: a\nSELECT 1\n-- name: a\nSELECT 2", "the name a is given twice"),
        ("-- name: a\n-- name: b\nSELECT 2", "the name a has no statement"),
        ("SELECT 1;\n-- name: b\nSELECT 2", "a statement before the first name"),
    ],
)
def test_a_faulty_file_of_statements_is_refused(installation: Installation, text: str, fault: str) -> None:
    installation({"pyproject.toml": "", "sql/x.sql": text})
    with pytest.raises(ValueError, match=fault):
        statements.named("x.sql")


def test_the_real_folder_of_statements_is_there() -> None:
    assert (statements.folder("sql") / "postgres").is_dir()
