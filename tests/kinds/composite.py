"""`composite`: rules that held in (t - within, t], in the same group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.kinds import Found, Reading, Seen

if TYPE_CHECKING:
    from tests.oracle import Event


class Composite(Reading):
    """Its `past` are the moments at which a part held; their samples are the parts' names."""

    takes_event = False

    def sample(self, event: Event) -> Any:
        return None

    @property
    def lasting(self) -> int:
        return self.span()

    def on(self, past: list[Seen], time: int) -> dict[str, tuple[int, bytes]]:
        """Name -> the newest moment, of the rules that are on."""
        found: dict[str, tuple[int, bytes]] = {}
        for one in past:
            if time - self.span() < one.time <= time:
                found[one.sample] = max(found.get(one.sample, (0, b"")), (one.time, one.id))
        return found

    def judge(self, past: list[Seen]) -> Found | None:
        time = past[-1].time
        on = self.on(past, time)
        if any(name not in on for name in self.when.get("all", [])):
            return None
        if self.when.get("any") and not any(name in on for name in self.when["any"]):
            return None
        if any(name in on for name in self.when.get("none", [])):
            return None
        return self.verdict(past, time)

    def verdict(self, past: list[Seen], time: int) -> Found:
        on = self.on(past, time)
        need = len(self.when.get("all", [])) + bool(self.when.get("any"))
        this = past[-1].id
        newest = sorted(max((one.time, one.id) for one in past if one.sample == name) for name in on)
        others = dict.fromkeys(id for at, id in newest if at <= time and id != this)
        return Found(len(on), False, need, (time - self.span(), time), (*others, this))


def _composite(names: list[str], cuts: tuple[int, int], within: str) -> dict[str, Any]:
    first, second = sorted(cuts)
    lists = {"all": names[:first], "any": names[first:second], "none": names[second:]}
    if second == 0:
        lists = {"all": names}
    return {"kind": "composite", "within": within, **{name: of for name, of in lists.items() if of}}


READING = Composite
WHENS = st.builds(
    _composite,
    st.permutations(["rule 0", "rule 1", "rule 2"]).flatmap(lambda of: st.sampled_from([of[:2], of])),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    st.sampled_from(["1s", "3s", "10s", "1m"]),
)
