"""`count`: so many matching events in (t - within, t], the judged one included."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.kinds import EVIDENCE, Found, Reading, Seen


class Count(Reading):
    @property
    def lasting(self) -> int:
        return self.span()

    def inside(self, past: list[Seen], time: int) -> list[tuple[int, bytes]]:
        begin = time - self.span()
        return sorted({(one.time, one.id) for one in past if begin < one.time <= time})

    def judge(self, past: list[Seen]) -> Found | None:
        time = past[-1].time
        if len(self.inside(past, time)) < self.when["at_least"]:
            return None
        return self.verdict(past, time)

    def verdict(self, past: list[Seen], time: int) -> Found:
        need = self.when["at_least"]
        newest = max(one.time for one in past) <= time
        evidence = [id for _, id in self.inside(past, time)[-min(need, EVIDENCE) :]] if newest else []
        return Found(need, True, need, (time - self.span(), time), tuple(evidence) or (past[-1].id,))

    def value(self, past: list[Seen], time: int) -> float | None:
        return min(float(self.when["at_least"]), len(self.inside(past, time)))


READING = Count
WHENS = st.builds(
    lambda need, within: {"kind": "count", "at_least": need, "within": within},
    st.sampled_from([1, 2, 2, 3, 4]),
    st.sampled_from(["2s", "3s", "10s", "1s", "1ms"]),
)
