"""How to get into the example organisation: kept in the data folder, for the owner's eyes only."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Credentials:
    """Log-in of the owner, and a key that may do everything."""

    email: str
    password: str
    key: str


def kept_in(data_dir: Path) -> Path:
    return data_dir / "demo.json"


def read(data_dir: Path, *, since: float = 0.0) -> Credentials | None:
    """What was kept at or after `since` (seconds since 1970); None when nothing was, or nothing legible."""
    file = kept_in(data_dir)
    try:
        return Credentials(**json.loads(file.read_text("utf-8"))) if file.stat().st_mtime >= since else None
    except (OSError, ValueError, TypeError):
        return None


def keep(data_dir: Path, credentials: Credentials) -> None:
    file = kept_in(data_dir)
    fresh = file.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        json.dump(asdict(credentials), out)
    fresh.replace(file)
