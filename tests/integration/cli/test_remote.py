"""Commands that can ask another installation."""

from __future__ import annotations

import pytest

from tests.support.commands import Terminal

AWAY = "https://desk.example.com"
KEY = "sk_" + "0" * 48


@pytest.mark.parametrize(
    "words",
    [("query", "SELECT 1"), ("tail",), ("backtest", "rule.yaml", "--from", "2026-01-01"), ("send", "signup")],
    ids=lambda words: words[0],
)
def test_what_is_of_this_machine_is_refused_beside_an_address(
    terminal: Terminal, words: tuple[str, ...]
) -> None:
    by_option = (terminal, (*words, "--url", AWAY, "--key", KEY))
    by_variable = (terminal.with_(SIGNALDESK_URL=AWAY, SIGNALDESK_API_KEY=KEY), words)
    for one, asked in (by_option, by_variable):
        said = one.refuses(*asked, "--data", "elsewhere", expect=2)
        assert f"--data: names a folder on this machine, and --url or SIGNALDESK_URL names {AWAY}" in said
        if words[0] != "send":
            said = one.refuses(*asked, "--org", "acme", expect=2)
            assert f"--org: names one on this machine, and --url or SIGNALDESK_URL names {AWAY}" in said
            assert "give --key one of that organisation there, or no address" in said
