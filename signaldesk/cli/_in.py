"""What commands are given on standard input."""

from __future__ import annotations

import sys

from signaldesk.cli._out import Unusable


def text() -> str:
    """All of standard input. Raises Unusable for what is no UTF-8: a terminal's language does not matter."""
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unusable(f"standard input is not UTF-8 (byte {error.start + 1}); save it as UTF-8") from None
