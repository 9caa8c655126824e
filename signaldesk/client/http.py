"""One connection to an installation's API: authenticates, understands problem documents, tells what to do."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from importlib.metadata import version
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx

from signaldesk.errors import FieldError, SignalDeskError

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
PATIENT = httpx.Timeout(300.0, connect=5.0)
"""For an answer that the installation has to work for; it has its own limits."""
_KEY = re.compile(r"sk_[0-9a-f]{48}")
_PASSING = (421, 429, 502, 503, 504)
"""Statuses of a server or a proxy that is busy, not up yet, or wants to be asked on another connection."""


class Refused(SignalDeskError):
    """The installation understood and said no; the same request gets the same answer."""

    code, title = "refused", "The request was refused"

    def __init__(self, detail: str, *, status: int, body: Mapping[str, Any], errors: tuple[FieldError, ...]):
        super().__init__(detail, errors=errors)
        self.answer_status = status
        self.body = body
        """The problem document, or an empty mapping."""


class Unreachable(SignalDeskError):
    """No answer, or one that says "later"; the same request may succeed soon."""

    code, title, retry = "unreachable", "The installation cannot be reached", True


class Answer(NamedTuple):
    """A good answer's JSON."""

    status: int
    body: Any


class Streamed(NamedTuple):
    """A good answer that arrives."""

    pieces: Iterator[bytes]
    headers: Mapping[str, str]


class Api:
    """The API of one installation. Close it, or use it in a `with` block.

    After a fork, both processes may go on with it: each has connections of its own.
    """

    def __init__(self, url: str, key: str, *, transport: httpx.BaseTransport | None = None) -> None:
        """Raises SignalDeskError for a URL or a key that cannot be one."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SignalDeskError(f"{url[:100]!r} is no address; write https://desk.example.com")
        if not _KEY.fullmatch(key):
            raise SignalDeskError(
                "the API key is not one: it is sk_ and 48 hexadecimal characters; "
                "`signaldesk keys create` makes one"
            )
        self.url = url.rstrip("/")
        self._opened = partial(
            httpx.Client,
            base_url=self.url,
            headers={
                "Authorization": f"Bearer {key}",
                "User-Agent": f"signaldesk/{version('signaldesk')}",
            },
            timeout=TIMEOUT,
            transport=transport,
            verify=parts.scheme == "https",  # there are many certificates to read for nothing else
        )
        self._http, self._process = self._opened(), os.getpid()

    def get(self, path: str) -> Answer:
        """GET once. Raises as `post`."""
        return self._ask("GET", path)

    def delete(self, path: str) -> Answer:
        """DELETE once. Raises as `post`."""
        return self._ask("DELETE", path)

    def post(self, path: str, content: bytes = b"", *, headers: Mapping[str, str] | None = None) -> Answer:
        """POST once. Raises Unreachable or Refused."""
        return self._ask("POST", path, content, headers)

    def put(self, path: str, content: bytes, *, headers: Mapping[str, str]) -> Answer:
        """PUT once. Raises as `post`."""
        return self._ask("PUT", path, content, headers)

    def _ask(
        self, method: str, path: str, content: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        self._check_open()
        try:
            response = self._http.request(method, path, content=content or None, headers=headers)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise Unreachable(f"{self.url} does not answer ({reason}); is it up?") from error
        body = _json(response)
        if response.is_success:
            return Answer(response.status_code, body)
        raise _fault(self.url, response, body if isinstance(body, dict) else {})

    @contextmanager
    def stream(self, path: str, content: bytes, *, headers: Mapping[str, str]) -> Iterator[Streamed]:
        """POST once; the answer's bytes as they come. Raises Unreachable or Refused, also on the way."""
        self._check_open()
        try:
            request = self._http.build_request(
                "POST", path, content=content, headers=headers, timeout=PATIENT
            )
            with closing(self._http.send(request, stream=True)) as response:
                if not response.is_success:
                    response.read()
                    body = _json(response)
                    raise _fault(self.url, response, body if isinstance(body, dict) else {})
                yield Streamed(response.iter_bytes(), response.headers)
        except httpx.RemoteProtocolError as error:
            raise Unreachable("the answer broke off on its way; ask again, or for less") from error
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise Unreachable(f"{self.url} does not answer ({reason}); is it up?") from error

    def _check_open(self) -> None:
        if self._http.is_closed:
            raise SignalDeskError("this desk is closed; connect again")
        if self._process != os.getpid():  # the other process writes to the connections of before
            self._http, self._process = self._opened(), os.getpid()

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Api:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _fault(url: str, response: httpx.Response, body: Mapping[str, Any]) -> SignalDeskError:
    detail = str(body.get("detail") or response.reason_phrase or "no reason given")
    status = response.status_code
    if status in _PASSING:
        wait = response.headers.get("Retry-After", "")
        after = float(wait) if wait.isdigit() else None
        return Unreachable(f"{url} answers {status}: {detail}", retry_after=after)
    if not body:
        detail = f"{url} answers {status}, and not as SignalDesk does; check the address"
    faults = tuple(
        FieldError(str(fault.get("field", "")), str(fault.get("message", "")))
        for fault in body.get("errors", ())
        if isinstance(fault, dict)
    )
    return Refused(detail, status=status, body=body, errors=faults)
