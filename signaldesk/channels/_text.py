"""Tenant text on its way into somebody else's markup: escaped, and cut so that it fits after escaping."""

from __future__ import annotations

from collections.abc import Callable

ELLIPSIS = "…"


def utf16(text: str) -> int:
    """Length in UTF-16 units: the strictest way in which services count characters."""
    return len(text) + sum(char > "\uffff" for char in text)


def fit(
    text: str, limit: int, *, escape: Callable[[str], str] = str, size: Callable[[str], int] = utf16
) -> str:
    """The escaped text in at most `limit` units; cut between characters, never inside an escape."""
    whole = escape(text)
    if size(whole) <= limit:
        return whole
    room = limit - size(ELLIPSIS)
    kept: list[str] = []
    for char in text:
        piece = escape(char)
        room -= size(piece)
        if room < 0:
            break
        kept.append(piece)
    return "".join(kept) + ELLIPSIS


def one_line(text: str) -> str:
    """The text without line breaks and control characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def many_lines(text: str) -> str:
    """The text with its line breaks and without other control characters."""
    return "\n".join(one_line(line) for line in text.splitlines())


def web_link(text: str | None) -> str | None:
    """The text when it is a link that is safe to offer: http(s), nothing that ends a markup early."""
    if text is None or not text.startswith(("http://", "https://")) or not text.isprintable():
        return None
    return None if any(char in text for char in " <>|\"'`()[]\\") else text
