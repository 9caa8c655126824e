"""Files of `apps/static`, under addresses that change with their content and may be kept for ever."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from tornado.web import StaticFileHandler

from signaldesk import statements
from signaldesk.web.handlers import Context, Handler

PREFIX = "/assets/"


def folder() -> Path:
    return statements.folder("apps") / "static"


@cache
def asset(name: str) -> str:
    """The address of a file below `static/`. Raises FileNotFoundError for one that is not there."""
    digest = hashlib.sha256((folder() / name).read_bytes()).hexdigest()[:12]
    return f"{PREFIX}{name}?v={digest}"


class Assets(Handler, StaticFileHandler):
    """Serves them; fonts are addressed by style sheets, without a version, and never change."""

    route_name = "/assets"

    def initialize(self, context: Context, path: str = "") -> None:  # type: ignore[override]
        Handler.initialize(self, context)
        StaticFileHandler.initialize(self, path)

    def compute_etag(self) -> str | None:
        return StaticFileHandler.compute_etag(self)

    def get_cache_time(self, path: str, modified: Any, mime_type: str) -> int:
        return 31_536_000 if path.startswith("fonts/") or "v" in self.request.arguments else 3600
