"""Runs a notebook from top to bottom in a fresh kernel, and an installation for it to connect to."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from tests.support.commands import Terminal, up

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PATIENCE_S = 120
"""For one cell."""


def notebooks() -> list[Path]:
    """In the order in which they are read."""
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def run(path: Path, folder: Path, variables: Mapping[str, str]) -> Any:
    """The notebook with new outputs. It works in `folder`, and sees these SIGNALDESK_… variables.

    Raises CellExecutionError for the first cell that fails.
    """
    found = read(path)
    for cell in found.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    manager = AsyncKernelManager(connection_file=str(folder / "kernel.json"))
    # This Python, whatever kernel people have installed under the usual name.
    manager.kernel_spec.argv[0] = sys.executable
    client = NotebookClient(
        found, km=manager, timeout=PATIENCE_S, record_timing=False, resources={"metadata": {"path": folder}}
    )
    client.owns_km = True  # so that it ends the kernel
    plain = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALDESK_")}
    client.execute(env={**plain, "TZ": "UTC", "IPYTHONDIR": str(folder / "ipython"), **variables})
    return found


@contextmanager
def installation(folder: Path, **settings: str) -> Iterator[dict[str, str]]:
    """A running `signaldesk up` with an organisation; the variables with which `sd.connect()` finds it.

    `settings` are variables of its own, such as the servers that it is to use.
    """
    terminal = Terminal(folder, {"SIGNALDESK_DATA_DIR": str(folder / "data"), **settings})
    with up(terminal, folder / "data") as running:
        founded = ("init", "--email", "you@example.com", "--org", "Acme Shop", "--password-stdin")
        terminal.run(*founded, stdin="correct horse battery\n")
        key = terminal.run("keys", "create", "--scopes", "*").out.strip()
        yield {"SIGNALDESK_URL": running.url, "SIGNALDESK_API_KEY": key}
