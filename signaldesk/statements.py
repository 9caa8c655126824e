"""Finds the files that travel with the code: `sql/` and `apps/`, in a checkout or inside a wheel.

A wheel carries them in `signaldesk/_bundled`; a checkout (and an editable install) has them beside the
package. Whoever reads one asks here and never counts parent folders.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_NAME = re.compile(r"^--\s*name:\s*(?P<name>[a-z_][a-z0-9_]*)\s*$", re.MULTILINE)


def folder(name: str) -> Path:
    """The folder `name` ("sql" or "apps") of this installation.

    Raises FileNotFoundError, naming every place looked at, when the installation is not whole.
    """
    return _folder(_PACKAGE, name)


def load(path: str) -> str:
    """The text of a file below `sql/`, for example `load("redis/append.lua")`; read once per process."""
    return _load(_PACKAGE, path)


def named(path: str) -> dict[str, str]:
    """The statements of a file below `sql/`, by name; each begins with a line `-- name: some_name`.

    Raises ValueError for a name given twice, a name without a statement, and a statement without a name.
    """
    return dict(_named(_PACKAGE, path))


@cache
def _folder(package: Path, name: str) -> Path:
    bundled, checkout = package / "_bundled" / name, package.parent / name
    if bundled.is_dir():
        return bundled
    # Without pyproject.toml, what is beside the package is site-packages and belongs to somebody else.
    if (package.parent / "pyproject.toml").is_file() and checkout.is_dir():
        return checkout
    raise FileNotFoundError(
        f"no folder {name}/ in {bundled.parent} nor beside the package in {package.parent}; "
        "install SignalDesk again, from a wheel or from a whole checkout"
    )


@cache
def _load(package: Path, path: str) -> str:
    file = _folder(package, "sql") / path
    if not file.is_file():
        near = sorted(other.name for other in file.parent.glob(f"*{file.suffix}"))
        raise FileNotFoundError(f"no file sql/{path}; in that folder: {', '.join(near) or 'nothing alike'}")
    return file.read_text(encoding="utf-8")


@cache
def _named(package: Path, path: str) -> dict[str, str]:
    head, *parts = _NAME.split(_load(package, path))
    if any(line.strip() and not line.lstrip().startswith("--") for line in head.splitlines()):
        raise ValueError(f"sql/{path}: a statement before the first name; put `-- name: some_name` above it")
    found: dict[str, str] = {}
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        if name in found:
            raise ValueError(f"sql/{path}: the name {name} is given twice; rename one of the statements")
        if not text.strip():
            raise ValueError(f"sql/{path}: the name {name} has no statement below it")
        found[name] = text.strip()
    return found
