"""Events sent in the background: gathered, repeated, waited for; what is lost is said."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from signaldesk.client.background import Background, NotTaken
from signaldesk.client.http import Answer, Refused, Unreachable
from signaldesk.client.logs import LogHandler
from signaldesk.client.outgoing import line
from signaldesk.errors import Invalid, SignalDeskError


class Server:
    """Takes events, unless it was told what to answer; it can be held."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.bodies: list[bytes] = []
        self.keys: list[str] = []
        self._answers = iter(answers)
        self.asked = threading.Event()
        self.open = threading.Event()
        self.open.set()

    def post(self, path: str, content: bytes = b"", *, headers: Mapping[str, str] | None = None) -> Answer:
        self.asked.set()
        self.open.wait(20)
        self.bodies.append(content)
        self.keys.append((headers or {})["Idempotency-Key"])
        lines = content.splitlines()
        answer = next(self._answers, Answer(202, {"accepted": len(lines), "ids": [], "rejected": []}))
        if isinstance(answer, Exception):
            raise answer
        return answer


class Sending:
    """What a handler sends with."""

    def __init__(self, background: Background) -> None:
        self.background = background

    def post(self, type: str, payload: Mapping[str, Any], *, wait: bool = True, **more: Any) -> bool:
        return self.background.put(line(type, payload, id=None, **more), wait=wait)

    def flush(self, timeout: float | None = None) -> int:
        return self.background.flush(timeout)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def background(server: Server) -> Iterator[Background]:
    background = Background(server, batch=3, linger=0.01)
    yield background
    server.open.set()
    background.close(10)


def test_events_go_together_in_their_order(server: Server, background: Background) -> None:
    server.open.clear()
    for number in range(8):
        assert background.put(b"%d" % number)
    server.open.set()
    assert background.flush(10) == 8
    assert [one for body in server.bodies for one in body.splitlines()] == [b"%d" % n for n in range(8)]
    assert max(len(body.splitlines()) for body in server.bodies) == 3
    assert background.flush(10) == 0


def test_what_had_no_answer_is_repeated_under_the_same_key() -> None:
    server = Server(Unreachable("away", retry_after=0.01), Unreachable("away", retry_after=0.01))
    background = Background(server, linger=0)
    background.put(b"{}")
    assert background.flush(10) == 1
    assert len(server.keys) == 3 and len(set(server.keys)) == 1
    background.close()


def test_flushing_says_what_was_rejected_and_what_was_lost() -> None:
    wrong = {"index": 0, "code": "missing", "field": "type", "message": "is required"}
    server = Server(
        Answer(202, {"accepted": 0, "ids": [], "rejected": [wrong]}),
        Refused("the key is revoked", status=401, body={}, errors=()),
    )
    background = Background(server, linger=0, batch=1)
    background.put(b"{}")
    background.put(b"{}")
    with pytest.raises(NotTaken, match="1 event was rejected; 1 event was lost: the key is revoked") as error:
        background.flush(10)
    assert [fault.message for fault in error.value.errors] == ["is required"]
    background.put(b"{}")
    assert background.flush(10) == 1
    background.close()


def test_one_whose_patience_ends_loses_the_batch_and_says_so() -> None:
    server = Server(*[Unreachable("away", retry_after=0.01)] * 50)
    background = Background(server, linger=0, patience=0.05)
    background.put(b"{}")
    with pytest.raises(NotTaken, match="1 event was lost: away"):
        background.flush(10)
    background.close()


def test_who_sends_more_than_may_wait_waits_or_is_told(server: Server) -> None:
    background = Background(server, most=2, batch=1, linger=0)
    server.open.clear()
    background.put(b"under way")
    assert server.asked.wait(10), "it takes up no room any more"
    taken = [background.put(b"%d" % number, wait=False) for number in range(4)]
    assert taken[-1] is False
    waiting = threading.Thread(target=background.put, args=(b"later",))
    waiting.start()
    with pytest.raises(Unreachable, match="still on their way"):
        background.flush(0.05)
    assert waiting.is_alive()
    server.open.set()
    waiting.join(10)
    with pytest.raises(NotTaken, match=r"\d events? w\w+ dropped: too many were waiting"):
        background.flush(10)
    assert server.bodies[-1] == b"later"
    background.close()
    with pytest.raises(SignalDeskError, match="closed"):
        background.put(b"{}")


def test_flushing_for_a_while_says_what_it_was_waiting_for() -> None:
    server = Server(Unreachable("http://desk does not answer; is it up?", retry_after=0.5))
    background = Background(server, linger=0)
    background.put(b"{}")
    assert server.asked.wait(10)
    said = r"1 event is still on its way after 0.1 s: http://desk does not answer; is it up\?"
    with pytest.raises(Unreachable, match=said):
        background.flush(0.1)
    assert background.flush(10) == 1
    background.close()


def test_an_answer_that_is_none_loses_its_events_and_nothing_waits_for_ever() -> None:
    server = Server(Answer(200, {"hello": "I am another server"}))
    background = Background(server, linger=0)
    background.put(b"{}")
    with pytest.raises(NotTaken, match="1 event was lost: the answer cannot be read"):
        background.flush(10)
    background.put(b"{}")
    assert background.flush(10) == 1
    background.close()


def test_the_end_of_a_program_waits_for_what_is_on_its_way(server: Server) -> None:
    import weakref

    from signaldesk.client.background import _close

    background = Background(server, linger=60)
    background.put(b"{}")
    _close(weakref.ref(background))
    assert server.bodies == [b"{}"]


def test_the_end_of_a_program_says_which_events_are_lost_and_why(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import weakref

    from signaldesk.client import background as module

    monkeypatch.setattr(module, "AT_EXIT_S", 0.05)
    server.open.clear()
    background = Background(server, linger=0)
    background.put(b"{}")
    assert server.asked.wait(10)
    module._close(weakref.ref(background))
    said = capsys.readouterr().err
    assert said == "signaldesk: 1 event is still on its way after 0.05 s; the program ends all the same\n"
    server.open.set()


def test_an_event_is_what_was_said_with_what_json_does_not_know_as_text() -> None:
    noon = datetime(2026, 1, 31, 12, tzinfo=UTC)
    payload: dict[Any, Any] = {"n": 1, "id": "x", "set": {1}, "nan": float("nan"), 5: noon}
    said = line("a", payload, timestamp=noon, source="s", id="7")
    assert json.loads(said) == {
        "type": "a",
        "timestamp": "2026-01-31T12:00:00+00:00",
        "payload": {"n": 1, "id": "x", "set": "{1}", "nan": None, "5": "2026-01-31T12:00:00+00:00"},
        "source": "s",
        "id": "7",
    }
    with pytest.raises(Invalid) as error:
        line("", {}, timestamp=datetime(2026, 1, 31), source=None, id=None)  # noqa: DTZ001
    assert [fault.field for fault in error.value.errors] == ["type", "timestamp"]
    with pytest.raises(Invalid, match="cannot be written as JSON"):
        line("a", {"n": 2**70}, timestamp=None, source=None, id=None)


def test_log_records_are_events(server: Server, background: Background) -> None:
    handler = LogHandler(Sending(background), type="app.log", level="INFO")  # type: ignore[arg-type]
    logger = logging.Logger("shop.checkout")
    logger.addHandler(handler)
    logger.debug("too quiet")
    logger.info("order %s", 4711, extra={"country": "DE"})
    try:
        raise ValueError("no card")
    except ValueError:
        logger.exception("failed")
    own = logging.Logger("httpx")
    own.addHandler(handler)
    own.error("never sent")
    handler.flush()
    first, second = (json.loads(one) for body in server.bodies for one in body.splitlines())
    assert first["type"] == "app.log"
    told = {name: first["payload"][name] for name in ("level", "logger", "message", "country")}
    assert told == {"level": "INFO", "logger": "shop.checkout", "message": "order 4711", "country": "DE"}
    assert second["payload"]["exception"] == "ValueError"
    assert second["payload"]["traceback"].endswith("ValueError: no card\n")
