"""Tornado meets the route table: limits, identity, the call, and every error as a problem document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4
from weakref import WeakSet

import orjson
from tornado.httputil import HTTPServerRequest
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler, stream_request_body
from tornado.websocket import WebSocketHandler

from signaldesk.accounts.sessions import LASTS
from signaldesk.errors import (
    FieldError,
    Forbidden,
    Invalid,
    Malformed,
    MethodNotAllowed,
    NotFound,
    SignalDeskError,
    TooLarge,
)
from signaldesk.log import get_logger
from signaldesk.model import problem
from signaldesk.web.call import Answer, Call, Stream
from signaldesk.web.cookies import CSRF_HEADER, Cookies
from signaldesk.web.identity import Doorkeeper, Identity
from signaldesk.web.origins import client_address
from signaldesk.web.route import Door, Route
from signaldesk.web.services import Services

log = get_logger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_CORS_HEADERS = "Authorization, Content-Type, Content-Encoding, Idempotency-Key, If-Match, X-Request-ID"


@dataclass(frozen=True, slots=True)
class Context:
    """What every handler works with."""

    services: Services
    doorkeeper: Doorkeeper
    cookies: Cookies
    lines: WeakSet[WebSocketHandler] = field(default_factory=WeakSet)
    """WebSockets that are open: Tornado leaves them open when a server closes."""


class WrongMethod(MethodNotAllowed):
    """`allowed` are the methods that would do, as the header says them."""

    def __init__(self, allowed: str) -> None:
        super().__init__(f"use one of {allowed}")
        self.allowed = allowed


class Handler(RequestHandler):
    """Base of our handlers: a request id and safe headers on every answer."""

    SUPPORTED_METHODS = _METHODS
    route_name = "other"
    """For metrics: the route's pattern, never the path itself."""

    def initialize(self, context: Context) -> None:
        self.context = context

    def set_default_headers(self) -> None:
        self.set_header("X-Request-ID", self.request_id)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "same-origin")
        self.clear_header("Server")
        if self.settings.get("secure"):
            self.set_header("Strict-Transport-Security", "max-age=31536000")

    @property
    def request_id(self) -> str:
        """The client's own if it is fit for a log, else a fresh one; the same for the whole request."""
        known: str | None = getattr(self.request, "signaldesk_id", None)
        if known is None:
            given = self.request.headers.get("X-Request-ID", "")
            known = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
            self.request.signaldesk_id = known  # type: ignore[attr-defined]
        return known

    @property
    def client(self) -> str:
        """The client's address, behind trusted proxies too."""
        forwarded = self.request.headers.get_list("X-Forwarded-For")
        trusted = self.context.services.settings.trusted_proxies
        return client_address(self.request.remote_ip or "", forwarded, trusted)

    def compute_etag(self) -> str | None:
        """None: what we answer is made anew each time, so a hash of it saves nothing."""
        return None

    def refuse(self, error: Exception) -> None:
        """Answer with an error; what is no error of ours is logged, and says nothing but its id."""
        if not isinstance(error, SignalDeskError):
            log.exception("a request failed", request=self.request_id, path=self.request.path, exc_info=error)
            error = SignalDeskError()
        if self._finished:
            return
        self.clear()
        self.answer_error(error)

    def answer_error(self, error: SignalDeskError) -> None:
        """The shape of an error; a problem document unless a handler knows better."""
        self.set_status(error.status)
        self.set_header("Content-Type", problem.MEDIA_TYPE)
        self.set_header("Cache-Control", "no-store")
        self.allow_others()
        for name, value in problem.headers(error).items():
            self.set_header(name, value)
        if isinstance(error, WrongMethod):
            self.set_header("Allow", error.allowed)
        self.finish(orjson.dumps(problem.document(error, self.request_id)))

    def allow_others(self) -> None:
        """Headers that let other origins' scripts read the answer; none by default."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """What Tornado itself refuses: bad requests, and whatever nobody caught."""
        reason = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        if isinstance(reason, SignalDeskError):
            self.answer_error(reason)
        elif status_code == 404:
            self.answer_error(NotFound())
        elif status_code == 403:
            self.answer_error(Forbidden())
        elif status_code == 405:
            self.answer_error(MethodNotAllowed())
        elif 400 <= status_code < 500:
            detail = reason.log_message if isinstance(reason, HTTPError) else None
            self.answer_error(Malformed(detail or "the request cannot be read"))
        else:
            self.answer_error(SignalDeskError())


@stream_request_body
class ApiHandler(Handler):
    """All methods of one path of the API.

    The body is read only when the head was let in, and never further than its limit.
    """

    def initialize(self, context: Context, routes: Mapping[str, Route] | None = None) -> None:
        super().initialize(context)
        self._routes = routes or {}
        self._route: Route | None = None
        self._identity: Identity | None = None
        self._body = bytearray()
        self._limit = 0
        self._read = 0
        self._fault: Exception | None = None

    async def prepare(self) -> None:
        """Decide by the head alone. A refusal is said when the body has gone by: a client that is still
        sending would not hear it, and find its connection broken instead."""
        try:
            self.allow_others()
            if self.request.method != "OPTIONS" or not self._routes:
                await self._admit()
        except Exception as error:
            self._fault = error
        if not hear_out(self.request) and self._fault is not None:
            self.refuse(self._fault)

    async def _admit(self) -> None:
        route = self._route = self._find()
        self.route_name = route.path
        settings = self.context.services.settings
        self._limit = settings.max_batch_bytes if route.large else settings.max_body_bytes
        self._check_length()
        if route.door is not Door.ANYBODY:
            self._identity = await self._let_in(route)
        else:
            self.context.doorkeeper.check_origin(self.request)

    def data_received(self, chunk: bytes) -> None:
        self._read += len(chunk)
        if self._fault is not None:
            return
        self._body += chunk
        if self._read > self._limit:
            self._fault = self._too_large()

    async def _serve(self, **params: str) -> None:
        try:
            if self._fault is not None:
                raise self._fault
            if self._route is None:
                raise NotFound
            self._check_query(self._route)
            answer = await self._route.handle(self._call(params))
        except Exception as error:
            self.refuse(error)
            return
        answer = answer if isinstance(answer, Answer) else Answer(answer, self._route.status)
        if answer.stream is not None:
            await self._send(answer.stream, answer)
        else:
            self._answer(answer)

    get = post = put = patch = delete = head = _serve

    def options(self, **_params: str) -> None:
        if self._fault is not None:
            self.refuse(self._fault)
            return
        self.set_status(204)
        self.finish()

    def _find(self) -> Route:
        if not self._routes:
            raise NotFound(f"there is no {self.request.path[:200]} here; /api/v1/openapi.json lists what is")
        route = self._routes.get({"HEAD": "GET"}.get(self.request.method or "", self.request.method or ""))
        if route is None:
            raise WrongMethod(self._allowed())
        return route

    def _allowed(self) -> str:
        return ", ".join(sorted({*self._routes, "OPTIONS"}))

    def _check_length(self) -> None:
        if announced(self.request) > self._limit:
            raise self._too_large()

    def _too_large(self) -> TooLarge:
        self._body.clear()
        return TooLarge(f"the body may have {self._limit} bytes")

    async def _let_in(self, route: Route) -> Identity:
        identity = await self.context.doorkeeper.identify(self.request)
        if route.door is Door.MEMBER and identity.member is None:
            raise Forbidden("this is for people who are logged in; an API key has no session")
        if route.scope is not None:
            identity.principal.require(route.scope)
        return identity

    def _check_query(self, route: Route) -> None:
        if strangers := sorted(set(self.request.query_arguments) - set(route.query)):
            known = f"known are {', '.join(route.query)}" if route.query else "there are none here"
            raise Invalid(
                errors=[FieldError(name[:60], f"unknown query parameter; {known}") for name in strangers]
            )

    def _call(self, params: Mapping[str, str]) -> Call:
        identity = self._identity
        return Call(
            services=self.context.services,
            params=params,
            query={
                name: [_text(name, value) for value in values]
                for name, values in self.request.query_arguments.items()
            },
            headers=self.request.headers,
            raw=bytes(self._body),
            client=self.client,
            csrf=self.context.cookies.csrf,
            who=identity.principal if identity else None,
            member=identity.member if identity else None,
            session=identity.session if identity else "",
        )

    async def _send(self, stream: Stream, answer: Answer) -> None:
        """Piece by piece, as fast as the client takes them. What fails on the way cuts the connection, so
        that half an answer is not taken for a whole one."""
        self.set_status(answer.status)
        self.set_header("Cache-Control", "no-store")
        for name, value in answer.headers.items():
            self.set_header(name, value)
        try:
            async for piece in stream:
                self.write(piece)
                await self.flush()
            self.finish()
        except StreamClosedError:
            return  # nobody listens any more
        except Exception as error:
            detail = error.detail if isinstance(error, SignalDeskError) else repr(error)
            log.warning("an answer broke off", request=self.request_id, detail=detail)
            self.detach().close()
        finally:
            stream.close()

    def _answer(self, answer: Answer) -> None:
        self.set_status(answer.status)
        self.set_header("Cache-Control", "no-store")
        if answer.session is not None:
            cookies = self.context.cookies
            if answer.session:
                cookies.put_session(self, answer.session, LASTS)
            else:
                cookies.drop_session(self)
        for name, value in answer.headers.items():
            self.set_header(name, value)
        if self.request.method in ("GET", "HEAD") and self.check_etag_header():
            self.set_status(304)
            answer = Answer()
        if answer.body is None:
            self.clear_header("Content-Type")
            self.finish()
        else:
            if "Content-Type" not in answer.headers:
                self.set_header("Content-Type", "application/json")
            self.finish(answer.encoded())

    def allow_others(self) -> None:
        """Scripts of listed origins may use the API, with a key; cookies never travel to other sites."""
        origin = self.request.headers.get("Origin")
        if origin is None or origin not in self.context.services.settings.cors_origins:
            return
        self.set_header("Access-Control-Allow-Origin", origin)
        self.set_header("Access-Control-Allow-Methods", self._allowed())
        self.set_header("Access-Control-Allow-Headers", f"{_CORS_HEADERS}, {CSRF_HEADER}")
        self.set_header("Access-Control-Expose-Headers", "X-Request-ID, Retry-After, ETag")
        self.set_header("Access-Control-Max-Age", "600")
        self.set_header("Vary", "Origin")


_BODY_S = 60.0
"""Seconds that a body may take to arrive."""
_DRAINED = 64 << 20
"""Bytes of a body that is not wanted which are read all the same; past that the connection is closed."""


def announced(request: HTTPServerRequest) -> int:
    """Bytes that the body is said to have; 0 when that is not said, or is no number: Tornado refuses that."""
    length = request.headers.get("Content-Length", "")
    return int(length) if re.fullmatch("[0-9]{1,18}", length) else 0


def hear_out(request: HTTPServerRequest) -> bool:
    """Have a streamed body read that may be longer than the server's limit. False when it is so long that it
    is better answered at once, which closes the connection."""
    connection: Any = request.connection
    connection.set_max_body_size(max(_DRAINED, announced(request)))
    connection.set_body_timeout(_BODY_S)
    return announced(request) <= _DRAINED


def _text(name: str, value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise Invalid(errors=[FieldError(name[:60], "is not UTF-8")]) from None
    if "\x00" in text:
        raise Invalid(errors=[FieldError(name[:60], "contains the NUL character")])
    return text
