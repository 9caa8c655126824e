"""Random scenarios: rules, events, changes of rules, owners that come and go, windows that are lost.

A scenario is a list of steps. Whatever the steps between them do, the events and the changes of rules, in
their order, decide what must come out: that is what the oracle is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from hypothesis import strategies as st

from signaldesk import registry
from signaldesk.clock import MICROS
from signaldesk.errors import Invalid
from signaldesk.rules import document
from tests import kinds, oracle
from tests.support.lab import Fault, Life

Row = dict[str, Any]

RULES = 4
"""Most rules of an organisation at a time."""
TYPES = ("paid", "paid_late", "left")

FILTERS: dict[str | None, Callable[[oracle.Event], bool]] = {
    None: lambda event: True,
    "amount > 1": lambda event: _number(event) is not None and _number(event) > 1,
    "NOT (amount >= 2)": lambda event: _number(event) is not None and not _number(event) >= 2,
    "country = 'DE' OR amount IS NULL": lambda event: (
        event.payload.get("country") == "DE" or event.payload.get("amount") is None
    ),
    "type LIKE 'paid%' AND source IS NOT NULL": lambda event: (
        event.type.startswith("paid") and event.source is not None
    ),
}
"""Filters with their meaning. (That of the language at large is proved elsewhere.)"""


def _number(event: oracle.Event) -> Any:
    value = event.payload.get("amount")
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


# --- steps ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Send:
    """One request: events of one organisation. `after` in µs moves the clock before it."""

    org: int
    events: tuple[Row, ...]
    lane: str
    notify: bool
    after: int


@dataclass(frozen=True)
class Save:
    """A rule is created, or becomes another; a number that is taken means its next version."""

    org: int
    number: int
    body: Row


@dataclass(frozen=True)
class Delete:
    org: int
    number: int


@dataclass(frozen=True)
class Work:
    """A new owner begins. What happens to the one before: it ends in good order, dies, or does not notice.

    `wait`: until it has worked off what there is; otherwise the next steps happen while it works.
    """

    life: Life
    before: Literal["ends", "dies", "stays"]
    wait: bool


@dataclass(frozen=True)
class Empty:
    """Redis loses the windows and how far they went, while whatever owner there is works on."""


Step = Send | Save | Delete | Work | Empty

HOURS = {"from": "23:14", "to": "22:15", "timezone": "Europe/London"}
"""Active hours that begin within a minute of a laboratory's clock."""

# --- how they are drawn --------------------------------------------------------------------------------

_orgs = st.sampled_from([0, 0, 0, 1])
_atoms = st.sampled_from([None, 1, 1.0, 2, 2.5, True, "x" * 300, [1], {"a": 1}])
_payloads = st.fixed_dictionaries(
    {},
    optional={
        "country": st.sampled_from(["DE", "DE", "DE", "FR"]) | _atoms,
        "amount": st.sampled_from([0, 1, 2, 3, 2.0, 1.5, "2", True, None]),
        "user": st.sampled_from([{"plan": "pro"}, {"plan": "free"}, {}, "pro"]),
    },
)
_offsets = st.one_of(
    st.sampled_from([0, 0, 0, -MICROS, -MICROS, MICROS, -2 * MICROS, -3 * MICROS, -5 * MICROS, 1, -1]),
    st.integers(-30 * MICROS, 30 * MICROS),
    st.sampled_from([-5 * MICROS - 1, 59 * MICROS, 60 * MICROS, 60 * MICROS + 1, 1000 * MICROS]),
)
"""When an event happened, seen from the clock: ties, out of order, too late, ahead, and too far ahead."""


def _event(kind: str, payload: Row, offset: int | None, id: str | None, source: str | None) -> Row:
    event: Row = {"type": kind, "payload": payload, "offset": offset}
    return event | ({"id": id} if id else {}) | ({"source": source} if source else {})


_events = st.builds(
    _event,
    st.sampled_from(TYPES),
    _payloads,
    st.none() | _offsets,
    st.none() | st.none() | st.sampled_from(["one", "two", "three"]),
    st.sampled_from([None, "shop"]),
)
_bursts = st.builds(lambda event, times: (event,) * times, _events, st.integers(2, 14)).map(
    lambda burst: tuple({**event, "id": None} for event in burst)
)
_sends = st.builds(
    Send,
    org=_orgs,
    events=st.one_of(
        st.lists(_events, min_size=2, max_size=8).map(tuple),
        st.lists(_events, min_size=2, max_size=8).map(tuple),
        _bursts,
    ),
    lane=st.sampled_from(["", "", "", "", "import", "other"]),
    notify=st.booleans(),
    after=st.sampled_from([0, 0, 1, MICROS // 2, MICROS, MICROS, 2 * MICROS, 7 * MICROS, 70 * MICROS]),
)


def fitting(**fields: Any) -> Row:
    """A rule, without what its kind does not take."""
    body = {name: value for name, value in fields.items() if value is not None}
    if not oracle.KINDS[body["when"]["kind"]].takes_event:
        del body["event"]
        body.pop("where", None)
    if document.kinds()[body["when"]["kind"]].wants_where:
        body.setdefault("where", "amount > 1")
    while True:
        try:
            document.parse({"name": "x", **body})
            return body
        except Invalid as error:
            wrong = {fault.field for fault in error.errors}
            leave_out = {field.partition(".")[0] for field in wrong} & {"for", "resolve"}
            leave_out |= {"by"} if "when.field" in wrong else set()
            assert leave_out & body.keys(), error.errors
            body = {name: value for name, value in body.items() if name not in leave_out}


WHENS = {module.__name__.rpartition(".")[2]: module.WHENS for module in registry.modules(kinds)}
"""Random conditions of every kind."""

_bodies = st.builds(
    fitting,
    event=st.sampled_from(["*", "paid*", "*a*", "paid", ["paid", "left"], ["*_late", "left"], "p*d"]),
    when=st.one_of(list(WHENS.values())),
    where=st.sampled_from([None, None, *FILTERS]),
    by=st.sampled_from(
        [None, None, "country", "country", ["country", "amount"], "type", "user.plan", "source", "user"]
    ),
    repeat=st.sampled_from([None, None, "never", "2s", "10s", "1m"]),
    cooldown=st.sampled_from([None, "2s", "5s", "1m", "1s"]),
    active=st.sampled_from([None, None, None, None, HOURS]),
    resolve=st.sampled_from(
        [None, None, None, {"quiet_for": "2s"}, {"quiet_for": "30s"}, {"threshold": 1}, {"threshold": 2}]
    ),
    **{"for": st.sampled_from([None, None, None, "1s", "3s", "20s"])},
    allowed_lateness=st.sampled_from([None, None, "20s", "3s", "1s", "0s"]),
    mode=st.sampled_from([None, None, "live", "shadow", "paused"]),
    notify=st.sampled_from([None, "hook"]),
    severity=st.sampled_from([None, "critical"]),
)


def _save(org: int, number: int, body: Row) -> Save:
    """No rule is a part of itself."""
    own, other = f"rule {number}", f"rule {(number + 1) % RULES}"
    if body["when"]["kind"] == "composite":
        when = {
            name: [part for part in of if part != own] if isinstance(of, list) else of
            for name, of in body["when"].items()
        }
        if not when.get("all") and not when.get("any"):
            when = {"kind": "composite", "within": when["within"], "any": [other]}
        body = body | {"when": {name: of for name, of in when.items() if of}}
    return Save(org, number, body)


_saves = st.builds(_save, _orgs, st.integers(0, RULES - 1), _bodies)
_deletes = st.builds(Delete, _orgs, st.integers(0, RULES - 1))
_faults = st.builds(
    Fault,
    place=st.sampled_from(["commit", "commit", "commit", "save", "save", "load", "read", "replay", "rules"]),
    nth=st.integers(0, 4),
    after=st.booleans(),
    deadly=st.booleans(),
)
_lives = st.builds(
    Life,
    most_entries=st.sampled_from([1, 2, 3, 1_000_000]),
    batch_events=st.sampled_from([1, 2, 8_192]),
    checkpoint_every=st.sampled_from([0.0, 0.0, 0.002, 1_000_000.0]),
    most_states=st.sampled_from([1, 2, 1_000_000, 1_000_000]),
    faults=st.lists(_faults, max_size=3).map(tuple),
)
_works = st.builds(
    Work, _lives, before=st.sampled_from(["ends", "dies", "dies", "stays"]), wait=st.booleans()
)
_steps: st.SearchStrategy[Step] = st.one_of(
    _sends, _sends, _sends, _sends, _sends, _saves, _deletes, _works, _works, st.builds(Empty)
)

scenarios = st.builds(
    lambda rules, steps: [*rules, *steps],
    st.lists(_saves, min_size=2, max_size=4),
    st.lists(_steps, min_size=8, max_size=24),
)
