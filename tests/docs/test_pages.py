"""Pages hold together: links lead somewhere, generated parts are current, every page can be found."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.docs.generated import parts
from tests.docs.pages import DOCS, ROOT, Page, page, pages

KNOWN_LANGUAGES = {
    "sh", "text", "yaml", "json", "ndjson", "python", "ini", "where", "where-refused", "",
}  # fmt: skip


@pytest.mark.parametrize("one", pages(), ids=str)
def test_every_link_leads_somewhere(one: Page) -> None:
    broken = []
    for line, target in one.links():
        parts = urlsplit(target)
        if parts.scheme:
            continue
        file = (one.path.parent / parts.path).resolve() if parts.path else one.path
        if not file.exists():
            broken.append(f"{one}:{line}: there is no {target}")
        elif parts.fragment and parts.fragment not in Page(file).anchors():
            broken.append(f"{one}:{line}: {file.name} has no heading #{parts.fragment}")
    assert not broken, "\n".join(broken)


def test_every_page_can_be_reached_from_the_first() -> None:
    seen: set[Path] = set()
    waiting = [DOCS / "index.md"]
    while waiting:
        file = waiting.pop()
        if file in seen or file.suffix != ".md" or not file.exists():
            continue
        seen.add(file)
        paths = (urlsplit(target).path for _, target in Page(file).links())
        waiting += [(file.parent / path).resolve() for path in paths if path]
    lost = {one.path for one in pages() if one.path.is_relative_to(DOCS)} - seen
    assert not lost, f"no page leads to {', '.join(sorted(map(str, lost)))}"


@pytest.mark.parametrize("place", parts(), ids=lambda place: f"{place[0]}: {place[1]}")
def test_what_comes_from_the_code_is_current(place: tuple[Page, str]) -> None:
    one, name = place
    assert one.marked().get(name) == parts()[place], f"{one} is out of date; run `python -m tests.docs`"


def test_every_generated_part_is_known() -> None:
    marked = {(one, name) for one in pages() for name in one.marked()}
    assert marked == set(parts())


@pytest.mark.parametrize("one", pages(), ids=str)
def test_blocks_say_what_language_they_are_in(one: Page) -> None:
    strange = [str(block) for block in one.blocks() if block.language not in KNOWN_LANGUAGES]
    assert not strange, f"unknown language: {', '.join(strange)}; tests/docs would not know what to check"


@pytest.mark.parametrize("one", pages(), ids=str)
def test_pages_have_one_title_and_lines_that_fit(one: Page) -> None:
    lines = one.text.splitlines()
    assert lines[0].startswith("# ")
    if "This file is written by" in one.text:
        return
    generated = "".join(one.marked().values())
    long = [
        f"{one}:{number}"
        for number, line in enumerate(lines, 1)
        if len(line) > 120 and not line.startswith("|") and line not in generated and "://" not in line
    ]
    assert not long, f"longer than 120 characters: {', '.join(long)}"


def test_the_readme_links_to_the_documentation() -> None:
    assert (DOCS / "index.md").resolve() in {
        (ROOT / urlsplit(target).path).resolve() for _, target in page("README.md").links()
    }
