"""How many of a sort run at once: over all, and of one organisation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from signaldesk.errors import TooMany


class Turnstile:
    """Lets in or refuses; nobody waits, so nothing piles up. Meant for one event loop."""

    def __init__(self, *, over_all: int, per_org: int, what: str, wait: float) -> None:
        """`what` they are, for people; whoever is refused may come back after `wait` seconds."""
        self._over_all, self._per_org = over_all, per_org
        self._what, self._wait = what, wait
        self._inside: Counter[UUID] = Counter()

    @contextmanager
    def let_in(self, org_id: UUID) -> Iterator[None]:
        """A place for as long as the block lasts. Raises TooMany."""
        if self._inside[org_id] >= self._per_org:
            raise TooMany(
                f"this organisation has as many {self._what} running as it may ({self._per_org}); "
                "wait for one to end",
                retry_after=self._wait,
            )
        if self._inside.total() >= self._over_all:
            raise TooMany(
                f"as many {self._what} are running as may ({self._over_all}); try again shortly",
                retry_after=self._wait,
            )
        self._inside[org_id] += 1
        try:
            yield
        finally:
            self._inside[org_id] -= 1
            if not self._inside[org_id]:
                del self._inside[org_id]
