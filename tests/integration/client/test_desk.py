"""A desk in Python: of an installation elsewhere, and of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import signaldesk as sd
from signaldesk.client.desk import Desk
from signaldesk.client.http import Refused, Unreachable
from signaldesk.errors import Invalid, SignalDeskError
from signaldesk.model.actor import Actor
from signaldesk.stream import keys
from tests.integration.client.conftest import aside, connected
from tests.support import rows
from tests.support.web import Web, running_web

NOW = rows.now()


@pytest.fixture
async def web(database_url: str, redis_url: str) -> AsyncIterator[Web]:
    async with running_web(database_url, redis_url) as web:
        yield web


@pytest.fixture(params=["elsewhere", "here"])
async def desk(
    request: pytest.FixtureRequest, web: Web, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Desk]:
    """The same organisation's desk over HTTP, and straight from this machine's servers."""
    org = await web.found("Acme")
    for number, type in enumerate(("checkout_failed", "checkout_done", "signup")):
        await rows.event(
            web.desk.database,
            org.id,
            type=type,
            timestamp=NOW - timedelta(days=number),
            payload={"country": "<DE>", "amount": number * 10},
        )
    async with connected(request.param, web, org.key, monkeypatch) as found:
        yield found


async def test_sql_becomes_whichever_table_people_work_with(desk: Desk) -> None:
    found = desk.sql("SELECT type, payload.amount::INT AS amount, timestamp FROM events ORDER BY amount")
    table = await aside(found.arrow)
    assert table.column("amount").to_pylist() == [0, 10, 20]
    frame = found.df()
    assert list(frame["type"]) == ["checkout_failed", "checkout_done", "signup"]
    assert frame["timestamp"].iloc[0].to_pydatetime() == NOW
    assert found.pl()["amount"].to_list() == [0, 10, 20]
    assert len(found) == 3


async def test_events_are_those_of_a_type_a_time_and_a_filter(desk: Desk) -> None:
    async def types(*given: Any, **options: Any) -> list[str]:
        return (await aside(desk.events(*given, **options).arrow)).column("type").to_pylist()  # type: ignore[no-any-return]

    assert await types() == ["signup", "checkout_done", "checkout_failed"]
    assert await types("checkout_*") == ["checkout_done", "checkout_failed"]
    assert await types(["signup", "checkout_failed"]) == ["signup", "checkout_failed"]
    assert await types(last="36h") == ["checkout_done", "checkout_failed"]
    assert await types(last=timedelta(hours=36)) == ["checkout_done", "checkout_failed"]
    assert await types(until=NOW) == ["signup", "checkout_done"]
    assert await types(since=NOW - timedelta(days=1), until=NOW) == ["checkout_done"]
    assert await types(last="36h", until=NOW) == ["checkout_done"]
    assert await types(where="amount > 5 AND country = '<DE>'") == ["signup", "checkout_done"]


async def test_a_large_result_comes_piece_by_piece(desk: Desk) -> None:
    batches = desk.sql("SELECT range AS n, repeat('x', 100) AS x FROM range(100_000)").batches()
    sizes = await aside(lambda: [batch.num_rows for batch in batches])
    assert sum(sizes) == 100_000
    assert len(sizes) > 5


async def test_a_notebook_shows_the_first_rows_without_their_markup(desk: Desk) -> None:
    shown = await aside(desk.sql("SELECT payload FROM events, range(10)")._repr_html_)
    assert "20 of 30 rows" in shown
    assert "&lt;DE&gt;" in shown and "<DE>" not in shown
    many = desk.sql("SELECT range AS n FROM range(200_000)")
    assert "20 of more than 10,000 rows" in await aside(many._repr_html_)
    assert "not asked yet" in repr(many)  # and so not kept, either


async def test_what_is_wrong_says_what_and_where(desk: Desk) -> None:
    with pytest.raises(SignalDeskError, match=r"did you mean type\? \(line 1, column 8\)"):
        await aside(desk.sql("SELECT typ FROM events").arrow)
    with pytest.raises(Invalid, match="since: has no time zone") as error:
        desk.events(since=datetime(2026, 1, 31), last="soon", where="amount >")  # noqa: DTZ001
    assert {fault.field for fault in error.value.errors} == {"last", "since", "where"}
    with pytest.raises(Invalid, match="until: does not come after `since`; nothing lies between them"):
        desk.events(since=NOW, until=NOW)
    wrong: Any = 5
    said = r"since: is a int; give a time with a zone, .*; type: is 5; .*; where: is a int"
    with pytest.raises(Invalid, match=said):
        desk.events(wrong, since=wrong, where=wrong)
    with pytest.raises(Invalid, match="type: is empty; name a type, several, or"):
        desk.events([])
    for call in (lambda: desk.save({"name": "x"}), lambda: desk.backtest(None, last="1h")):  # type: ignore[arg-type]
        with pytest.raises(Invalid, match="is no rule; "):
            call()


async def test_a_desk_that_is_closed_says_so(desk: Desk) -> None:
    await aside(desk.close)
    with pytest.raises(SignalDeskError, match="this desk is closed; connect again"):
        await aside(desk.sql("SELECT 1").arrow)
    with pytest.raises(SignalDeskError, match="this desk is closed; connect again"):
        await aside(lambda: desk.save(RULE))


async def test_a_desk_that_is_closed_takes_no_events(desk: Desk) -> None:
    await aside(desk.close)
    with pytest.raises(SignalDeskError, match="this desk is closed; connect again to send"):
        desk.send("signup")


async def test_a_payload_is_fields(desk: Desk) -> None:
    with pytest.raises(Invalid, match="payload: is a str; give its fields: send"):
        desk.send("signup", "hello")  # type: ignore[arg-type]


FORKED = """
import multiprocessing, sys
import signaldesk as sd

desk = sd.connect(sys.argv[1], api_key=sys.argv[2])
desk.send("parent")
desk.flush()

def work(number):
    found = {desk.sql(f"SELECT {number} AS n").arrow()["n"][0].as_py() for _ in range(20)}
    for _ in range(10):
        desk.send("child", number=number)
    return found == {number} and desk.flush()

with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(work, range(2), chunksize=1))
"""


async def test_processes_that_were_forked_have_connections_of_their_own(web: Web) -> None:
    org = await web.found("Acme")
    command = [sys.executable, "-c", FORKED, web.url, org.key]
    done = await aside(lambda: subprocess.run(command, capture_output=True, text=True, check=False))
    assert (done.stdout, done.stderr) == (f"{[10] * 2}\n", "")


async def test_a_desk_of_this_machine_says_that_the_process_forked(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    await web.found("Acme")
    async with connected("here", web, "", monkeypatch) as desk:
        another = os.getpid() + 1
        monkeypatch.setattr(os, "getpid", lambda: another)
        with pytest.raises(SignalDeskError, match="before the process forked; connect again"):
            await aside(desk.sql("SELECT 1").arrow)
        monkeypatch.undo()


async def test_a_key_that_may_not_ask_is_refused(web: Web) -> None:
    org = await web.found("Acme")
    _, key = await web.services.keys.create(org.id, scopes=["events:write"])
    with sd.connect(web.url, api_key=key) as desk, pytest.raises(Refused, match="query:read"):
        await aside(desk.sql("SELECT 1").arrow)


async def test_an_answer_that_breaks_off_is_not_taken_for_whole(database_url: str, redis_url: str) -> None:
    async with running_web(database_url, redis_url, query_rows=50_000) as web:
        org = await web.found("Acme")
        with sd.connect(web.url, api_key=org.key) as desk, pytest.raises(Unreachable, match="broke off"):
            await aside(desk.sql("SELECT repeat('x', 1000) FROM range(60_000)").arrow)


async def test_connecting_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("SIGNALDESK_DATA_DIR", str(tmp_path))
    with pytest.raises(SignalDeskError, match="start it with `signaldesk up`"):
        sd.connect()
    with pytest.raises(SignalDeskError, match="SIGNALDESK_API_KEY"):
        sd.connect("https://desk.example.com")
    with pytest.raises(Invalid, match=r"org: is of this machine; leave it out: .* the API key says which"):
        sd.connect("https://desk.example.com", api_key="sk_" + "0" * 48, org="acme")


async def test_rows_are_not_asked_before_somebody_looks() -> None:
    with sd.connect("http://127.0.0.1:9", api_key="sk_" + "0" * 48) as desk:
        assert repr(desk.sql("SELECT 1\n FROM events")) == "<Rows of 'SELECT 1 FROM events': not asked yet>"
        assert "2026-01-01" in desk.events(since=datetime(2026, 1, 1, tzinfo=UTC)).sql
        with pytest.raises(Unreachable):
            await aside(desk.sql("SELECT 1").arrow)


async def test_events_sent_are_on_their_way_at_once_and_in_when_flushed(desk: Desk, web: Web) -> None:
    async def entries() -> int:
        return sum([await web.desk.redis.xlen(keys.events(number)) for number in range(8)])

    before = await entries()
    desk.send("checkout_failed", amount=30, country="DE")
    await desk.send_async("checkout_failed", {"id": "in the payload"}, id="order-4711", source="shop")
    assert await desk.flush_async(20) == 2
    assert await entries() > before
    desk.send("checkout*")
    with pytest.raises(SignalDeskError, match="1 event was rejected") as error:
        await desk.flush_async(20)
    assert [fault.field for fault in error.value.errors] == ["type"]


async def test_rows_are_drawn(desk: Desk) -> None:
    from bokeh.embed import json_item
    from bokeh.models import GlyphRenderer

    async def drawn(rows: Any) -> int:
        figure = await aside(rows.plot)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            json_item(figure)  # as a notebook does
        return len(figure.select(GlyphRenderer))

    assert await drawn(desk.events()) == 3
    assert (await aside(desk.events().plot)).title.text == "3 events"
    assert await drawn(desk.sql("SELECT type, count(*) AS n FROM events GROUP BY ALL")) == 1
    assert await drawn(desk.sql("SELECT timestamp, 1 AS a, 2 AS b FROM events")) == 2
    assert await drawn(desk.sql("SELECT range AS a, range * 2 AS b FROM range(9)")) == 1
    with pytest.raises(SignalDeskError, match="no column of numbers"):
        await drawn(desk.sql("SELECT type FROM events"))


RULE = sd.Rule.each("checkout_*", by="country", name="Every checkout")


async def test_a_rule_is_judged_where_the_events_are_or_here(desk: Desk) -> None:
    span: dict[str, Any] = {"since": NOW - timedelta(days=3), "until": NOW + timedelta(days=1)}
    there = await aside(lambda: desk.backtest(RULE, progress=False, **span))
    here = await aside(lambda: RULE.backtest(desk.events("checkout_*", last="3d")))
    assert there.as_json()["firings"] == here.as_json()["firings"]
    assert (there.summary["events"], there.summary["firings"]) == (2, 2)
    assert list(there.df()["country"]) == ["<DE>", "<DE>"]
    assert "2 of 2 events matched" in there._repr_html_() and "<DE>" not in there._repr_html_()
    assert there.plot().title.text == here.plot().title.text == "Every checkout: 2 firings, 1 alert"
    last = await aside(lambda: desk.backtest(RULE, last="12h", progress=False))
    assert last.summary["events"] == 1


async def test_a_sweep_is_the_same_wherever_it_runs(desk: Desk) -> None:
    storm = sd.Label("Storm", NOW - timedelta(hours=1), NOW + timedelta(hours=1), {})
    rule = sd.Rule.count("checkout_*", at_least=1, within="60s")
    grid = await aside(
        lambda: desk.sweep(rule, last="3d", labels=[storm], progress=False, at_least=[1, 2], within="1h")
    )
    assert list(grid.df()["firings"]) == [2, 0]
    assert grid.points[0].score is not None and grid.points[0].score.precision == 1.0
    assert [point.parameters["at_least"] for point in grid.recommended] == [2, 1]


async def test_a_field_that_no_stored_event_has_is_told(desk: Desk) -> None:
    slip = RULE.with_(where="amuont > 5")
    await aside(lambda: desk.save(RULE))
    asked: list[Callable[[], Any]] = [
        lambda: desk.backtest(slip, last="3d", progress=False),
        lambda: desk.sweep(slip, last="3d", progress=False, cooldown=["1m", "2m"]),
        lambda: desk.compare(slip, last="3d", progress=False),
    ]
    told = "no event of these types has the field 'amuont', which `where` looks at; did you mean 'amount'?"
    for one in asked:
        found = await aside(one)
        assert told in found.notes
        assert told.replace("'", "&#x27;") in found._repr_html_()


async def test_labels_of_the_organisation_are_what_rules_are_compared_with(web: Web, desk: Desk) -> None:
    half = timedelta(minutes=30)
    middles = [(NOW - timedelta(days=2), {"country": "DE"}), (NOW, {})]
    incidents = [sd.Label("Storm", middle - half, middle + half, group) for middle, group in middles]
    org = await web.desk.orgs.choose("acme")
    await web.desk.labels.take(org.id, incidents, by=Actor(None, "test"), at=NOW)
    assert await aside(desk.labels) == incidents
    assert await aside(lambda: desk.labels(last="1d")) == incidents[1:]
    before: dict[str, Any] = {"since": NOW - timedelta(days=9), "until": NOW - timedelta(days=1)}
    assert await aside(lambda: desk.labels(**before)) == incidents[:1]
    rule = sd.Rule.count("checkout_*", at_least=1, within="60s")
    options: dict[str, Any] = {"progress": False, "at_least": [1]}
    stored = await aside(lambda: desk.sweep(rule, last="3d", labels="stored", **options))
    assert stored.points[0].score is not None and stored.points[0].score.recall == 0.5


async def test_a_new_version_runs_in_the_shadow_of_the_live_one_and_is_compared_with_it(desk: Desk) -> None:
    live = await aside(lambda: desk.save(RULE))
    assert (live.name, live.version) == ("Every checkout", 1)
    strict = RULE.with_(where="amount > 5")
    shadow = await aside(lambda: desk.save(strict, mode="shadow"))
    assert (shadow.name, shadow.version) == ("Every checkout (shadow)", 1)
    again = await aside(lambda: desk.save(strict.with_(severity="critical"), mode="shadow"))
    assert (again.id, again.version) == (shadow.id, 2)
    found = await aside(lambda: desk.compare(shadow.name, last="3d", progress=False))
    assert found.sentence == (
        "'Every checkout (shadow)' would have notified 1 time fewer than 'Every checkout' "
        "(1 instead of 2) and missed nothing"
    )
    assert found.sentence in found._repr_html_().replace("&#x27;", "'")
    promoted = await aside(lambda: desk.save(strict))
    assert (promoted.id, promoted.version) == (live.id, 2)
    alone = await aside(lambda: desk.save(RULE.with_(name="Alone"), mode="shadow"))
    assert alone.name == "Alone"
    with pytest.raises(SignalDeskError) as error:
        await aside(lambda: desk.save(RULE.with_(notify=["nowhere"])))
    assert "nowhere" in error.value.errors[0].message


async def test_what_is_no_backtest_says_what_and_where(desk: Desk) -> None:
    with pytest.raises(SignalDeskError, match="say from when on") as error:
        desk.backtest(RULE)
    assert [fault.field for fault in error.value.errors] == ["since"]
    with pytest.raises(SignalDeskError) as error:
        await aside(lambda: desk.backtest("nobody", last="1d", progress=False))
    assert [fault.message for fault in error.value.errors] == [
        "there is no rule 'nobody'; there are none yet"
    ]
    long_ago: dict[str, Any] = {
        "since": datetime(2013, 1, 1, tzinfo=UTC), "until": datetime(2013, 2, 1, tzinfo=UTC),
    }  # fmt: skip
    with pytest.raises(SignalDeskError) as error:
        await aside(lambda: desk.backtest(RULE, progress=False, **long_ago))
    assert "older events are not kept" in error.value.errors[0].message


async def test_more_events_than_one_answer_may_have_come_page_by_page(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = await web.found("Many")
    for number in range(7):
        moment = NOW - timedelta(minutes=number // 3)  # ties at the edges of pages
        await rows.event(web.desk.database, org.id, timestamp=moment, payload={"n": number})
    monkeypatch.setattr("signaldesk.client.remote.PAGE", 2)
    with sd.connect(web.url, api_key=org.key) as desk:
        table = await aside(desk.events().arrow)
        assert len(await aside(lambda: RULE.backtest(desk.events("*")).firings)) == 7
    assert table.num_rows == 7
    assert len(set(table.column("id").to_pylist())) == 7
    assert table.column("timestamp").to_pylist() == sorted(table.column("timestamp").to_pylist())
