"""The commands of the documentation do what they say, typed as written against a real `signaldesk up`."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from tests.docs.pages import Page, page, pages
from tests.docs.shell import SERVERS, Terminal, commands, shows
from tests.support.commands import WARM
from tests.support.endpoint import endpoint

SET_UP = """
make up
echo 'correct horse battery' | signaldesk init --email you@example.com --org 'Acme Shop' --password-stdin
export SIGNALDESK_API_KEY=$(signaldesk keys create --scopes '*')
"""
"""What the pages take for granted that are no walk-throughs."""


def runnable(one: Page) -> list[str]:
    blocks = [block for block in one.blocks("sh") if not block.not_run]
    return [command for block in blocks for command in commands(block.text)]


def walks(one: Page) -> bool:
    """Whether the page begins with nothing, and so starts everything itself."""
    typed = runnable(one)
    return len(typed) > 1 and SERVERS.match(typed[0]) is not None


@pytest.mark.slow
@pytest.mark.parametrize("one", [one for one in pages() if walks(one)], ids=str)
async def test_a_walk_through_leads_where_it_says(one: Page, tmp_path: Path) -> None:
    async with Terminal(tmp_path, None if one == page("README.md") else WARM) as terminal:
        await terminal.follow(one)


@pytest.mark.slow
async def test_the_commands_of_all_other_pages_work(tmp_path: Path) -> None:
    async with Terminal(tmp_path, WARM) as terminal:
        await terminal.type(SET_UP, where="set-up")
        for one in pages():
            if runnable(one) and not walks(one):
                await terminal.follow(one)


def test_the_walk_throughs_are_known() -> None:
    assert {one for one in pages() if walks(one)} == {
        page(name) for name in ("README.md", "first-alert.md", "flights.md")
    }


async def test_a_command_that_fails_is_named_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"page:7: failed \(exit code 1\)\nbefore"):
        async with Terminal(tmp_path) as terminal:
            await terminal.type("echo before\nfalse\necho after\n", where="page:7")


async def test_our_own_curl_does_what_the_pages_ask_of_it(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    curl = terminal._our_curl() / "curl"
    async with endpoint() as hook:
        command = f"""echo '{{"a": 1}}' | {curl} -sS {hook.url} -H 'X-Y: z' --data-binary @-"""
        typed = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE)
        said, _ = await typed.communicate()
    (received,) = hook.received
    assert (received.method, received.headers["x-y"], received.body) == ("POST", "z", b'{"a": 1}\n')
    assert typed.returncode == 0 and said == b"ok"


def test_every_curl_of_the_pages_is_within_our_own() -> None:
    known = {"-sS", "-X", "-H", "-d", "--data-binary"}
    for one in pages():
        for block in one.blocks("sh"):
            curls = re.findall(r"curl ((?:[^|\n\\]|\\\n)+)", block.text)
            used = {flag for text in curls for flag in re.findall(r"(?<=\s)(-[\w-]+)(?=\s)", f" {text} ")}
            assert used <= known, f"{block}: {used - known}"


def test_commands_are_told_apart() -> None:
    text = (
        "a \\\n  b\nfor x in 1 2; do\n  c $x\ndone\n# remark\ncat > f <<'EOF'\nit's\nEOF\nd '\ne' | f\n\ng\n"
    )
    assert commands(text) == [
        "a \\\n  b",
        "for x in 1 2; do\n  c $x\ndone",
        "cat > f <<'EOF'\nit's\nEOF",
        "d '\ne' | f",
        "g",
    ]


def test_what_is_seen_is_compared_line_by_line() -> None:
    assert shows("one\ntwo 17 three\nfour\n", ["two … three", "four"])
    assert not shows("four\ntwo 17 three\n", ["two … three", "four"])
    assert not shows("two 17 three and more\n", ["two … three"])
