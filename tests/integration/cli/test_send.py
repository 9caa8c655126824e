"""`signaldesk send`: one event, many events, and what is wrong with some of them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.conftest import Desk
from tests.support import eventually_now
from tests.support.commands import Terminal


def stored(desk: Desk, query: str, count: int) -> list[dict[str, Any]]:
    """So many stored events, as soon as they are."""

    def look() -> list[dict[str, Any]]:
        status, body = desk.up.get(f"/api/v1/events?{query}", key=desk.key)
        found: list[dict[str, Any]] = json.loads(body)["items"] if status == 200 else []
        return found if len(found) == count else []

    return eventually_now(look)


def file_of(desk: Desk, name: str, *lines: bytes) -> Path:
    path = desk.terminal.folder / name
    data = b"".join(line + b"\n" for line in lines)
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def event(type: str, n: int) -> bytes:
    return json.dumps({"type": type, "payload": {"n": n}}).encode()


def test_words_make_an_event(desk: Desk) -> None:
    said = desk.terminal.run(
        "send", "words", "country=DE", "amount=25.5", "user.plan=pro", "--source", "shell"
    )
    assert said.out.startswith("1 accepted")
    (found,) = stored(desk, "type=words", 1)
    assert found["payload"] == {"country": "DE", "amount": 25.5, "user": {"plan": "pro"}}
    assert found["source"] == "shell"


def test_one_event_may_be_sent_several_times(desk: Desk) -> None:
    desk.terminal.run("send", "often", "--times", "3")
    stored(desk, "type=often", 3)


@pytest.mark.parametrize("name", ["many.ndjson", "many.ndjson.gz"])
def test_a_file_is_sent_in_order(desk: Desk, name: str) -> None:
    type = name.replace(".", "_")
    file = file_of(desk, name, *(event(type, n) for n in range(25)))
    said = desk.terminal.run("send", "--file", file, "--batch", "10", "--json").json()
    assert (said["accepted"], said["rejected"], said["replay"]) == (25, [], None)
    assert [one["payload"]["n"] for one in stored(desk, f"type={type}&limit=100", 25)] == list(
        range(24, -1, -1)
    )


def test_standard_input_is_a_file_too(desk: Desk) -> None:
    desk.terminal.run("send", "--file", "-", stdin='{"type": "piped"}\n')
    stored(desk, "type=piped", 1)


def test_lines_that_are_wrong_are_named_and_the_rest_is_taken(desk: Desk) -> None:
    file = file_of(
        desk, "some.ndjson", event("some", 1), b"", b"no json", b'{"payload": {}}', event("some", 2)
    )
    said = desk.terminal.run("send", "--file", file, expect=1)
    assert said.out.startswith("2 accepted") and said.out.rstrip().endswith("2 rejected")
    assert [line.split(":")[0] for line in said.err.splitlines()] == ["line 3", "line 4"]
    assert "type" in said.err
    stored(desk, "type=some", 2)


def test_an_import_has_a_lane_of_its_own(desk: Desk) -> None:
    old = json.dumps({"type": "flown", "timestamp": "2013-01-01T05:15:00Z"}).encode()
    file = file_of(desk, "flights.ndjson", old)
    named = desk.terminal.run("send", "--file", file, "--replay", "january", "--json").json()
    made = desk.terminal.run("send", "--file", file, "--replay", "--json").json()
    assert named["replay"] == "january"
    assert made["replay"].startswith("flights-")
    for lane in (named["replay"], made["replay"]):
        (found,) = stored(desk, f"type=flown&replay={lane}", 1)
        assert found["timestamp"].startswith("2013-01-01T05:15:00")
    assert json.loads(desk.up.get("/api/v1/events?type=flown", key=desk.key)[1])["items"] == []


def test_another_installation_is_named_by_url_and_key(desk: Desk, terminal: Terminal) -> None:
    away = terminal.with_(SIGNALDESK_URL=desk.up.url, SIGNALDESK_API_KEY=desk.key)
    away.run("send", "from_afar")
    terminal.run("send", "from_afar", "--url", desk.up.url, "--key", desk.key)
    stored(desk, "type=from_afar", 2)


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        ((), 2, "name the TYPE of one event, or a --file"),
        (("a", "--file", "x"), 2, "not both"),
        (("a", "country"), 2, "is not key=value"),
        (("a", "--notify"), 2, "only an import"),
        (("a", "--times", "0"), 2, "--times"),
        (("--file", "nowhere.ndjson"), 1, "cannot read nowhere.ndjson"),
        (("a", "--key", "sk_wrong"), 1, "48 hexadecimal"),
        (("country=DE", "amount=25.5"), 2, "the TYPE stands before that"),
        (("a", "--key", "sk_" + "0" * 48), 1, "this API key is not valid"),
        (("a", "--url", "localhost"), 1, "is no address"),
        (("a", "--url", "http://127.0.0.1:1", "--patience", "0"), 1, "does not answer"),
        (("a", "--replay=no/slashes"), 1, "X-SignalDesk-Replay"),
    ],
)
def test_wrong_use_is_named_in_one_line(
    desk: Desk, words: tuple[str, ...], code: int, complaint: str
) -> None:
    assert complaint in desk.terminal.refuses("send", *words, expect=code)


def test_a_file_that_is_no_gzip_is_named(desk: Desk) -> None:
    (desk.terminal.folder / "fake.gz").write_bytes(b"{}\n")
    assert "fake.gz is not gzip" in desk.terminal.refuses("send", "--file", "fake.gz")


def test_without_a_key_it_says_how_to_make_one(desk: Desk) -> None:
    said = desk.terminal.with_(SIGNALDESK_API_KEY=None).refuses("send", "a")
    assert "signaldesk keys create" in said


def test_with_nothing_running_it_says_how_to_name_an_address(terminal: Terminal) -> None:
    assert "--url" in terminal.refuses("send", "a")
