"""Previews of rules on what an organisation has stored, as the rule builder asks for them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from signaldesk.clock import MICROS, to_us
from signaldesk.errors import Invalid
from signaldesk.history.history import History
from signaldesk.rules import document
from tests.support import rows
from tests.support.web import Org, Web

COUNT: dict[str, Any] = {
    "name": "Three", "event": "checkout_failed", "by": "country",
    "when": {"kind": "count", "at_least": 3, "within": "1m"},
}  # fmt: skip
NOW = rows.now()
SPAN = to_us(NOW) - 3600 * MICROS, to_us(NOW) + MICROS


async def failures(web: Web, org: Org, *, type: str = "checkout_failed", many: int = 6) -> None:
    for number in range(many):
        moment = NOW - timedelta(seconds=many - number)
        payload = {"country": ("DE", "FR")[number % 2], "amount": number}
        await rows.event(web.desk.database, org.id, type=type, timestamp=moment, payload=payload)


async def test_a_preview_has_the_events_and_fields_of_its_rule_and_of_the_one_beside_it(
    web: Web, org: Org
) -> None:
    await failures(web, org)
    await failures(web, org, type="checkout_ok", many=2)
    await failures(web, org, type="login", many=2)
    rule = document.parse(COUNT)
    beside = document.parse({**COUNT, "event": ["checkout_failed", "checkout_ok"], "where": "amount < 2"})
    bench = await web.services.benches(org.id).bench(rule, *SPAN, against=beside)
    assert (len(bench.events), set(bench.events.fields)) == (8, {"amount", "country"})
    tried = await asyncio.to_thread(bench.judge, rule, against=beside)
    assert (tried.found.matched, len(tried.found.firings)) == (6, 2)
    assert tried.versus is not None and tried.versus.old.matched == 4


async def test_a_part_that_is_no_rule_is_told(web: Web, org: Org) -> None:
    whole = {"name": "w", "when": {"kind": "composite", "all": ["Nothing", "Else"], "within": "1m"}}
    with pytest.raises(Invalid, match="there is no rule 'Nothing'"):
        await web.services.benches(org.id).bench(document.parse(whole), *SPAN)


async def test_the_event_loop_goes_on_while_events_are_loaded(
    web: Web, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    await failures(web, org)
    goes_on, asked, loop = Event(), asyncio.Event(), asyncio.get_running_loop()
    cut = History.cut

    def slow(self: History, *given: Any, **more: Any) -> Any:
        loop.call_soon_threadsafe(asked.set)
        assert goes_on.wait(30)
        return cut(self, *given, **more)

    monkeypatch.setattr(History, "cut", slow)
    loading = asyncio.create_task(web.services.benches(org.id).bench(document.parse(COUNT), *SPAN))
    await asked.wait()
    goes_on.set()
    assert len((await loading).events) == 6
