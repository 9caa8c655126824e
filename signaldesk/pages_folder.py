"""Loads the folder `apps/`, in a checkout or inside a wheel."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from signaldesk import statements


def load_apps() -> ModuleType:
    """The package `apps`, whoever else may have one of that name."""
    folder = statements.folder("apps")
    known = sys.modules.get("apps")
    if known is not None and known.__file__ == str(folder / "__init__.py"):
        return known
    spec = importlib.util.spec_from_file_location(
        "apps", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"{folder} is not a package of pages; install SignalDesk again")
    apps = importlib.util.module_from_spec(spec)
    sys.modules["apps"] = apps
    spec.loader.exec_module(apps)
    return apps
