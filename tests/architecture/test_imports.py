"""What an import may do: define things. No file, no process, no network; and the command line stays light."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from tests.architecture.conftest import Run

EVERYTHING = ("-W", "ignore", str(Path(__file__).with_name("import_everything.py")))
MODULES_AFTER = "import sys, json, {module}; print(json.dumps(sorted(sys.modules)))"
HEAVY = {"panel", "bokeh", "stripe", "sqlalchemy", "tornado", "duckdb", "pandas", "numpy", "alembic"}


def test_importing_us_does_nothing_but_define_things_and_needs_no_pandas(run: Run) -> None:
    """Pandas alone would be a fifth of what `up` spends on imports."""
    said = json.loads(run(*EVERYTHING, "signaldesk").splitlines()[-1])
    assert said == {"did": [], "threads": 0, "pandas": False}


def test_an_import_that_does_more_is_noticed(run: Run, tmp_path: Path) -> None:
    package = tmp_path / "naughty"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "reads.py").write_text("from naughty.helper import read\nread()\n")
    (package / "helper.py").write_text("import pathlib\n\ndef read(): pathlib.Path(__file__).read_text()\n")
    (package / "starts.py").write_text("import subprocess\n\nsubprocess.run(['true'])\n")
    (package / "waits.py").write_text("import threading\n\nthreading.Timer(9, print).start()\n")
    (package / "good.py").write_text("import sqlite3, email.parser\n")
    said = run(
        "-c",
        "import os, runpy, sys, threading; sys.argv[1:] = ['naughty'];"
        f"runpy.run_path({EVERYTHING[-1]!r}, run_name='__main__'); sys.stdout.flush(); os._exit(0)",
        PYTHONPATH=str(tmp_path),
    )
    found = json.loads(said)
    assert {line.split()[0] for line in found["did"]} == {"helper.py:3", "starts.py:3"}
    assert found["threads"] == 1


def test_the_web_role_starts_without_what_reads_history(run: Run) -> None:
    """DuckDB and Arrow take a while; the first request that needs them loads them."""
    modules = ("roles.web", "history.history", "history.finding", "backtest.bench", "backtest.jobs.jobs")
    imports = ", ".join(f"signaldesk.{name}" for name in modules)
    loaded = json.loads(run("-c", MODULES_AFTER.format(module=imports)))
    assert {"duckdb", "pyarrow", "adbc_driver_manager"}.intersection(loaded) == set()


def test_the_web_role_starts_without_pages_the_parser_of_filters_and_migrations(run: Run) -> None:
    """Each is a good part of the time until `up` is ready; they are loaded after that, or when needed."""
    loaded = json.loads(run("-c", MODULES_AFTER.format(module="signaldesk.roles.web")))
    assert {"panel", "bokeh", "sqlglot", "alembic"}.intersection(loaded) == set()


def test_logs_are_written_without_rich_which_others_may_still_load(run: Run) -> None:
    said = run(
        "-c",
        "import sys, signaldesk.log; print('rich' in sys.modules);"
        "import rich; print(sys.modules['rich'] is rich)",
    )
    assert said.split() == ["False", "True"]


def test_arrow_makes_its_arrays_without_pandas_in_the_process_of_a_backtest(run: Run) -> None:
    said = run(
        "-c",
        "import sys, pyarrow; from signaldesk.backtest.jobs.child import WithoutPandas;"
        "sys.meta_path.insert(0, WithoutPandas());"
        "print(pyarrow.array([1, 2]).to_pylist(), 'pandas' in sys.modules)",
    )
    assert said.split("\n")[0] == "[1, 2] False"


@pytest.mark.parametrize("module", ["signaldesk", "signaldesk.cli", "signaldesk.client", "signaldesk.here"])
def test_the_command_line_and_the_client_load_nothing_heavy(run: Run, module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} does not exist yet")
    loaded = json.loads(run("-c", MODULES_AFTER.format(module=module)))
    assert HEAVY.intersection(loaded) == set()
