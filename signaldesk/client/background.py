"""Events on their way: taken at once, sent in batches by a thread, repeated until they are there."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections import deque

from signaldesk.client.http import Unreachable
from signaldesk.client.lines import MOST_BYTES, Batch
from signaldesk.client.sending import Line, Outcome, Sender
from signaldesk.errors import FieldError, SignalDeskError

BATCH = 500
LINGER_S = 0.2
"""So long an event waits for others to go with."""
MOST = 100_000
"""Events that wait at most; then whoever sends waits."""
PATIENCE_S = 600.0
"""So long a batch is repeated while nobody answers; then it is lost, and `flush` says so."""
AT_EXIT_S = 5.0


class NotTaken(SignalDeskError):
    """Events that were sent are not in; `errors` says why, each once."""

    code, title = "events_not_taken", "Some events were not taken"


class Background:
    """May be used from any thread; survives a fork, without what the parent had not sent yet."""

    def __init__(
        self, line: Line, *, batch: int = BATCH, linger: float = LINGER_S, most: int = MOST,
        patience: float = PATIENCE_S,
    ) -> None:  # fmt: skip
        self._line, self._patience = line, patience
        self._batch, self._linger, self._most = batch, linger, most
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        atexit.register(_close, weakref.ref(self))
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._under_way = self._lost = self._dropped = 0
        self._hurry = self._closing = False
        self._error: SignalDeskError | None = None
        self._sender = Sender(self._line, patience=self._patience)
        self._thread: threading.Thread | None = None

    def _begin_after_fork(self) -> None:
        if self._process != os.getpid():
            self._begin()

    def put(self, event: bytes, *, wait: bool = True, count: bool = True) -> bool:
        """Take one event (a line of JSON); whether there was room, unless it may `wait` for that.

        `count`: one that is not taken counts as dropped.
        """
        self._begin_after_fork()
        with self._changed:
            if self._closing:
                raise SignalDeskError("this desk is closed; connect again to send")
            while len(self._waiting) >= self._most:
                if not wait:
                    self._dropped += count
                    return False
                self._changed.wait()
            self._waiting.append(event)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="signaldesk sending", daemon=True)
                self._thread.start()
            if len(self._waiting) in (1, self._batch):
                self._changed.notify_all()
        return True

    def flush(self, timeout: float | None = None) -> int:
        """Wait until everything sent so far is in; how many events were taken since the last time.

        Raises NotTaken when some were not, Unreachable when `timeout` seconds are over before.
        """
        self._begin_after_fork()
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: not self._waiting and not self._under_way, timeout):
                left = len(self._waiting) + self._under_way
                there = _events(left, "is still on its way", "are still on their way")
                raise Unreachable(f"{there} after {timeout:g} s{self._trouble}")
            self._hurry = False
            return self._told()

    @property
    def _trouble(self) -> str:
        """What keeps a batch from being taken, if anything does, as the end of a sentence."""
        trouble = self._sender.trouble
        return f": {trouble.detail}" if trouble is not None else ""

    def close(self, timeout: float | None = None) -> None:
        """Flush, and take nothing more. Raises as `flush` does."""
        try:
            self.flush(timeout)
        finally:
            with self._changed:
                self._closing = True
                self._changed.notify_all()
            if self._thread is not None:
                self._thread.join(0 if self._waiting or self._under_way else None)

    def _told(self) -> int:
        """What became of the events since the last time."""
        outcome, self._sender.outcome = self._sender.outcome, Outcome()
        lost, dropped, error = self._lost, self._dropped, self._error
        self._lost, self._dropped, self._error = 0, 0, None
        faults = dict.fromkeys(FieldError(one.field, one.message) for one in outcome.rejected)
        rejected = len(outcome.rejected)
        parts = [_events(rejected, "was rejected", "were rejected")] if rejected else []
        parts += [f"{_events(lost, 'was lost', 'were lost')}: {error.detail}"] if lost and error else []
        parts += [f"{_events(dropped, 'was', 'were')} dropped: too many were waiting"] if dropped else []
        if parts:
            raise NotTaken("; ".join(parts), errors=[*faults, *(error.errors if error else ())])
        return outcome.accepted

    def _work(self) -> None:
        while lines := self._next():
            try:
                self._sender.send(Batch(b"\n".join(lines), list(range(1, len(lines) + 1))))
            except SignalDeskError as error:
                self._lose(lines, error)
            except Exception as error:  # an answer that is none: whoever flushes must not wait for ever
                what = f"the answer cannot be read ({type(error).__name__}: {error})"
                self._lose(lines, SignalDeskError(what))
            with self._changed:
                self._under_way = 0
                self._changed.notify_all()

    def _lose(self, lines: list[bytes], error: SignalDeskError) -> None:
        with self._changed:
            self._lost, self._error = self._lost + len(lines), error

    def _next(self) -> list[bytes]:
        """The next batch, when there is one; empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            full = lambda: len(self._waiting) >= self._batch or self._hurry or self._closing  # noqa: E731
            self._changed.wait_for(full, self._linger)
            lines: list[bytes] = []
            size = 0
            while self._waiting and len(lines) < self._batch and size <= MOST_BYTES:
                lines.append(self._waiting.popleft())
                size += len(lines[-1]) + 1
                if self._waiting and size + len(self._waiting[0]) > MOST_BYTES:
                    break
            self._under_way = len(lines)
            self._changed.notify_all()
            return lines


def _close(background: weakref.ref[Background]) -> None:
    """At the end of the program: what is on its way gets a moment."""
    one = background()
    if one is not None and not one._closing and one._process == os.getpid():
        try:
            one.close(AT_EXIT_S)
        except SignalDeskError as error:
            import sys

            end = "; the program ends all the same" if isinstance(error, Unreachable) else ""
            sys.stderr.write(f"signaldesk: {error.detail}{end}\n")


def _events(count: int, one: str, many: str) -> str:
    return f"1 event {one}" if count == 1 else f"{count:,} events {many}"
