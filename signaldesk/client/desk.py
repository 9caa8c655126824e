"""An organisation's desk, seen from Python: its events, SQL over all that was stored, rules over the past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from signaldesk.client.damage import told
from signaldesk.client.outgoing import line
from signaldesk.client.picked import Picked, picked
from signaldesk.client.rows import Rows, Stream
from signaldesk.client.saved import Saved
from signaldesk.errors import FieldError, Invalid, SignalDeskError
from signaldesk.model.shadow import live_name, shadow_name

if TYPE_CHECKING:
    from signaldesk.backtest import labels as labelled
    from signaldesk.backtest.comparison import Comparison
    from signaldesk.backtest.result import Backtest
    from signaldesk.backtest.rule import Rule
    from signaldesk.backtest.sweep import Sweep
    from signaldesk.client.background import Background
    from signaldesk.client.report import ComparisonReport, Report
    from signaldesk.client.sending import Line
    from signaldesk.model.label import Label


class Past(NamedTuple):
    """A rule, or the name or id of a saved one, over the events in [since, until)."""

    rule: Rule | str
    version: int | None
    since: datetime
    until: datetime
    replay: str = ""
    """The import whose events they are; none for live ones."""


class Backend(Protocol):
    """What a desk stands on: an installation's API, or this machine's own servers."""

    where: str
    """For people: which desk it is."""

    @property
    def line(self) -> Line:
        """Where events are sent."""
        ...

    def sql(self, query: str) -> Stream:
        """The answer to a query, once it is opened."""
        ...

    def events(self, wanted: Picked) -> Stream:
        """Those events, oldest first, as many as there are."""
        ...

    def backtest(self, wanted: Past, *, progress: bool) -> Backtest | Report: ...

    def sweep(
        self,
        wanted: Past,
        parameters: dict[str, Any],
        *,
        labels: Sequence[Label] | Literal["stored"],
        progress: bool,
    ) -> Sweep: ...

    def compare(
        self, wanted: Past, against: Rule | str, *, progress: bool
    ) -> Comparison | ComparisonReport: ...

    def labels(self, since: datetime | None, until: datetime | None) -> list[Label]:
        """The organisation's known incidents that overlap [since, until), earliest first."""
        ...

    def find(self, name: str) -> dict[str, Any] | None:
        """The document of the saved rule of this name."""
        ...

    def save(self, body: dict[str, Any]) -> Saved:
        """Save the rule of a document: a new one, or the next version of the one of that name."""
        ...

    def close(self) -> None: ...


class Desk:
    """Ask it; close it, or use it in a `with` block."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._background: Background | None = None
        self._closed = False
        self._lock = Lock()

    def send(
        self,
        type: str,
        payload: Mapping[str, Any] | None = None,
        /,
        *,
        timestamp: datetime | float | None = None,
        source: str | None = None,
        id: str | None = None,
        **fields: Any,
    ) -> None:
        """Send an event, e.g. `desk.send("checkout_failed", amount=30)`: `fields` are its payload.

        It is on its way when this returns: a thread sends what has gathered, at the latest after a fifth of a
        second, and repeats what had no answer. `flush` waits for it, and so does the end of the program, for
        a few seconds. While 100,000 events wait, this waits, too. Raises Invalid for what is no event.
        """
        self.post(type, _payload(payload, fields), timestamp=timestamp, source=source, id=id)

    async def send_async(
        self,
        type: str,
        payload: Mapping[str, Any] | None = None,
        /,
        *,
        timestamp: datetime | float | None = None,
        source: str | None = None,
        id: str | None = None,
        **fields: Any,
    ) -> None:
        """The same for coroutines: while too many events wait, only this one does."""
        event = line(type, _payload(payload, fields), timestamp=timestamp, source=source, id=id)
        sending = self._sending()
        if not sending.put(event, wait=False, count=False):
            import asyncio

            await asyncio.to_thread(sending.put, event)

    def post(
        self,
        type: str,
        payload: Mapping[str, Any],
        *,
        timestamp: datetime | float | None = None,
        source: str | None = None,
        id: str | None = None,
        wait: bool = True,
    ) -> bool:
        """As `send`, for programs; whether it was taken, which it is not when it may not `wait` for room."""
        event = line(type, payload, timestamp=timestamp, source=source, id=id)
        return self._sending().put(event, wait=wait)

    def flush(self, timeout: float | None = None) -> int:
        """Wait until all events sent so far are in; how many were taken since the last time.

        Raises NotTaken when some were not, with the reasons; Unreachable when `timeout` seconds are over.
        """
        return self._background.flush(timeout) if self._background is not None else 0

    async def flush_async(self, timeout: float | None = None) -> int:
        """The same for coroutines."""
        import asyncio

        return await asyncio.to_thread(self.flush, timeout)

    def _sending(self) -> Background:
        with self._lock:
            if self._closed:
                raise SignalDeskError("this desk is closed; connect again to send")
            if self._background is None:
                from signaldesk.client.background import Background

                self._background = Background(self._backend.line)
            return self._background

    def sql(self, query: str) -> Rows:
        """One SELECT over the tables of docs/querying.md: `desk.sql("…").df()`, `.pl()`, `.arrow()`."""
        return Rows(self._backend.sql(query), query)

    def events(
        self,
        type: str | Sequence[str] = "*",
        *,
        last: str | timedelta | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        where: str | None = None,
    ) -> Rows:
        """Live events of these types (`*` in one is anything), oldest first, however many there are.

        `last` is a duration such as `30d`, or a timedelta, until now or `until`; or name the times, from
        `since` on and before `until`, with their time zones. `where` is a filter as in rules. Raises Invalid.
        """
        wanted = picked(type, last=last, since=since, until=until, where=where)
        return Rows(self._backend.events(wanted), f"{wanted.sql} ORDER BY timestamp")

    def labels(
        self,
        *,
        last: str | timedelta | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Label]:
        """The organisation's known incidents in that time, earliest first; without a time, all of them.

        For `rule.sweep(events, labels=desk.labels())` and `sd.tune`; say the time as for `events`.
        """
        wanted = picked("*", last=last, since=since, until=until, where=None)
        since = wanted.since
        if wanted.last is not None:
            since = datetime.now(UTC) - timedelta(microseconds=wanted.last)
        return self._backend.labels(since, until)

    def backtest(
        self,
        rule: Rule | str,
        *,
        last: str | timedelta | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        version: int | None = None,
        replay: str = "",
        progress: bool = True,
    ) -> Backtest | Report:
        """What a rule would have done with the stored events, judged where they are.

        `rule` is a `sd.Rule`, or the name or id of a saved rule, of which `version` names an older one. Say
        the time as for `events`; `replay` names an import, if it shall be its events. Interrupting it ends
        it. Raises Invalid, NotFound, Refused, Unreachable.
        """
        wanted = _past(rule, last, since, until, version)._replace(replay=replay)
        return told(self._backend.backtest(wanted, progress=progress))

    def sweep(
        self,
        rule: Rule | str,
        *,
        last: str | timedelta | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        version: int | None = None,
        labels: labelled.Given | Literal["stored"] = (),
        replay: str = "",
        progress: bool = True,
        **parameters: Any,
    ) -> Sweep:
        """The same at every combination of values, e.g. `at_least=range(2, 21), within=["30s", "60s"]`.

        `labels` are known incidents to compare with: `"stored"` for those of the organisation, a list of
        `Label`, or a CSV file of them.
        """
        if labels != "stored":
            from signaldesk.backtest import labels as labelled

            labels = labelled.known(labels)
        wanted = _past(rule, last, since, until, version)._replace(replay=replay)
        return told(self._backend.sweep(wanted, parameters, labels=labels, progress=progress))

    def save(self, rule: Rule, *, mode: Literal["live", "shadow", "paused"] | None = None) -> Saved:
        """Save a rule: a new one, or the next version of the one of that name.

        With `mode="shadow"` it is judged and recorded and tells nobody; when there is a rule of that name
        which does tell people, that one stays as it is, and this one is saved as `NAME (shadow)` beside it.
        Raises Invalid or Refused with every fault.
        """
        body = _given(rule).document
        if mode is not None:
            body["mode"] = mode
        if body.get("mode") == "shadow":
            there = self._backend.find(body["name"])
            if there is not None and there.get("mode", "live") != "shadow":
                body["name"] = shadow_name(body["name"])
        return self._backend.save(body)

    def compare(
        self,
        rule: Rule | str,
        against: Rule | str | None = None,
        *,
        last: str | timedelta | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        progress: bool = True,
    ) -> Comparison | ComparisonReport:
        """What a rule would have told people over the past, and missed, compared with another one.

        `against` is the saved rule of the same name (that of `NAME (shadow)` is `NAME`), unless another one
        is given. Both are judged over the same events, as if they were live.
        """
        if against is None:
            against = live_name(rule if isinstance(rule, str) else _given(rule).model.name)
        elif not isinstance(against, str):
            _given(against)
        wanted = _past(rule, last, since, until, None)
        return told(self._backend.compare(wanted, against, progress=progress))

    def close(self) -> None:
        """Send what is on its way, then close. Raises as `flush` does."""
        with self._lock:
            self._closed = True
        try:
            if self._background is not None:
                self._background.close(60)
        finally:
            self._backend.close()

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<SignalDesk at {self._backend.where}>"


def _payload(given: Any, fields: dict[str, Any]) -> dict[str, Any]:
    """Raises Invalid for what is no payload."""
    if given is not None and not isinstance(given, Mapping):
        found = type(given).__name__
        message = f"is a {found}; give its fields: send('checkout_failed', amount=30), or a dict of them"
        raise Invalid(f"payload: {message}", errors=[FieldError("payload", message)])
    return {**(given or {}), **fields}


def _given(rule: Any) -> Rule:
    """Raises Invalid for what is no rule."""
    from signaldesk.backtest.rule import given

    return given(rule)


def _past(
    rule: Rule | str,
    last: str | timedelta | None,
    since: datetime | None,
    until: datetime | None,
    version: int | None,
) -> Past:
    """Raises Invalid for what is no rule, or with every fault of the times."""
    rule = rule if isinstance(rule, str) else _given(rule)
    wanted = picked("*", last=last, since=since, until=until, where=None)
    since, until = wanted.since, until or datetime.now(UTC)
    if wanted.last is not None:
        since = until - timedelta(microseconds=wanted.last)
    if since is None:
        message = "say from when on: last='30d', or since=…"
        raise Invalid(message, errors=[FieldError("since", message)])
    return Past(rule, version, since, until)
