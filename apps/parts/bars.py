"""Counts over a span that ends now: bars of equal width, of which the last one still grows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from signaldesk.clock import MICROS
from signaldesk.model.overview import Bar, Span

YOUNG = 0.1
"""The growing bar's rate is taken over at least this part of a bar: a second's worth says little."""


class Rate(NamedTuple):
    """A bar as rates per second."""

    events: float
    matched: float


class Bars:
    """A span's bars, oldest first; never empty."""

    def __init__(self, span: Span, bars: Iterable[Bar]) -> None:
        self.span = span
        self._bars = list(bars)

    def __iter__(self) -> Iterator[Bar]:
        return iter(self._bars)

    def __len__(self) -> int:
        return len(self._bars)

    @property
    def start_us(self) -> int:
        return self._bars[0].start_us

    @property
    def end_us(self) -> int:
        return self._bars[-1].start_us + self.span.bar_us

    def add(self, events: int, matched: int, now_us: int) -> None:
        """More were received at `now_us`."""
        self.roll(now_us)
        last = self._bars[-1]
        self._bars[-1] = Bar(last.start_us, last.events + events, last.matched + matched)

    def correct(self, stored: Iterable[Bar]) -> None:
        """Take stored counts where they know more: storing lags a second, and what is told may be lost."""
        known = {bar.start_us: bar for bar in stored}
        for i, bar in enumerate(self._bars):
            if found := known.get(bar.start_us):
                self._bars[i] = Bar(
                    bar.start_us, max(bar.events, found.events), max(bar.matched, found.matched)
                )

    def roll(self, now_us: int) -> None:
        """Open the bars whose time has come, drop those that left the span."""
        while self.end_us <= now_us:
            self._bars.append(Bar(self.end_us, 0, 0))
        del self._bars[: -self.span.bars]

    def rates(self, now_us: int) -> list[Rate]:
        """Each bar's rates; the growing one's over the time that it has had."""
        whole = self.span.bar_s
        grown = min(max((now_us - self._bars[-1].start_us) / MICROS, YOUNG * whole), whole)
        lengths = [*([whole] * (len(self._bars) - 1)), grown]
        return [
            Rate(bar.events / length, bar.matched / length)
            for bar, length in zip(self._bars, lengths, strict=True)
        ]
