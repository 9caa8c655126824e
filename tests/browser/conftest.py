"""A real Chromium. Without one these tests are skipped, except on CI, where they fail.

It is started once; so these tests, and their fixtures, share one event loop. A file's tests share a server
and what the browser has loaded from it. Each has an organisation, a log-in and a tab of its own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.support.sharing import once_a_file, share_a_loop, shared_loop
from tests.support.sharing import org as org
from tests.support.sharing import web_with_pages as web_with_pages
from tests.support.web import PASSWORD, Org, Web

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # All tabs of a server live in one process, and no other is begun in case somebody goes elsewhere.
    "--process-per-site",
    "--disable-features=SpareRendererForSitePerProcess,HttpsUpgrades,LensOverlay,MediaRouter,"
    "NetworkTimeServiceQuerying,OptimizationHints,PaintHolding",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    share_a_loop(items, Path(__file__).parent)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a browser: SIGNALDESK's tests bring none of their own."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        how = "install Debian's package chromium"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"no Chromium on this machine, and CI must have one: {how}")
        pytest.skip(f"no Chromium on this machine: {how}")
    return found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        await browser.close()


@once_a_file
async def context(browser: Browser, web: Web) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(
        base_url=web.url,
        viewport={"width": 1280, "height": 800},
        color_scheme="light",
        timezone_id="Europe/Berlin",
    )
    # Keeps the process of the server's tabs, and the scripts that it has compiled, from one test to the next.
    await (await context.new_page()).goto("/livez")
    yield context
    await context.close()


@shared_loop
async def complaints() -> list[str]:
    """What the browser had to complain about; a test of a good page ends with it empty."""
    return []


@shared_loop
async def page(context: BrowserContext, complaints: list[str]) -> AsyncIterator[Page]:
    """A tab of nobody's: our pages keep nothing in a browser but cookies."""
    page = await context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    yield page
    await page.close()
    await context.clear_cookies()


@shared_loop
async def member(page: Page, web: Web, org: Org) -> Page:
    """A tab of somebody who has logged in and has opened no page yet."""
    await enter(page, web, org)
    return page


@shared_loop
async def overview(member: Page) -> Page:
    """The Overview, live."""
    await member.goto("/overview")
    await live(member)
    return member


async def enter(page: Page, web: Web, org: Org) -> None:
    """Log in, without the form."""
    token = await web.services.sessions.open(org.founded.user_id, org.id)
    await page.context.add_cookies([{"name": "sd_session", "value": token, "url": web.url, "httpOnly": True}])


async def log_in(page: Page, org: Org) -> None:
    """Log in with the form that the page shows, and wait until what was asked for is there and live."""
    await page.get_by_label("E-mail").fill(org.email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await live(page)


async def live(page: Page) -> None:
    """Wait until the page has its line to the server."""
    await page.wait_for_selector("html[data-ready=true]")


class Screenshots:
    """Puts pictures of pages into the folder that the variable SCREENSHOTS names; without one takes none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    async def take(self, page: Page, name: str, *, full_page: bool = False) -> None:
        if self._folder is not None:
            await page.screenshot(path=self._folder / f"{name}.png", full_page=full_page)


@pytest.fixture
def screenshots() -> Screenshots:
    return Screenshots(Path(folder) if (folder := os.environ.get("SCREENSHOTS")) else None)
