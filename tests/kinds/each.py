"""`each`: every matching event."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.kinds import Found, Reading, Seen


class Each(Reading):
    def judge(self, past: list[Seen]) -> Found | None:
        time = past[-1].time
        return Found(1, False, 1, (time, time), (past[-1].id,))


READING = Each
WHENS = st.just({"kind": "each"})
