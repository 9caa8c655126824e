"""`signaldesk tail`: what happens, as it happens, here and from afar."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Desk
from tests.support.commands import Terminal

RULE = "name: Tailed\nevent: tailed\nwhere: amount > 20\nwhen: {kind: each}\nseverity: error\n"


@pytest.fixture(scope="module")
def watched(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The installation with a rule that fires for every `tailed` above 20."""
    file: Path = tmp_path_factory.mktemp("rules") / "tailed.yaml"
    file.write_text(RULE)
    desk.terminal.run("rules", "apply", file)
    return desk


def test_events_and_alerts_appear_as_they_happen(watched: Desk) -> None:
    with watched.terminal.running("tail") as tail:
        tail.says("listening")
        watched.terminal.run("send", "tailed", "amount=30")
        tail.says('tailed  {"amount": 30}', within=10)
        tail.says("ERROR  Tailed", within=10)
        assert tail.stop() == 0


def test_from_afar_it_listens_through_the_websocket(watched: Desk, terminal: Terminal) -> None:
    away = terminal.with_(SIGNALDESK_URL=watched.up.url, SIGNALDESK_API_KEY=watched.key)
    with away.running("tail", "--json") as tail:
        tail.says("listening")
        watched.terminal.run("send", "tailed", "amount=40")
        tail.says('"amount": 40', within=10)
        tail.says('"title": "Tailed"', within=10)
        assert tail.stop() == 0
        kinds = {json.loads(line).get("kind", "event") for line in tail.out.splitlines()}
        assert {"event", "alert"} <= kinds


def test_only_what_is_wanted_is_shown(watched: Desk) -> None:
    with watched.terminal.running("tail", "--type", "want*", "--where", "n > 1") as tail:
        tail.says("listening")
        watched.terminal.run("send", "wanted", "n=1")
        watched.terminal.run("send", "other", "n=2")
        watched.terminal.run("send", "wanted", "n=3")
        tail.says('wanted  {"n": 3}', within=10)
        assert [line for line in tail.out.splitlines() if "n" in line] == [tail.out.strip()]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--where", "amount >"), "where"),
        (("--org", "beta"), "no organisation 'beta'"),
        (("--url", "x"), "address"),
    ],
)
def test_wrong_use_is_named_in_one_line(watched: Desk, words: tuple[str, ...], complaint: str) -> None:
    assert complaint in watched.terminal.refuses("tail", *words)


def test_a_wrong_key_is_not_tried_again_and_again(watched: Desk) -> None:
    words = ("tail", "--url", watched.up.url, "--key", "sk_" + "0" * 48)
    assert "this API key is not valid" in watched.terminal.refuses(*words)
