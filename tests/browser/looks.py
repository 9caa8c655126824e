"""The looks of a page, every size in every theme, and what axe has to say about each.

A page is loaded once and turned through its looks, as its visitor would: loading it costs more than looking.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Page

from tests.browser.conftest import Screenshots

SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
THEMES = ("light", "dark")
SETTLES_MS = 300
"""A chart fits itself into its new place on the next frames."""

# To load all style sheets and media once more is for two rules, neither of which is both on and serious.
_SERIOUS = """async (rules) => {
    const found = await axe.run({resultTypes: ["violations"], preload: false, ...rules});
    return found.violations
        .filter(({impact}) => impact === "serious" || impact === "critical")
        .map(({id, nodes}) => `${id}: ${nodes.map(({html}) => html.slice(0, 160)).join(", ")}`);
}"""
_OF_COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}


@dataclass(frozen=True)
class Look:
    """A theme and a width in pixels."""

    theme: str
    size: str

    @property
    def width(self) -> int:
        return SIZES[self.size][0]

    def __str__(self) -> str:
        return f"{self.theme}-{self.size}"


async def looks(page: Page) -> AsyncIterator[Look]:
    """Turn a page that is there through its looks; it ends in the theme that it began with."""
    await page.emulate_media(reduced_motion="reduce")
    for size, (width, height) in SIZES.items():
        await page.set_viewport_size({"width": width, "height": height})
        await page.wait_for_timeout(SETTLES_MS)
        for _ in THEMES:
            yield Look(await page.evaluate("document.documentElement.dataset.theme"), size)
            await page.evaluate("document.querySelector('[data-theme-toggle]').click()")


async def assert_accessible(page: Page, name: str, screenshots: Screenshots) -> None:
    """In no look axe finds anything serious or critical, and nothing hangs over the page's side.

    A theme changes nothing but colours, so in the second one axe looks at these only.
    """
    seen: dict[str, set[str]] = {}
    async for look in looks(page):
        await screenshots.take(page, f"{name}-{look}", full_page=True)
        themes = seen.setdefault(look.size, set())
        found = await serious(page, **(_OF_COLOURS if themes else {}))
        assert found == [], (page.url, look, found)
        assert await page.evaluate("document.documentElement.scrollWidth") <= look.width, (page.url, look)
        themes.add(look.theme)
    assert seen == {size: set(THEMES) for size in SIZES}


async def serious(page: Page, **rules: object) -> list[str]:
    """Violations that axe calls serious or critical, with the elements they are about."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE_SCRIPT)
    found: list[str] = await page.evaluate(_SERIOUS, rules)
    return found
