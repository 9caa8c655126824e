"""Logs as the settings want them."""

from __future__ import annotations

import sys

from signaldesk import log
from signaldesk.settings import Settings


def configure(settings: Settings) -> None:
    """As the settings say; `auto` means pretty on a terminal."""
    pretty = settings.log_format == "pretty" or (settings.log_format == "auto" and sys.stderr.isatty())
    log.configure(json=not pretty, level=settings.log_level)
