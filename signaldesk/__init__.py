"""SignalDesk: event analytics and alerting.

    import signaldesk as sd

    desk = sd.connect()                                      # this machine, or
    desk = sd.connect("https://desk.example.com", api_key="sk_…")
    desk.events("checkout_*", last="30d", where="amount > 20").df()
    desk.sql("SELECT type, count(*) FROM events GROUP BY type").df()
    desk.send("checkout_failed", country="DE", amount=30)

    rule = sd.Rule.count("checkout_failed", at_least=3, within="60s", by="country")
    rule.backtest(desk.events("checkout_failed", last="30d"))
    sd.tune(rule, desk.events("checkout_failed", last="30d"), desk=desk)

Importing this is quick: what a call needs is imported by that call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from signaldesk.backtest.labels import Given
    from signaldesk.backtest.rule import Rule
    from signaldesk.client.damage import DamagedHistory
    from signaldesk.client.desk import Desk
    from signaldesk.client.logs import LogHandler
    from signaldesk.client.tuner import NotebookTuner, Saves
    from signaldesk.errors import SignalDeskError
    from signaldesk.model.label import Label

__all__ = ["DamagedHistory", "Desk", "Label", "LogHandler", "Rule", "SignalDeskError", "connect", "tune"]

_LATER = {
    "DamagedHistory": "signaldesk.client.damage",
    "Desk": "signaldesk.client.desk",
    "SignalDeskError": "signaldesk.errors",
    "Rule": "signaldesk.backtest.rule",
    "Label": "signaldesk.model.label",
    "LogHandler": "signaldesk.client.logs",
}


def __getattr__(name: str) -> Any:
    """What is imported when it is asked for."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LATER[name]), name)


def __dir__() -> list[str]:
    """What there is for programs; the rest is our own."""
    return [*__all__, *(name for name in globals() if name.startswith("__"))]


def connect(
    url: str | None = None, *, api_key: str | None = None, org: str | None = None, data: Path | None = None
) -> Desk:
    """A desk: of the installation at `url`, with an API key, or of this machine.

    Without arguments, SIGNALDESK_URL and SIGNALDESK_API_KEY are looked at first; `org` and `data` are of this
    machine, `org` needed when it has several. Raises SignalDeskError that says what is missing, or too much.
    """
    from signaldesk import here

    return here.connect(url, api_key=api_key, org=org, data=data)


def tune(
    rule: Rule, events: Any, *, labels: Given = (), others: Sequence[Rule] = (), desk: Saves | None = None
) -> NotebookTuner:
    """Sliders for a rule's numbers over these events (see `Rule.backtest`), and a sweep, for a notebook.

    `labels` are known incidents (`desk.labels()`), or a CSV file of them; `others` the rules that a composite
    one is made of. With a `desk` there is a button that saves the rule there.
    """
    from signaldesk.client.tuner import tune

    return tune(rule, events, labels=labels, others=others, desk=desk)
