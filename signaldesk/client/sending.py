"""Sends batches of events: nothing is lost and nothing doubled, however often an answer goes missing."""

from __future__ import annotations

import gzip
import random
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from signaldesk.client.http import Answer, Refused, Unreachable
from signaldesk.client.lines import Batch

PATH = "/api/v1/events"
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
WORTH_ZIPPING = 1024
"""Bytes below which gzip gains nothing."""


class Rejected(NamedTuple):
    """An event that was not taken, by the number of its line."""

    line: int
    code: str
    field: str
    message: str


@dataclass
class Outcome:
    """What became of the events so far; `again` counts repeated requests."""

    accepted: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    again: int = 0
    ids: list[str] = field(default_factory=list)


class Line(Protocol):
    """Where batches go: an installation's API, or this machine's own intake."""

    def post(self, path: str, content: bytes = b"", *, headers: Mapping[str, str] | None = None) -> Answer:
        """POST once. Raises Unreachable or Refused."""
        ...


class Sender:
    """Sends in order, one batch at a time, and repeats what had no answer under the same Idempotency-Key."""

    def __init__(
        self,
        api: Line,
        *,
        replay: str = "",
        notify: bool = False,
        patience: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`replay` names an import judged in its own event time; `patience`: seconds to go on trying."""
        self._api = api
        self._patience = patience
        self._sleep, self._now = sleep, now
        self._headers = {"Content-Type": "application/x-ndjson"}
        if replay:
            self._headers |= {"X-SignalDesk-Replay": replay, "X-SignalDesk-Notify": str(notify).lower()}
        self._run = secrets.token_hex(8)
        self._number = 0
        self.outcome = Outcome()
        self.trouble: Unreachable | None = None
        """Why the batch that is being sent is not in yet."""

    def send_all(self, batches: Iterable[Batch], *, after_each: Callable[[Batch], None]) -> Outcome:
        """Send every batch. Raises Refused (wrong key, …), or Unreachable when patience ends."""
        for batch in batches:
            self.send(batch)
            after_each(batch)
        return self.outcome

    def send(self, batch: Batch) -> None:
        """Send one batch; what the server rejects is noted by its line, and everything else is in."""
        self._number += 1
        body, headers = batch.body, {**self._headers, "Idempotency-Key": f"send-{self._run}-{self._number}"}
        if len(body) >= WORTH_ZIPPING:
            body = gzip.compress(body, 3)
            headers["Content-Encoding"] = "gzip"
        try:
            answer = self._insist(body, headers).body
        except Refused as refusal:
            self._note_refusal(refusal, batch)
            return
        self.outcome.accepted += answer["accepted"]
        self.outcome.ids += answer["ids"] if len(self.outcome.ids) < 100 else []
        self._note_rejected(answer["rejected"], batch)

    def _insist(self, body: bytes, headers: dict[str, str]) -> Answer:
        deadline, pause = self._now() + self._patience, FIRST_PAUSE
        self.trouble = None
        while True:
            try:
                return self._api.post(PATH, body, headers=headers)
            except Unreachable as error:
                self.trouble = error
                wait = error.retry_after or pause * random.uniform(0.5, 1.5)
                if self._now() + wait > deadline:
                    raise
                self._sleep(wait)
                pause = min(LONGEST_PAUSE, pause * 2)
                self.outcome.again += 1

    def _note_refusal(self, refusal: Refused, batch: Batch) -> None:
        """All of a batch was wrong, or one line was too large; anything else is raised."""
        if refusal.answer_status == 413 and len(batch.numbers) == 1:
            self.outcome.rejected.append(Rejected(batch.numbers[0], "too_large", "", refusal.detail))
        elif refusal.answer_status == 422 and refusal.body.get("rejected"):
            self._note_rejected(refusal.body["rejected"], batch)
        else:
            raise refusal

    def _note_rejected(self, rejected: list[dict[str, object]], batch: Batch) -> None:
        for one in rejected:
            number = batch.numbers[int(str(one["index"]))]
            self.outcome.rejected.append(
                Rejected(number, str(one["code"]), str(one["field"]), str(one["message"]))
            )
