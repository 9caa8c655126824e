"""Windows: exact in any order of arrival, in bounded memory, compared with counting everything anew."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaldesk.model.window import Window
from tests.support.examples import examples

Member = tuple[int, bytes]


@dataclass
class Checkpoint:
    """What Redis would hold of a window: a sorted set of ids by time."""

    times: dict[bytes, int] = field(default_factory=dict)

    def save(self, window: Window) -> None:
        anew = window.rewrite
        members = zip(*window.unsaved(), strict=True)
        if anew:
            self.times.clear()
        self.times |= dict(members)

    def restored(self) -> Window:
        window = Window()
        window.fill(sorted(self.times.items(), key=lambda member: (member[1], member[0])))
        return window


@dataclass
class Stream:
    """Arrivals as (time, id, watermark); what came too late is left out."""

    need: int
    width: int
    lateness: int
    arrivals: list[tuple[int, bytes, int]]


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    width = draw(st.integers(1, 12))
    lateness = draw(st.integers(0, 30))
    steps = st.sampled_from([0, 0, 0, 1, 1, 2, 5, -1, -2, -5, -12, 30]) | st.integers(-40, 15)
    arrivals, clock = [], 1_000
    for number, step in enumerate(draw(st.lists(steps, min_size=1, max_size=120))):
        time, clock = clock + step, max(clock, clock + step)
        # Few ids: a member may come twice, and ties are broken by ids in any order.
        id_ = bytes([draw(st.integers(0, 255))]) if draw(st.booleans()) else bytes([1, number])
        if clock - time <= lateness:
            arrivals.append((time, id_, clock))
    return Stream(draw(st.integers(1, 5)), width, lateness, arrivals)


@examples(250)
@given(stream=streams(), saves=st.sets(st.integers(0, 119)), losses=st.sets(st.integers(0, 119)))
def test_a_window_says_what_counting_everything_says(
    stream: Stream, saves: set[int], losses: set[int]
) -> None:
    """Thinned whenever it is worth it, saved now and then, and sometimes loaded again after a save."""
    need, width = stream.need, stream.width
    window, checkpoint, everything = Window(), Checkpoint(), set[Member]()
    for number, (time, id_, watermark) in enumerate(stream.arrivals):
        window.add(time, id_)
        everything.add((time, id_))
        inside = sorted(one for one in everything if time - width < one[0] <= time)
        assert window.reaches(need, time, width) == (len(inside) >= need)
        if len(inside) >= need:
            is_newest = max(everything)[0] <= time
            assert window.newest(need, time) == ([id for _, id in inside[-need:]] if is_newest else [])
        if len(window.times) > window.limit:
            window.thin(need, width, watermark - width - stream.lateness)
        if number in saves:
            checkpoint.save(window)
            assert checkpoint.times == dict(zip(window.ids, window.times, strict=True))
            if number in losses:
                window = checkpoint.restored()


@examples(60)
@given(stream=streams())
def test_a_windows_memory_is_bounded_by_the_threshold(stream: Stream) -> None:
    need, width = stream.need, stream.width
    slices = (width + stream.lateness) // width + 2
    most = 2 * (2 * need * slices) + 2 * need
    window = Window()
    for number, (time, id_, watermark) in enumerate(stream.arrivals):
        for again in range(20):  # a hot key
            window.add(time, id_ + bytes([number, again]))
            if len(window.times) > window.limit:
                window.thin(need, width, watermark - width - stream.lateness)
                assert len(window.times) <= 2 * need * slices
            assert len(window.times) <= most + 1


def test_a_hot_window_stays_small_however_many_come() -> None:
    window = Window()
    for number in range(100_000):
        window.add(number, number.to_bytes(16, "big"))
        if len(window.times) > window.limit:
            window.thin(3, 1_000_000, number - 1_000_000)
    assert len(window.times) < 40


def test_an_event_exactly_as_old_as_the_window_is_out_and_the_judged_one_is_in() -> None:
    window = Window()
    window.add(0, b"a")
    window.add(59, b"b")
    assert window.reaches(2, 59, 60)
    window.add(60, b"c")
    assert not window.reaches(3, 60, 60)
    assert window.reaches(2, 60, 60)
    assert window.reaches(1, 0, 60)


@pytest.mark.parametrize("times", [(1, 2, 3), (3, 2, 1), (2, 3, 1), (2, 2, 2)])
def test_a_member_counts_once_however_often_it_comes(times: tuple[int, ...]) -> None:
    window = Window()
    members = [(time, bytes([number])) for number, time in enumerate(times)]
    assert all(window.add(*member) for member in members)
    assert not any(window.add(*member) for member in members)
    assert list(zip(window.times, window.ids, strict=True)) == sorted(members)


def test_a_checkpoint_gets_only_what_is_new_unless_something_left_or_came_between() -> None:
    window = Window()
    window.add(1, b"a")
    window.add(3, b"c")
    assert (window.rewrite, window.unsaved()) == (False, ([b"a", b"c"], [1, 3]))
    window.add(4, b"d")
    assert (window.rewrite, window.unsaved()) == (False, ([b"d"], [4]))
    assert window.unsaved() == ([], [])
    window.add(2, b"b")
    assert (window.rewrite, window.unsaved()) == (True, ([b"a", b"b", b"c", b"d"], [1, 2, 3, 4]))
    window.thin(1, 10, 2)
    assert (window.rewrite, window.unsaved()) == (True, ([b"c", b"d"], [3, 4]))
    assert (window.rewrite, window.unsaved()) == (False, ([], []))
