"""Finds the pages of `apps/`, in a checkout or inside a wheel."""

from __future__ import annotations

import importlib
from typing import Any

from signaldesk import registry
from signaldesk.pages_folder import load_apps


def find_pages() -> list[Any]:
    """Every `PAGE` of `apps/`, in the order of the sidebar. Imports Panel, once."""
    apps = load_apps()
    kind = importlib.import_module("apps.page").Page
    return sorted(registry.members(apps, "PAGE", kind), key=lambda page: page.order)
