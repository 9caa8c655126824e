"""Where a progress bar goes: to standard error, if somebody sees it there."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from rich.console import Console


class Shown(TypedDict):
    """Arguments of Rich's bars."""

    console: Console
    disable: bool


def shown() -> Shown:
    """In a notebook Rich draws with ipywidgets, and warns in every cell where these are missing."""
    from rich.console import Console

    console = Console(stderr=True)
    drawn = find_spec("ipywidgets") is not None if console.is_jupyter else console.is_terminal
    return {"console": console, "disable": not drawn}
