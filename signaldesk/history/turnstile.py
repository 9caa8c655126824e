"""How many queries run at once: over all, and of one organisation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from signaldesk.errors import TooMany

_WAIT_S = 2.0


class Turnstile:
    """Lets in or refuses; nobody waits, so nothing piles up. Meant for one event loop."""

    def __init__(self, *, over_all: int, per_org: int) -> None:
        self._over_all, self._per_org = over_all, per_org
        self._inside: Counter[UUID] = Counter()

    @contextmanager
    def let_in(self, org_id: UUID) -> Iterator[None]:
        """A place for as long as the block lasts. Raises TooMany."""
        if self._inside[org_id] >= self._per_org:
            raise TooMany(
                f"{self._per_org} queries of this organisation are running already; wait for one to end",
                retry_after=_WAIT_S,
            )
        if self._inside.total() >= self._over_all:
            raise TooMany(
                f"{self._over_all} queries are running already; try again shortly", retry_after=_WAIT_S
            )
        self._inside[org_id] += 1
        try:
            yield
        finally:
            self._inside[org_id] -= 1
            if not self._inside[org_id]:
                del self._inside[org_id]
