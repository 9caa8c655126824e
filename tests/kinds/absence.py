"""`absence`: none in (t - within, t], or none between a moment of the schedule and its grace."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from signaldesk.clock import from_us, to_us
from signaldesk.model import duration
from tests.kinds import Found, Reading, Seen

ASLEEP = 1_000
"""After so many missed moments of a schedule in a row, nothing more is missed before the next event."""


class Absence(Reading):
    ends = True

    def judge(self, past: list[Seen]) -> Found | None:
        return None

    def last(self, past: list[Seen], begun: int | None) -> tuple[int, bytes]:
        """Since when nothing has come, and the first event that was shown with the newest event time."""
        if not past:
            return begun or 0, bytes(16)
        newest = max(one.time for one in past)
        return max(newest, begun or 0), next(one.id for one in past if one.time == newest)

    def deadline(self, past: list[Seen], rung: list[int], begun: int | None) -> int | None:
        if not past and begun is None:
            return None
        last, _ = self.last(past, begun)
        met = [time for time in rung if time > last]
        if "within" in self.when:
            due = last + self.span()
            return None if due in rung else due
        if len(rung) - self.met(past, begun) >= ASLEEP:
            return None
        schedule = self.when["expected"]
        grace = duration.parse(schedule.get("grace", 0))
        return self.after(max([last, *(time - grace for time in met)])) + grace

    @staticmethod
    def met(past: list[Seen], begun: int | None) -> int:
        """How many deadlines were met before the latest event that is newer than all before it."""
        newest, met = begun or -1, 0
        for one in past:
            if one.time > newest:
                newest, met = one.time, one.met
        return met

    def after(self, time: int) -> int:
        """The first moment of `MINUTE * * * *` after a time: the only schedules that are drawn."""
        schedule = self.when["expected"]
        minute = int(schedule["cron"].split()[0])
        moment = from_us(time).astimezone(ZoneInfo(schedule.get("timezone", "UTC")))
        moment = moment.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        return to_us(moment + timedelta(minutes=(minute - moment.minute) % 60))

    def ring(self, past: list[Seen], rung: list[int], begun: int | None) -> Found | None:
        last, id = self.last(past, begun)
        quiet = (rung[-1] - last) / 1e6
        return Found(quiet, False, quiet, (last, rung[-1]), (id,) if past else ())

    def over(self, past: list[Seen], rung: list[int], begun: int | None) -> bool:
        *before, this = past
        return this.time > max([begun or 0, *(one.time for one in before)])


def _schedule(minute: int, grace: str) -> dict[str, Any]:
    return {"kind": "absence", "expected": {"cron": f"{minute} * * * *", "grace": grace}}


READING = Absence
BEGINS = True
WHENS = st.one_of(
    st.builds(
        lambda within: {"kind": "absence", "within": within},
        st.sampled_from(["2s", "1s", "10s", "1m", "1ms"]),
    ),
    st.builds(_schedule, st.sampled_from([0, 14, 15, 30]), st.sampled_from(["0s", "5s", "2m"])),
)
