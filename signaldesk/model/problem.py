"""Errors as RFC 9457 problem documents."""

from __future__ import annotations

from typing import Any

from signaldesk.errors import SignalDeskError

MEDIA_TYPE = "application/problem+json"


def document(error: SignalDeskError, request_id: str) -> dict[str, Any]:
    """The problem document of an error; with `rejected` where events were not taken."""
    found: dict[str, Any] = {
        "type": "about:blank",
        "title": error.title,
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
        "errors": [fault._asdict() for fault in error.errors],
        "request_id": request_id,
    }
    if rejected := getattr(error, "rejected", None):
        found["rejected"] = rejected
    return found


def headers(error: SignalDeskError) -> dict[str, str]:
    """What else an answer with this error carries."""
    found = {}
    if error.retry_after is not None:
        found["Retry-After"] = str(max(1, round(error.retry_after)))
    if error.status == 401:
        found["WWW-Authenticate"] = 'Bearer realm="signaldesk"'
    return found
