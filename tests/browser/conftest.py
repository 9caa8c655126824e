"""A real Chromium. Without one these tests are skipped, except on CI, where they fail.

It is started once; so these tests, and their fixtures, share one event loop.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.support.web import PASSWORD, Org, Web, running_web

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


shared_loop = pytest_asyncio.fixture(loop_scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


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


@shared_loop
async def web(database_url: str, redis_url: str) -> AsyncIterator[Web]:
    async with running_web(database_url, redis_url, pages=True) as web:
        yield web


@shared_loop
async def org(web: Web) -> Org:
    return await web.found("Acme")


@shared_loop
async def context(browser: Browser, web: Web) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(
        base_url=web.url,
        viewport={"width": 1280, "height": 800},
        color_scheme="light",
        timezone_id="Europe/Berlin",
    )
    yield context
    await context.close()


@shared_loop
async def complaints() -> list[str]:
    """What the browser had to complain about; a test of a good page ends with it empty."""
    return []


@shared_loop
async def page(context: BrowserContext, complaints: list[str]) -> Page:
    page = await context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    return page


@shared_loop
async def overview(page: Page, org: Org) -> Page:
    """The Overview, logged in and live."""
    await page.goto("/overview")
    await page.get_by_label("E-mail").fill(org.email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await live(page)
    return page


async def live(page: Page) -> None:
    """Wait until the page has its line to the server."""
    await page.wait_for_selector("html[data-ready=true]")


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    """Where pictures go: the folder in the variable SCREENSHOTS, or a folder of the test's own."""
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path / "screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
