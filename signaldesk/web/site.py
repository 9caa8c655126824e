"""The pages around the workbench, as plain HTML that needs no script: landing, log-in, log-out, not found."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlencode

from tornado.web import stream_request_body

from signaldesk.accounts.sessions import LASTS
from signaldesk.errors import Forbidden, NotFound, SignalDeskError, TooLarge, TooMany, Unauthenticated
from signaldesk.pages_folder import load_apps
from signaldesk.web.api.auth import open_session
from signaldesk.web.assets import asset
from signaldesk.web.call import Call
from signaldesk.web.cookies import THEME
from signaldesk.web.handlers import Context, Handler, hear_out
from signaldesk.web.policy import content_policy

HOME = "/overview"


class Html(Handler):
    """Base of the HTML pages: the content policy, the templates, errors that people can read."""

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Content-Security-Policy", content_policy(secrets.token_urlsafe(12)))
        self.set_header("Cache-Control", "no-store")

    def show(self, template: str, **values: Any) -> None:
        """Render a template of `apps/templates/site` as the answer."""
        load_apps()
        from apps.templating import render

        theme = self.get_cookie(THEME, "")
        values |= {"asset": asset, "theme": theme if theme in ("dark", "light") else ""}
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.finish(render(f"site/{template}", **values))

    def answer_error(self, error: SignalDeskError) -> None:
        self.set_status(error.status)
        self.show("error.html", error=error, request_id=self.request_id)


class Landing(Html):
    """What SignalDesk is; whoever is logged in goes on to the workbench."""

    route_name = "/"

    async def get(self) -> None:
        try:
            identity = await self.context.doorkeeper.by_session(self.request)
        except SignalDeskError:
            identity = None  # the database is away; the page needs none
        if identity is not None:
            self.redirect(HOME)
            return
        self.show("landing.html", base_url=self.context.services.settings.base_url)


class LogInPage(Html):
    """A form, and what becomes of it."""

    route_name = "/login"

    async def get(self) -> None:
        try:
            if await self.context.doorkeeper.by_session(self.request) is not None:
                self.redirect(safe_next(self.get_query_argument("next", "")))
                return
        except SignalDeskError as error:
            self.refuse(error)
            return
        self._form()

    async def post(self) -> None:
        email = self.get_body_argument("email", "")
        try:
            self._check_form()
            password = self.get_body_argument("password", "", strip=False)
            _, token = await open_session(self._call(), email, password)
        except (Unauthenticated, TooMany) as error:
            self.set_status(error.status)
            if error.retry_after is not None:
                self.set_header("Retry-After", str(round(error.retry_after)))
            self._form(fault=error.detail, email=email)
        except Forbidden:
            self.set_status(403)
            self._form(fault="this form was open for too long, or cookies are off; please try again")
        except SignalDeskError as error:
            self.refuse(error)
        else:
            self.context.cookies.put_session(self, token, LASTS)
            self.redirect(safe_next(self.get_body_argument("next", "")), status=303)

    def _check_form(self) -> None:
        """Raises Forbidden unless the form is one that this browser got from us."""
        self.context.doorkeeper.check_origin(self.request)
        token = self.get_cookie(self.context.cookies.form) or ""
        if not token or not self.context.cookies.csrf_right(token, self.get_body_argument("csrf", "")):
            raise Forbidden

    def _form(self, *, fault: str = "", email: str = "") -> None:
        cookies = self.context.cookies
        self.show(
            "login.html",
            fault=fault,
            email=email[:254],
            csrf=cookies.csrf(cookies.form_token(self)),
            next=safe_next(self.get_argument("next", "")),
        )

    def _call(self) -> Call:
        return Call(
            services=self.context.services,
            params={},
            query={},
            headers=self.request.headers,
            raw=b"",
            client=self.client,
            who=None,
            csrf=self.context.cookies.csrf,
        )


class LogOut(Html):
    """Ends the session, when the form that asks for it is our own."""

    route_name = "/logout"

    async def post(self) -> None:
        cookies, token = self.context.cookies, self.get_cookie(self.context.cookies.session) or ""
        try:
            self.context.doorkeeper.check_origin(self.request)
            if token and not cookies.csrf_right(token, self.get_body_argument("csrf", "")):
                raise Forbidden("this form is not ours; log out from the menu of a page")
            if token:
                await self.context.services.sessions.close(token)
        except SignalDeskError as error:
            self.refuse(error)
            return
        cookies.drop_session(self)
        self.redirect("/", status=303)


class Refusal(Html):
    """Refuses: in HTML for browsers, with a problem document for the rest."""

    def answer_error(self, error: SignalDeskError) -> None:
        if "text/html" in self.request.headers.get("Accept", ""):
            super().answer_error(error)
        else:
            Handler.answer_error(self, error)


class Missing(Refusal):
    """Whatever has no page."""

    route_name = "missing"

    def prepare(self) -> None:
        self.refuse(NotFound("there is no page at this address"))


@stream_request_body
class Oversized(Refusal):
    """A long body where only short forms are read. It is refused when it has gone by: a client that is still
    sending would not hear it."""

    route_name = "oversized"

    def initialize(self, context: Context, limit: int = 0) -> None:
        super().initialize(context)
        self._fault = TooLarge(f"the body may have {limit} bytes here")

    def prepare(self) -> None:
        if not hear_out(self.request):
            self.refuse(self._fault)

    def data_received(self, chunk: bytes) -> None:
        """It is not wanted."""

    def _serve(self) -> None:
        self.refuse(self._fault)

    get = post = put = patch = delete = head = options = _serve


def safe_next(wanted: str) -> str:
    """Where to go after logging in: a path of ours, never another site."""
    # A browser takes `//host` and `///host` for another site's address, and `\\` for `/`.
    ours = wanted.startswith("/") and not wanted.startswith("//")
    return wanted if ours and wanted.isprintable() and "\\" not in wanted else HOME


def login_address(path_and_query: str) -> str:
    """The log-in page that leads back here."""
    return f"/login?{urlencode({'next': path_and_query})}"
