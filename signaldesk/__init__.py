"""SignalDesk: event analytics and alerting.

    import signaldesk as sd

    desk = sd.connect()                                      # this machine, or
    desk = sd.connect("https://desk.example.com", api_key="sk_…")
    desk.events("checkout_*", last="30d", where="amount > 20").df()
    desk.sql("SELECT type, count(*) FROM events GROUP BY type").df()

Importing this is quick: what a call needs is imported by that call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from signaldesk.client.desk import Desk

__all__ = ["connect"]


def connect(
    url: str | None = None, *, api_key: str | None = None, org: str | None = None, data: Path | None = None
) -> Desk:
    """A desk: of the installation at `url`, with an API key, or of this machine.

    Without arguments, SIGNALDESK_URL and SIGNALDESK_API_KEY are looked at first; `org` is needed on this
    machine when it has several. Raises SignalDeskError that says what is missing.
    """
    from signaldesk import local

    return local.connect(url, api_key=api_key, org=org, data=data)
