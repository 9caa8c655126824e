"""Running the project's own tools on the project."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., str]


@pytest.fixture
def root() -> Path:
    """The folder of the checkout."""
    return Path(__file__).resolve().parents[2]


@pytest.fixture
def run(root: Path) -> Run:
    """Runs a command with this Python, in the checkout unless told otherwise.

    Returns what it printed; fails the test with it unless the exit code is the expected one.
    """

    def run(*command: str, cwd: Path = root, expect: int = 0, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=cwd,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode != expect:
            pytest.fail(f"{' '.join(command)}\n{done.stdout}", pytrace=False)
        return done.stdout

    return run
