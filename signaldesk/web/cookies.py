"""The session cookie, and tokens that prove a form or a script came from our own page."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta

from tornado.web import RequestHandler

CSRF_HEADER = "X-CSRF-Token"
THEME, ZONE = "sd_theme", "sd_zone"
"""Set by the browser's own scripts; nothing secret."""


class Cookies:
    """Names and attributes depend on whether this installation is reached over https."""

    def __init__(self, *, secret: bytes, secure: bool) -> None:
        self._secret = secret
        self._secure = secure
        prefix = "__Host-" if secure else ""
        self.session = f"{prefix}sd_session"
        self.form = f"{prefix}sd_form"

    def put_session(self, handler: RequestHandler, token: str, lasts: timedelta) -> None:
        self._put(handler, self.session, token, max_age=round(lasts.total_seconds()))

    def drop_session(self, handler: RequestHandler) -> None:
        self._put(handler, self.session, "", max_age=0)

    def csrf(self, token: str) -> str:
        """The proof that belongs to a session's token, or to a form's cookie."""
        return hmac.new(self._secret, b"csrf\x00" + token.encode(), hashlib.sha256).hexdigest()

    def csrf_right(self, token: str, proof: str) -> bool:
        return hmac.compare_digest(self.csrf(token).encode(), proof.encode("utf-8", "replace"))

    def form_token(self, handler: RequestHandler) -> str:
        """The cookie that ties a form to this browser before anybody has logged in; made when missing."""
        token = handler.get_cookie(self.form)
        if not token:
            token = secrets.token_urlsafe(24)
            self._put(handler, self.form, token, max_age=None)
        return token

    def _put(self, handler: RequestHandler, name: str, value: str, *, max_age: int | None) -> None:
        handler.set_cookie(
            name, value, max_age=max_age, path="/", httponly=True, samesite="Lax", secure=self._secure
        )
