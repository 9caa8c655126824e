"""The contract of the rooms (`.importlinter`): it is kept, and it bites."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.architecture.conftest import Run

LINT = (
    "-c",
    "import sys; from importlinter.cli import lint_imports_command; lint_imports_command()",
    "--no-cache",
    "--no-logo",
)

WRONG = {
    "signaldesk/model/wrong.py": "import redis, apps, signaldesk.store",
    "signaldesk/embedded/wrong.py": "import psycopg\nfrom signaldesk import store",
    "signaldesk/clock.py": "import signaldesk.ids",
    "signaldesk/log.py": "import tornado",
    "apps/wrong.py": "import httpx",
}
COMPLAINTS = (
    "signaldesk.model.wrong -> redis",
    "signaldesk.model.wrong -> apps",
    "signaldesk.model.wrong -> signaldesk.store",
    "signaldesk.embedded.wrong -> psycopg",
    "signaldesk.embedded.wrong -> signaldesk.store",
    "signaldesk.clock -> signaldesk.ids",
    "signaldesk.log -> tornado",
    "apps.wrong -> httpx",
)


def test_nobody_goes_into_a_room_he_has_no_business_in(run: Run) -> None:
    run(*LINT, COLUMNS="110")


def test_whoever_does_is_named(run: Run, copy: Path) -> None:
    for path, line in WRONG.items():
        with (copy / path).open("a") as file:
            file.write(f"\n{line}\n")
    said = run(*LINT, cwd=copy, expect=1, COLUMNS="110")
    assert [complaint for complaint in COMPLAINTS if complaint not in said] == []


def test_a_new_room_has_to_be_given_its_place(run: Run, copy: Path) -> None:
    (copy / "signaldesk" / "attic").mkdir()
    (copy / "signaldesk" / "attic" / "__init__.py").touch()
    assert "attic" in run(*LINT, cwd=copy, expect=1, COLUMNS="110")


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    """A copy of the code in which a test may do wrong."""
    for folder in ("signaldesk", "apps"):
        shutil.copytree(root / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / ".importlinter", tmp_path)
    return tmp_path
