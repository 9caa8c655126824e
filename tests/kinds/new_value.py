"""`new_value`: no other event with the same value in (t - within, t]."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.kinds import Found, Reading, Seen

if TYPE_CHECKING:
    from tests.oracle import Event


class NewValue(Reading):
    def sample(self, event: Event) -> Any:
        from tests.oracle import look_up

        value = look_up(self.when["field"], event)
        if not self.rule.where(event) or value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return json.dumps(value, sort_keys=True)

    def judge(self, past: list[Seen]) -> Found | None:
        *before, this = past
        if min(one.time for one in past) + self.span("learn") > this.time and self.span("learn"):
            return None
        seen = [one.time for one in before if one.sample == this.sample]
        if any(this.time - self.span() < time <= this.time for time in seen):
            return None
        return Found(1, False, 1, (this.time - self.span(), this.time), (this.id,))


READING = NewValue
WHENS = st.builds(
    lambda field, within, learn: (
        {"kind": "new_value", "field": field, "within": within} | ({"learn": learn} if learn else {})
    ),
    st.sampled_from(["country", "amount", "user.plan", "user"]),
    st.sampled_from(["2s", "1s", "10s", "1m"]),
    st.sampled_from([None, None, "1s"]),
)
