"""`ratio`: events that `where` lets through, of all those that `among` does, in (t - within, t]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.kinds import Seen
from tests.kinds.aggregate import LENGTHS, Measured, limit, limits

if TYPE_CHECKING:
    from tests.oracle import Event

AMONG: dict[str | None, Any] = {
    None: lambda event: True,
    "country = 'DE'": lambda event: event.payload.get("country") == "DE",
    "source IS NULL": lambda event: event.source is None,
}
"""Filters with their meaning."""


class Ratio(Measured):
    def sample(self, event: Event) -> Any:
        return self.rule.where(event) if AMONG[self.when.get("among")](event) else None

    def value(self, past: list[Seen], time: int) -> float | None:
        inside = self.inside(past, time)
        if len(inside) < self.when.get("min_events", 20):
            return None
        return len([one for one in inside if one.sample]) / len(inside)

    def evidence(self, past: list[Seen], time: int) -> list[Seen]:
        wanted = limit(self.when)[0] in ("above", "at_least")
        return [one for one in self.inside(past, time) if one.sample is wanted]


READING = Ratio
WHENS = st.builds(
    lambda among, compared, within, least: {
        "kind": "ratio", "within": within, "min_events": least, **compared,
        **({} if among is None else {"among": among}),
    },
    st.sampled_from(list(AMONG)),
    limits(0, 0.25, 0.5, 1),
    LENGTHS,
    st.sampled_from([1, 2, 3]),
)  # fmt: skip
