from typing import Any
from uuid import UUID

from signaldesk.model.outcome import Batch, Resolution, RuleChange, Stored

ORG = UUID(int=1)


def stored(position: int) -> Stored:
    return Stored(ORG.bytes, "", position, 0, [], {})


def resolution(after: int) -> Resolution:
    return Resolution(None, "", [], None, {}, 0, "quiet", after, 0)  # type: ignore[arg-type]


def test_batches_that_follow_each_other_become_one_in_the_same_order() -> None:
    change = RuleChange(ORG, UUID(int=2), 1, 1)
    first: Any = Batch(0, 10, 20, [stored(20)], ["a", "b"], [resolution(1)], clock=7)  # type: ignore[list-item]
    told = [resolution(0), resolution(1)]
    later: Any = Batch(0, 20, 30, [stored(30)], ["c"], told, [change], begun=9)  # type: ignore[list-item]
    first.join(later)
    assert (first.before, first.after, first.clock) == (10, 30, 7)
    assert [one.position for one in first.stored] == [20, 30]
    assert first.firings == ["a", "b", "c"]
    assert [one.after for one in first.resolutions] == [1, 2, 3]
    assert (first.rules, first.begun) == ([change], 9)
