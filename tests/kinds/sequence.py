"""`sequence`: the steps in order within (t - within, t]; or nothing that must follow, by start + within."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.kinds import Found, Reading, Seen

if TYPE_CHECKING:
    from tests.oracle import Event

Chain = tuple[int, tuple[bytes, ...], int]
"""Start, ids, end."""


class Sequence(Reading):
    takes_event = False

    @property
    def ends(self) -> bool:  # type: ignore[override]
        return "missing" in self.when

    def every(self) -> list[dict[str, Any]]:
        return [*self.when["steps"], *([self.when["missing"]] if "missing" in self.when else [])]

    def sample(self, event: Event) -> Any:
        from tests.oracle import like, listed

        found = {
            number
            for number, step in enumerate(self.every())
            if any(like(pattern, event.type) for pattern in listed(step["event"]))
        }
        return found if found and self.rule.where(event) else None

    def chain(self, past: list[Seen], number: int) -> Chain | None:
        """The chain of the steps up to `number` that ends with the last one of `past`: of the latest start,
        then of the earliest step before."""
        *before, this = past
        if number not in this.sample:
            return None
        if number == 0:
            return this.time, (this.id,), this.time
        found = [
            chain
            for at, one in enumerate(before)
            if one.time <= this.time
            if (chain := self.chain(past[: at + 1], number - 1)) is not None
            if chain[0] > this.time - self.span()
        ]
        if not found:
            return None
        start, ids, _ = max(found, key=lambda chain: (chain[0], -chain[2]))
        return start, (*ids, this.id), this.time

    def whole(self, past: list[Seen]) -> Chain | None:
        return self.chain(past, len(self.when["steps"]) - 1)

    def judge(self, past: list[Seen]) -> Found | None:
        chain, time = self.whole(past), past[-1].time
        if chain is None or "missing" in self.when:
            return None
        return self.found(chain, time)

    def found(self, chain: Chain, time: int) -> Found:
        took = (time - chain[0]) / 1e6
        return Found(took, False, self.span() / 1e6, (time - self.span(), time), chain[1])

    def waiting(self, past: list[Seen], rung: list[int]) -> list[Chain]:
        """Chains that nothing has followed, by start: one for each, the first that was judged."""
        found: dict[int, Chain] = {}
        gone: set[int] = set()
        for at, one in enumerate(past):
            if len(self.when["steps"]) in one.sample:
                gone |= {
                    start for start, chain in found.items() if chain[2] <= one.time < start + self.span()
                }
                found = {start: chain for start, chain in found.items() if start not in gone}
            if (chain := self.whole(past[: at + 1])) is not None:
                found.setdefault(chain[0], chain)
        return [found[start] for start in sorted(found)]

    def deadline(self, past: list[Seen], rung: list[int], begun: int | None) -> int | None:
        if "missing" not in self.when:
            return None
        due = [chain[0] + self.span() for chain in self.waiting(past, rung)]
        return min((time for time in due if time not in rung), default=None)

    def ring(self, past: list[Seen], rung: list[int], begun: int | None) -> Found | None:
        time = rung[-1]
        return next(
            self.found(chain, time) for chain in self.waiting(past, rung) if chain[0] + self.span() == time
        )

    def over(self, past: list[Seen], rung: list[int], begun: int | None) -> bool:
        return len(self.when["steps"]) in past[-1].sample


def _when(types: list[str], missing: str | None, within: str) -> dict[str, Any]:
    steps = [{"event": type_} for type_ in types]
    when: dict[str, Any] = {"kind": "sequence", "steps": steps, "within": within}
    if missing:
        when["missing"] = {"event": missing}
    elif len(types) == 1:
        when["steps"].append({"event": "*"})
    return when


READING = Sequence
WHENS = st.builds(
    _when,
    st.lists(st.sampled_from(["paid", "paid*", "left", "*"]), min_size=1, max_size=3),
    st.sampled_from([None, "left", "paid_late"]),
    st.sampled_from(["1s", "3s", "10s", "1m"]),
)
