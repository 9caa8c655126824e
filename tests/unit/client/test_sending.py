"""Sending goes on until there is an answer, under the same Idempotency-Key, and gives up in the end."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from signaldesk.client.http import Api, Refused, Unreachable
from signaldesk.client.lines import Batch, batches
from signaldesk.client.sending import Rejected, Sender
from signaldesk.errors import SignalDeskError

KEY = "sk_" + "0" * 48
Answer = httpx.Response | Exception


class Server:
    """Answers requests with what it was given, one after the other, and remembers them."""

    def __init__(self, *answers: Answer) -> None:
        self.requests: list[httpx.Request] = []
        self._answers: Iterator[Answer] = iter(answers)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def keys(self) -> list[str]:
        return [request.headers["Idempotency-Key"] for request in self.requests]


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def now(self) -> float:
        return sum(self.slept)


def sender(server: Server, time: Time | None = None, **options: Any) -> Sender:
    api = Api("https://desk.test", KEY, transport=httpx.MockTransport(server))
    time = time or Time()
    return Sender(api, sleep=time.sleep, now=time.now, **options)


def taken(count: int, *rejected: dict[str, Any]) -> httpx.Response:
    return httpx.Response(202, json={"accepted": count, "ids": ["x"] * count, "rejected": list(rejected)})


def problem(
    status: int, detail: str = "no", headers: dict[str, str] | None = None, **more: Any
) -> httpx.Response:
    body = {"status": status, "code": "c", "detail": detail, "errors": [], **more}
    return httpx.Response(status, json=body, headers=headers)


def wrong(index: int) -> dict[str, Any]:
    return {"index": index, "code": "missing", "field": "type", "message": "is required"}


def batch(*lines: bytes) -> Batch:
    (found,) = batches(lines)
    return found


@pytest.mark.parametrize(
    "trouble",
    [
        lambda: httpx.ConnectError("refused"),
        lambda: httpx.ReadTimeout("no answer"),
        lambda: problem(503),
        lambda: problem(429),
        lambda: httpx.Response(502, text="<h1>Bad Gateway</h1>"),
    ],
)
def test_what_had_no_answer_is_sent_again_under_the_same_key(trouble: Callable[[], Answer]) -> None:
    server = Server(trouble(), trouble(), taken(1), taken(1))
    sending = sender(server)
    sending.send(batch(b"{}"))
    sending.send(batch(b"{}"))
    first, *again, other = server.keys
    assert again == [first, first]
    assert other != first
    assert (sending.outcome.accepted, sending.outcome.again) == (2, 2)


def test_the_server_says_how_long_to_wait() -> None:
    time = Time()
    sender(Server(problem(503, headers={"Retry-After": "7"}), taken(1)), time).send(batch(b"{}"))
    assert time.slept == [7.0]


def test_waits_grow_until_patience_ends() -> None:
    time = Time()
    with pytest.raises(Unreachable, match="does not answer"):
        sender(Server(*[httpx.ConnectError("refused")] * 99), time, patience=60).send(batch(b"{}"))
    assert time.slept[0] < 0.5 < time.slept[-1]
    assert 45 < time.now() <= 60


def test_rejected_events_are_named_by_their_lines() -> None:
    sending = sender(Server(taken(2, wrong(1)), problem(422, rejected=[wrong(0), wrong(1)])))
    sending.send(Batch(b"{}\n{}\n{}", [10, 12, 13]))
    sending.send(Batch(b"{}\n{}", [20, 30]))
    assert sending.outcome.accepted == 2
    assert sending.outcome.rejected == [Rejected(n, "missing", "type", "is required") for n in (12, 20, 30)]


def test_one_line_that_is_too_large_is_rejected_and_the_rest_goes_on() -> None:
    sending = sender(Server(problem(413, "one event may have 1048576 bytes"), taken(1)))
    sending.send_all([batch(b"x"), batch(b"{}")], after_each=lambda _: None)
    assert sending.outcome.accepted == 1
    assert [one.code for one in sending.outcome.rejected] == ["too_large"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 415, 500])
def test_what_no_repetition_mends_ends_the_sending(status: int) -> None:
    server = Server(problem(status, "this API key is not valid"))
    with pytest.raises(Refused, match="this API key is not valid"):
        sender(server).send(batch(b"{}", b"{}"))
    assert len(server.requests) == 1


def test_somebody_elses_server_is_recognised() -> None:
    with pytest.raises(Refused, match="not as SignalDesk does"):
        sender(Server(httpx.Response(404, text="<h1>Not Found</h1>"))).send(batch(b"{}"))


def test_large_bodies_travel_zipped() -> None:
    server = Server(taken(1), taken(1))
    line = json.dumps({"type": "a", "payload": {"text": "x" * 2000}}).encode()
    sending = sender(server)
    sending.send(batch(line))
    sending.send(batch(b"{}"))
    large, small = server.requests
    assert large.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(large.content) == line
    assert "Content-Encoding" not in small.headers


def test_an_import_says_so_with_every_request() -> None:
    server = Server(taken(1), taken(1))
    sender(server, replay="january", notify=True).send(batch(b"{}"))
    sender(server).send(batch(b"{}"))
    names = ("X-SignalDesk-Replay", "X-SignalDesk-Notify")
    assert [[one.headers.get(name) for name in names] for one in server.requests] == [
        ["january", "true"],
        [None, None],
    ]


@pytest.mark.parametrize(
    ("url", "key", "complaint"),
    [
        ("desk.example.com", KEY, "write https://desk.example.com"),
        ("ftp://desk", KEY, "is no address"),
        ("https://desk", "secret", "48 hexadecimal"),
    ],
)
def test_what_cannot_be_an_address_or_a_key_is_refused_before_anything_is_sent(
    url: str, key: str, complaint: str
) -> None:
    with pytest.raises(SignalDeskError, match=complaint):
        Api(url, key)
