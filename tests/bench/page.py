"""The written report: which of its sections a new run replaces, and which it leaves alone."""

from __future__ import annotations

import re

_SECTION = re.compile(r"^(?=## )", re.MULTILINE)
_RUN = re.compile(r"^- (?:Command|Date): .*$", re.MULTILINE)


def split(text: str) -> tuple[str, dict[str, str]]:
    """What stands before the first section, and the sections by title, in order."""
    head, *parts = _SECTION.split(text)
    return head, {part.partition("\n")[0].removeprefix("## "): part for part in parts}


def together(old: str, head: str, sections: dict[str, str]) -> str:
    """The page with a new head and new sections. Old ones stay, with the command and date of their run."""
    old_head, before = split(old)
    run = "\n".join(_RUN.findall(old_head))
    kept = {title: _told(text, run) for title, text in before.items() if title not in sections}
    return _joined(head, {**sections, **kept})


def _told(section: str, run: str) -> str:
    """A section that says what run it is of."""
    if "- Command: " in section or not run:
        return section
    title, _, rest = section.partition("\n")
    return f"{title}\n\n{run}\n{rest}"


def replaced(old: str, title: str, section: str) -> str:
    """The page with one section renewed, at its place or at the end."""
    head, before = split(old)
    return _joined(head, {**before, title: section})


def _joined(head: str, sections: dict[str, str]) -> str:
    return "\n\n".join(part.rstrip("\n") for part in (head, *sections.values()) if part.strip()) + "\n"
