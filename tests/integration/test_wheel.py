"""The wheel: `pip install` of it works, with `apps/` and `sql/` inside; a checkout finds the same files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

ASK = """
import json, signaldesk
from signaldesk import statements
print(json.dumps({
    "package": signaldesk.__file__,
    "sql": str(statements.folder("sql")),
    "apps": str(statements.folder("apps")),
    "files": sorted(
        str(file.relative_to(statements.folder(name).parent))
        for name in ("sql", "apps")
        for file in statements.folder(name).rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    ),
}))
"""


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command away from the checkout, so that nothing of it is found by accident."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_"))
    }
    done = subprocess.run(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        pytest.fail(f"{' '.join(map(str, command))}\n{done.stdout}", pytrace=False)
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout without asking the network for anything."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment with the wheel in it, and what it needs borrowed from this one."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    run(
        *(
            sys.executable,
            "-m",
            "pip",
            "--python",
            python,
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            wheel,
        ),
        cwd=folder,
    )
    paths = sysconfig.get_paths("venv", vars={"base": str(folder), "platbase": str(folder)})
    (Path(paths["purelib"]) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


@pytest.mark.slow
def test_an_installed_wheel_finds_its_files_inside_itself(python: Path) -> None:
    found = json.loads(run(python, "-c", ASK, cwd=python.parent))
    package = Path(found["package"]).parent
    assert ROOT not in package.parents
    assert found["sql"] == str(package / "_bundled" / "sql")
    assert found["apps"] == str(package / "_bundled" / "apps")


@pytest.mark.slow
def test_a_checkout_and_a_wheel_carry_the_same_files(python: Path) -> None:
    installed = json.loads(run(python, "-c", ASK, cwd=python.parent))
    checkout = json.loads(run(sys.executable, "-c", ASK, cwd=python.parent))
    assert checkout["sql"] == str(ROOT / "sql")
    assert checkout["apps"] == str(ROOT / "apps")
    assert installed["files"] == checkout["files"]
    assert "sql/postgres/migrations/env.py" in installed["files"]


@pytest.mark.slow
def test_an_installed_wheel_migrates_a_database(python: Path, empty_database_url: str) -> None:
    migrate = "import sys; from signaldesk.store import migrate; print(migrate.upgrade(sys.argv[1]).current)"
    assert run(python, "-c", migrate, empty_database_url, cwd=python.parent).strip()


@pytest.mark.slow
def test_an_installed_wheel_finds_its_pages(python: Path) -> None:
    find = "from signaldesk.web.pages import find_pages; print(len(find_pages()))"
    assert int(run(python, "-W", "ignore", "-c", find, cwd=python.parent)) > 0


@pytest.mark.slow
def test_the_wheel_holds_nothing_but_the_package(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"signaldesk"}
