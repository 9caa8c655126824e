"""Finds the members of a room: every module of a package that defines one thing of a kind."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")


def modules(package: ModuleType) -> list[ModuleType]:
    """The modules directly inside `package`, imported, by name; names that begin with `_` are left out."""
    return [
        importlib.import_module(f"{package.__name__}.{info.name}")
        for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name)
        if not info.name.startswith("_")
    ]


def members(package: ModuleType, attribute: str, kind: type[T]) -> list[T]:
    """What each module of `package` calls `attribute`, for the modules that have it.

    Raises TypeError when something by that name is not of the kind: a typo must not go unnoticed.
    """
    found: list[T] = []
    for module in modules(package):
        thing = getattr(module, attribute, None)
        if thing is None:
            continue
        if not isinstance(thing, kind):
            raise TypeError(f"{module.__name__}.{attribute} is not a {kind.__name__}")
        found.append(thing)
    return found
