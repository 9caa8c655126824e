"""Reads the documentation's Markdown: pages, fenced blocks, headings, links, tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w-]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_LINK = re.compile(r"(?<!\\)!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (?P<text>.+)$", re.MULTILINE)
_NOT_RUN = re.compile(r"<!-- not run: (?P<reason>.+?) -->\n\Z")
_MARK = re.compile(r"<!-- begin: (?P<name>[\w -]+) -->\n(?P<text>.*?)<!-- end: (?P=name) -->", re.DOTALL)


class Block(NamedTuple):
    """A fenced block: its language, its text, and where it is."""

    page: Page
    line: int
    language: str
    text: str
    not_run: str
    """Why nobody runs it, for blocks with the remark `<!-- not run: reason -->` before them."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


class Table(NamedTuple):
    """A table: its heading and its rows, without the marks of code."""

    page: Page
    line: int
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        """The text with fenced blocks and code spans left out."""
        return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", self.text))

    def blocks(self, *languages: str) -> list[Block]:
        """The fenced blocks of these languages, or all of them."""
        text, found = self.text, []
        for match in _FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            body = re.sub(f"^{match['indent']}", "", match["text"], flags=re.MULTILINE)
            remark = _NOT_RUN.search(text[: match.start()])
            reason = remark["reason"] if remark else ""
            found.append(Block(self, line, match["language"], body, reason))
        return [block for block in found if not languages or block.language in languages]

    def anchors(self) -> set[str]:
        """What links may point to, as GitHub and mkdocs make it from headings."""
        plain = _FENCE.sub("", self.text)
        return {anchor(match["text"]) for match in _HEADING.finditer(plain)}

    def links(self) -> Iterator[tuple[int, str]]:
        """(line, target) of every link and image."""
        text = self.text
        blanked = _FENCE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
        for match in _LINK.finditer(re.sub(r"`[^`\n]*`", lambda code: " " * len(code[0]), blanked)):
            yield text.count("\n", 0, match.start()) + 1, match["target"]

    def tables(self, *head: str) -> list[Table]:
        """The tables whose heading begins with these columns."""
        found, lines = [], self.text.splitlines()
        for number, line in enumerate(lines):
            if not re.fullmatch(r"\|( :?-+:? \|)+", line.strip()):
                continue
            end = number + 1
            while end < len(lines) and lines[end].startswith("|"):
                end += 1
            rows = tuple(_cells(row) for row in lines[number + 1 : end])
            table = Table(self, number, _cells(lines[number - 1]), rows)
            if table.head[: len(head)] == head:
                found.append(table)
        return found

    def marked(self) -> dict[str, str]:
        """The parts between `<!-- begin: NAME -->` and `<!-- end: NAME -->`."""
        return {match["name"]: match["text"] for match in _MARK.finditer(self.text)}

    def replace(self, name: str, text: str) -> None:
        """Write a marked part anew."""
        begin, end = f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->"
        head, _, rest = self.text.partition(begin)
        _, _, tail = rest.partition(end)
        self.path.write_text(f"{head}{begin}{text}{end}{tail}", encoding="utf-8")


def anchor(heading: str) -> str:
    """`## Sending the same thing twice` → `sending-the-same-thing-twice`."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
    return re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")


def _cells(row: str) -> tuple[str, ...]:
    cells = re.split(r"(?<!\\)\|", row.strip().removeprefix("|").removesuffix("|"))
    return tuple(_plain(cell.strip()) for cell in cells)


def _plain(cell: str) -> str:
    """A cell that is one piece of code as that code, any other as it is."""
    code = re.fullmatch(r"`([^`]+)`", cell)
    return (code[1] if code else cell).replace("\\|", "|")


def pages() -> list[Page]:
    """Every page of the documentation, README and the like included."""
    top = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")]
    return [Page(path) for path in (*top, *sorted(DOCS.rglob("*.md"))) if path.exists()]


def page(name: str) -> Page:
    """The page of that path, below `docs` unless it is one of the root's."""
    path = DOCS / name
    return Page(path if path.exists() else ROOT / name)
