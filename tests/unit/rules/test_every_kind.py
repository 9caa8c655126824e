"""The conformance suite: what every rule kind has to be, proved of each by being registered.

Conditions are made of the examples of a kind's parameters. Events come at random: in and out of order, too
late, twice, at the edges of the window, with the fields that the examples name and with all sorts of values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from signaldesk.errors import Invalid
from signaldesk.model.event import Event
from signaldesk.model.outcome import Firing
from signaldesk.model.rule import Rule
from signaldesk.rules import document
from signaldesk.rules._kind import EVIDENCE_MAX, Kind
from tests.docs.pages import DOCS, page
from tests.support.examples import examples
from tests.support.judging import LATENESS, MICROS, Judging, event, seen

KINDS = sorted(document.kinds().values(), key=lambda kind: kind.name)
START = 1_700_000_000 * MICROS
MEMORY_MOST = 2_000_000
"""Bytes that one group may take in a checkpoint, whatever comes."""

every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def rules(kind: Kind, **fields: Any) -> list[Rule]:
    """A rule of this kind, and before it those that it is made of."""
    when = kind.example()
    event: dict[str, Any] = {"event": ["y", "z"]} if kind.takes_event else {}
    if kind.wants_where:
        event["where"] = "amount > 1"
    whole = document.parse({"name": "x", "when": when, **event, **fields})
    parts = [
        document.parse({"name": name, "event": type_, "when": {"kind": "each"}, **fields})
        for name, type_ in zip(kind.parts(whole.when), "yzyzyzyz", strict=False)
    ]
    return [*parts, whole]


def types(kind: Kind) -> list[str]:
    return ["y", "z"] if kind.takes_event else [*kind.events(rules(kind)[-1]), "y", "z"]


def span(kind: Kind) -> int:
    """The length of its window (µs); some time for kinds that have none."""
    return kind.judge(rules(kind)[-1]).span or 10 * MICROS


@dataclass(frozen=True)
class Come:
    """An event on its way: how long after the one before, how long ago, and how often it is delivered."""

    after: int
    ago: int
    type: str
    payload: dict[str, Any]
    times: int
    restart: bool


def streams(kind: Kind, *, most: int = 20) -> st.SearchStrategy[list[Come]]:
    width = span(kind)
    names = sorted({value for value in kind.example().values() if isinstance(value, str)})
    values = st.sampled_from([0, 1, 2, 2.5, -3, 1000, 10**12, 1e-7, None, True, "text", "2", [1], {"a": 1}])
    steps = [0, 0, 1, MICROS, width // 10, width // 3, width - 1, width, width + 1]
    return st.lists(
        st.builds(
            Come,
            after=st.sampled_from(steps),
            ago=st.sampled_from([0, 0, 0, 0, *steps, LATENESS, LATENESS + 1, 2 * LATENESS]),
            type=st.sampled_from(types(kind)),
            payload=st.dictionaries(st.sampled_from([*names, "amount", "country"]), values, max_size=4),
            times=st.sampled_from([1, 1, 1, 2]),
            restart=st.booleans(),
        ),
        min_size=1,
        max_size=most,
    )


def events(stream: list[Come], start: int = START) -> list[Event]:
    found, now = [], start
    for number, come in enumerate(stream):
        now += come.after
        found.append(event(number + 1, come.type, now - come.ago, come.payload))
    return found


def run(kind: Kind, stream: list[Event], **fields: Any) -> list[list[Any]]:
    """What comes of each event."""
    judging = Judging(rules(kind, **fields))
    return [seen(judging.take(one)) for one in stream]


many = examples(10)


@every_kind
class TestItsParameters:
    def test_go_by_the_name_of_the_kind(self, kind: Kind) -> None:
        assert kind.condition.model_validate(kind.example()).kind == kind.name
        assert document.kinds()[kind.name] is kind

    def test_are_said_in_words(self, kind: Kind) -> None:
        assert kind.sentence(rules(kind)[-1].when)

    def test_are_written_as_they_are_read(self, kind: Kind) -> None:
        whole = rules(kind)[-1]
        assert document.parse(whole.document()) == whole
        assert document.parse(yaml.safe_load(yaml.safe_dump(whole.document()))) == whole

    def test_have_a_schema_that_takes_what_is_written_and_nothing_else(self, kind: Kind) -> None:
        schema = kind.condition.model_json_schema(by_alias=True)
        checker = jsonschema.Draft202012Validator(schema)
        written = rules(kind)[-1].document()["when"]
        assert not list(checker.iter_errors(kind.example()))
        assert not list(checker.iter_errors(written))
        assert kind.condition.model_validate(written) == rules(kind)[-1].when
        assert list(checker.iter_errors({**written, "no such parameter": 1}))

    def test_say_what_they_are(self, kind: Kind) -> None:
        silent = [
            name
            for name, field in kind.condition.model_fields.items()
            if name != "kind" and not field.description
        ]
        assert not silent

    def test_are_refused_when_they_are_strange(self, kind: Kind) -> None:
        with pytest.raises(Invalid) as caught:
            document.parse({"name": "x", "event": "y", "when": {**kind.example(), "surprise": 1}})
        assert "when.surprise" in {fault.field for fault in caught.value.errors}

    def test_of_the_wrong_type_are_faults_by_name(self, kind: Kind) -> None:
        for name in kind.example().keys() - {"kind"}:
            with pytest.raises(Invalid) as caught:
                document.parse(
                    {"name": "x", "event": "y", "when": {**kind.example(), name: {"strange": [object]}}}
                )
            assert any(fault.field.startswith(f"when.{name}") for fault in caught.value.errors), name

    def test_are_documented_with_a_picture(self, kind: Kind) -> None:
        targets = [target for _, target in page(f"rules/{kind.name}.md").links()]
        pictures = [DOCS / "rules" / target for target in targets if target.endswith(".svg")]
        assert pictures and all(picture.is_file() for picture in pictures)


@every_kind
class TestItsJudgement:
    @many
    @given(data=st.data())
    def test_is_the_same_for_the_same_events(self, kind: Kind, data: st.DataObject) -> None:
        stream = events(data.draw(streams(kind)))
        assert run(kind, stream) == run(kind, stream)

    @many
    @given(data=st.data())
    def test_has_value_bounds_and_evidence(self, kind: Kind, data: st.DataObject) -> None:
        judging = Judging(rules(kind))
        taken: set[bytes] = set()
        for one in events(data.draw(streams(kind))):
            taken.add(one.id)
            for firing in judging.take(one):
                if isinstance(firing, Firing) and firing.saved.rule.when.kind == kind.name:
                    assert firing.window_from <= firing.window_to <= firing.time
                    assert len(firing.evidence) <= EVIDENCE_MAX
                    assert len(set(firing.evidence)) == len(firing.evidence)
                    assert set(firing.evidence) <= taken
                    assert firing.timer or (firing.event == one and firing.time == one.timestamp)

    @many
    @given(data=st.data())
    def test_does_not_change_when_an_event_is_delivered_twice(self, kind: Kind, data: st.DataObject) -> None:
        stream = data.draw(streams(kind))
        once = run(kind, events(stream))
        judging, twice = Judging(rules(kind)), []
        for come, one in zip(stream, events(stream), strict=True):
            twice.append(seen(judging.take(one)))
            for _ in range(come.times - 1):
                judging.take(one)
        assert once == twice

    @many
    @given(data=st.data())
    def test_ends_exactly_where_the_window_ends(self, kind: Kind, data: st.DataObject) -> None:
        """An event exactly as old as the window is out: nothing that follows is judged otherwise."""
        width = kind.judge(rules(kind)[-1]).span
        stream = [come for come in data.draw(streams(kind)) if not come.ago]
        first = event(99_999, types(kind)[0], START - width, {})
        if not width or not stream:
            return
        for come in stream:
            first = Event(first.id, come.type, first.timestamp, events([come])[0].payload)
            after = events([Come(0, 0, stream[0].type, stream[0].payload, 1, False), *stream[1:]])
            with_it = run(kind, [first, *after])[1:]
            firings = [[one for one in found if one[0] != "over" and not one[2]] for found in with_it]
            plain = [[one for one in found if one[0] != "over" and not one[2]] for found in run(kind, after)]
            assert firings == plain

    @many
    @given(data=st.data())
    def test_leaves_out_what_comes_too_late(self, kind: Kind, data: st.DataObject) -> None:
        stream = events(data.draw(streams(kind)))
        watermark, in_time, late = 0, [], 0
        for one in stream:
            watermark = max(watermark, one.timestamp)
            if watermark - one.timestamp > LATENESS:
                late += 1
            else:
                in_time.append(one)
        judging = Judging(rules(kind))
        found = {one.id: seen(judging.take(one)) for one in stream}
        assert [found[one.id] for one in in_time] == run(kind, in_time)
        assert not any(found[one.id] for one in stream if one not in in_time)
        assert judging.late() <= late * len(judging.lane.watches)

    @examples(16)
    @given(data=st.data(), timing=st.sampled_from([{}, {"cooldown": "7s"}, {"resolve": {"quiet_for": "9s"}}]))
    def test_does_not_change_when_the_process_does(
        self, kind: Kind, data: st.DataObject, timing: dict[str, Any]
    ) -> None:
        stream = data.draw(streams(kind))
        judging, found = Judging(rules(kind, **timing)), []
        for come, one in zip(stream, events(stream), strict=True):
            found.append(seen(judging.take(one)))
            if come.restart:
                judging.restart()
        assert found == run(kind, events(stream), **timing)

    def test_does_not_change_when_the_process_does_after_any_event_of_many(self, kind: Kind) -> None:
        width = span(kind)
        of, names = types(kind), [value for value in kind.example().values() if isinstance(value, str)]
        stream = [
            event(
                n + 1,
                of[n % 3 % len(of)],
                START + n * width // 20 - n % 7 * MICROS,
                dict.fromkeys([*names, "amount", "country"], n * 7 % 1000),
            )
            for n in range(200)
        ]
        steady, shaken = Judging(rules(kind)), Judging(rules(kind))
        for one in stream:
            assert seen(steady.take(one)) == seen(shaken.take(one))
            shaken.restart()

    def test_needs_no_more_memory_than_its_page_says(self, kind: Kind) -> None:
        """One hot group, 25,000 events well within the window, and what follows them."""
        width = span(kind)
        of, names = types(kind), [value for value in kind.example().values() if isinstance(value, str)]
        judging = Judging(rules(kind, cooldown="1h"))
        for first in range(0, 25_000, 1_000):
            judging.take_all([
                event(n + 1, of[n % len(of)], START + n * width // 40_000,
                      dict.fromkeys([*names, "amount", "country"], n * 7919 % 10_007))
                for n in range(first, first + 1_000)
            ])  # fmt: skip
        assert judging.size() <= MEMORY_MOST
        assert all(len(state.times) <= 25_000 for state in judging.states())
