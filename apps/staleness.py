"""Which figures are out of date, and whether it is time to ask for them again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from signaldesk.clock import MICROS


class Staleness:
    """Messages say *that* something changed; asking for it is throttled per figure.

    `every` gives, per figure, the seconds that must lie between two questions, and `at_most` the seconds
    after which it is asked even though nobody said anything (a message can be lost).
    """

    def __init__(self, every: Mapping[str, float], *, at_most: float) -> None:
        self._every = {name: round(seconds * MICROS) for name, seconds in every.items()}
        self._at_most = round(at_most * MICROS)
        self._asked: dict[str, int] = {}
        self._stale: set[str] = set()

    def hint(self, names: Iterable[str]) -> None:
        """These may have changed."""
        self._stale.update(names)

    def due(self, now_us: int) -> tuple[str, ...]:
        """The figures to ask for now; they count as asked."""
        due = tuple(name for name in self._every if self._is_due(name, now_us))
        self._stale.difference_update(due)
        self._asked.update(dict.fromkeys(due, now_us))
        return due

    def _is_due(self, name: str, now_us: int) -> bool:
        asked = self._asked.get(name)
        if asked is None:
            return True
        return now_us - asked >= (self._every[name] if name in self._stale else self._at_most)
