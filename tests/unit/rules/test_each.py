"""`each`: what is special about it."""

from __future__ import annotations

from signaldesk.model.window import Window
from signaldesk.rules import document
from signaldesk.rules._kind import Verdict


def test_it_holds_for_every_event_and_keeps_none() -> None:
    rule = document.parse({"name": "x", "event": "y", "when": {"kind": "each"}})
    one, window = document.kinds()["each"].judge(rule), Window()
    assert all(one.holds(window, 0, bytes([n]) * 16, None) for n in range(3))
    assert (one.span, window.times) == (0, [])
    assert one.verdict(window, 7, b"x") == Verdict(1, False, 1, 7, 7, [b"x"])
