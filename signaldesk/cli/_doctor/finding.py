"""One thing that was looked at."""

from __future__ import annotations

from typing import Literal, NamedTuple

Status = Literal["ok", "warning", "failed"]


class Finding(NamedTuple):
    """What was found; `mend` says what to do about it, and is empty where all is well."""

    check: str
    status: Status
    found: str
    mend: str = ""


def ok(check: str, found: str) -> Finding:
    return Finding(check, "ok", found)


def warning(check: str, found: str, mend: str) -> Finding:
    return Finding(check, "warning", found, mend)


def failed(check: str, found: str, mend: str) -> Finding:
    return Finding(check, "failed", found, mend)
