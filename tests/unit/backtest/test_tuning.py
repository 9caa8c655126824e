"""Rules made in Python, events in any form, sweeps, labels, and what is said when something is wrong."""

from __future__ import annotations

import json
import pydoc
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import duckdb
import numpy as np
import pandas
import polars
import pyarrow
import pytest
from pyarrow import ipc, parquet

import signaldesk as sd
from signaldesk.backtest import bar, labels, sweep
from signaldesk.backtest.bench import Stopped
from signaldesk.backtest.events import Events
from signaldesk.backtest.fold import unsaved
from signaldesk.backtest.picture import write
from signaldesk.backtest.result import Backtest
from signaldesk.backtest.rule import backtest, swept
from signaldesk.clock import iso, to_us
from signaldesk.errors import Invalid, NotFound
from signaldesk.model.rule import Rule
from signaldesk.rules import document

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
DAY = 86_400_000_000
MINUTE = timedelta(minutes=1)
RULE = sd.Rule.count("checkout_failed", at_least=3, within="60s", by="country", cooldown="5m")
ROWS = [
    {"type": "checkout_failed", "timestamp": NOON + start * MINUTE + n * MINUTE / 60, "country": country}
    for start, country, times in [(0, "DE", 3), (10, "FR", 2), (20, "DE", 5), (21, None, 3)]
    for n in range(times)
]


FRAME = pandas.DataFrame(ROWS)


def relation() -> duckdb.DuckDBPyRelation:
    connection = duckdb.connect()
    return connection.from_arrow(pyarrow.Table.from_pylist(ROWS))


@pytest.mark.parametrize("kind", sorted(document.kinds()))
def test_there_is_a_constructor_for_every_kind(kind: str) -> None:
    one = document.kinds()[kind]
    parameters = {name: value for name, value in one.example().items() if name != "kind"}
    rule = getattr(sd.Rule, kind)(
        *(["y"] if one.takes_event else []), where="amount > 1" if one.wants_where else None, **parameters
    )
    assert rule.document["when"]["kind"] == kind
    assert one.sentence(rule.model.when) in repr(rule)
    shown = pydoc.plain(pydoc.render_doc(getattr(sd.Rule, kind)))
    assert f"{kind}(event=(), *, " in shown
    assert "    cooldown: After a firing, hold this group's firings back so long" in shown


@pytest.mark.parametrize(
    "events",
    [
        ROWS, pyarrow.Table.from_pylist(ROWS), pandas.DataFrame(ROWS), pandas.DataFrame(ROWS[::-1]),
        FRAME.set_index("timestamp"), relation(), polars.DataFrame(ROWS), polars.LazyFrame(ROWS),
    ],
    ids=["dicts", "arrow", "pandas", "unsorted", "indexed", "relation", "polars", "lazy"],
)  # fmt: skip
def test_events_come_in_any_form(events: Any) -> None:
    found = RULE.backtest(events)
    fired = [(one.values["country"], one.time) for one in found.firings]
    seconds = (NOON - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert fired == [
        ("DE", seconds + 2_000_000),
        ("DE", seconds + 1_202_000_000),
        (None, seconds + 1_262_000_000),
    ]
    assert found.summary["suppressed"] == {"cooldown": 2}
    assert (found.summary["alerts"], found.summary["notifications"]) == (2, 3)


@pytest.mark.parametrize(
    "suffix", [".parquet", ".arrow", ".feather", ".csv", ".ndjson", ".csv.gz", ".ndjson.gz"]
)
def test_events_come_from_files(tmp_path: Path, suffix: str) -> None:
    file, frame = tmp_path / f"events{suffix}", pandas.DataFrame(ROWS)
    if suffix == ".parquet":
        frame.to_parquet(file)
    elif suffix == ".feather":
        frame.to_feather(file)  # with LZ4
    elif suffix == ".arrow":
        table = pyarrow.Table.from_pandas(frame)
        with ipc.new_stream(file, table.schema) as stream:
            stream.write_table(table)
    elif suffix.startswith(".csv"):
        frame.to_csv(file, index=False)
    else:
        frame.to_json(file, orient="records", lines=True, date_format="iso", date_unit="us")
    assert len(RULE.backtest(file).firings) == 3


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([{"type": "x", "time": NOON}], "timestamp: there is no such column"),
        ([{"type": "x", "timestamp": 5}], "timestamp: is BIGINT"),
        ([{"type": "x", "timestamp": "yesterday"}], "cannot be read"),
        ([{"type": "x", "timestamp": None}, *ROWS], "1 event has no timestamp"),
        ([{"type": "x", "timestamp": "0001-01-01T00:00:00+14:00"}], "in no year from 1 to 9999"),
        ([{"type": "x", "timestamp": NOON, "payload": "{cut"}], "payload: is not JSON in all events"),
        (object(), "cannot be read from a object"),
        (None, "cannot be read from a NoneType"),
        ([], "the list is empty"),
        ([*ROWS, 3], "a int is among them; give dicts"),
        (tuple(ROWS), "cannot be read from a tuple; give a DataFrame, "),
        ([*ROWS, {**ROWS[0], "country": 3}], "country: holds values of several kinds"),
        (pandas.DataFrame(), "the DataFrame has no columns"),
        (polars.DataFrame(), "the Table has no columns"),
        (pandas.DataFrame(ROWS).assign(phase=1j), "this DataFrame cannot be read: "),
        (FRAME[["type", "timestamp", "country", "country"]], "country: is the name of several columns"),
        (
            FRAME.assign(timestamp=pandas.Series([NOON, *[NOON.replace(tzinfo=None)] * 12], dtype=object)),
            "timestamp: holds times with a zone and others without; make them alike",
        ),
        (pandas.DataFrame([*ROWS, {**ROWS[0], "country": 3}]), "country: holds values of several kinds"),
        (pandas.DataFrame(ROWS).rename(columns={"country": "contry"}), "by: these events have no column"),
    ],
)
def test_what_is_wrong_with_events_is_said(events: Any, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        RULE.backtest(events)
    faults = "; ".join(f"{fault.field}: {fault.message}" for fault in caught.value.errors)
    assert said in f"{caught.value.detail}; {faults}"


def test_every_field_that_a_rule_looks_at_must_be_a_column_of_a_table() -> None:
    rule = sd.Rule.aggregate(
        "checkout_failed", where="amont > 2 AND country = 'DE'", by=["user.plan", "type"], function="sum",
        field="amount", above=3, within="60s",
    )  # fmt: skip
    with pytest.raises(Invalid) as caught:
        rule.backtest([{**row, "amount": 3, "user": {"plan": "pro"}} for row in ROWS])
    (fault,) = caught.value.errors
    assert fault.field == "where"
    assert fault.message.startswith("these events have no column 'amont'; did you mean 'amount'?")
    with pytest.raises(Invalid) as caught:
        rule.sweep(ROWS, above=[1, 2], progress=False)
    assert [one.field for one in caught.value.errors] == ["where", "when.field", "by"]
    rule.backtest([{"timestamp": row["timestamp"], "payload": "{}", "type": "x"} for row in ROWS])


def test_a_field_that_no_payload_has_is_told() -> None:
    rest = {"user": {"plan": "pro"}, "gone": None, "tags": ["a"]}
    stored = [{**row, "payload": json.dumps({"amount": n, **rest})} for n, row in enumerate(ROWS)]
    stored += [{**stored[0], "type": "other", "payload": '{"amout": 1, "note": "\\"plan\\""}'}]

    def told(where: str, **options: Any) -> list[str]:
        rule = sd.Rule.count("checkout_*", at_least=1, within="1s", where=where, **options)
        return list(rule.backtest(stored).summary["notes"])

    assert told("amount > 5 AND user.plan = 'pro' AND gone IS NULL AND tags[0] = 'a'", by="user.plan") == []
    assert told("amout > 5") == [
        "no event of these types has the field 'amout', which `where` looks at; did you mean 'amount'?"
    ]
    assert told("amount > 5", by=["user.plam", "plan"]) == [
        "no event of these types has the field 'user.plam', which `by` looks at; did you mean 'user.plan'?",
        "no event of these types has the field 'plan', which `by` looks at; did you mean 'user.plan'?",
    ]
    rule = sd.Rule.aggregate("checkout_failed", function="sum", field="price", above=1, within="1m")
    grid = rule.sweep(stored, above=[1, 2], progress=False)
    assert grid.notes == [
        "no event of these types has the field 'price', which `when.field` looks at; "
        "there are amount, gone, tags, user, user.plan."
    ]
    every = sd.Rule.count("nothing_*", at_least=1, within="1s", where="amout > 5").backtest(stored)
    assert every.notes == []


def test_a_column_of_another_kind_than_the_rule_takes_it_for_is_told() -> None:
    def faults(rule: sd.Rule, **fields: Any) -> dict[str, str]:
        with pytest.raises(Invalid) as caught:
            rule.backtest([{**row, **fields} for row in ROWS])
        return {fault.field: fault.message for fault in caught.value.errors}

    rule = sd.Rule.each("checkout_failed", where="amount > 20 AND ok AND country LIKE 'D%'")
    said = faults(rule, amount="thirty", ok=1)
    assert said == {"where": "the column 'ok' is a number, and is taken for true or false: that never holds; "
                             "convert the column"}  # fmt: skip
    said = faults(rule, amount="thirty", ok=True)
    assert said["where"].startswith("the column 'amount' is text, and is taken for a number")
    total = sd.Rule.aggregate("checkout_failed", function="sum", field="amount", above=3, within="60s")
    assert list(faults(total, amount="thirty")) == ["when.field"]
    either = sd.Rule.each("checkout_failed", where="code = 7 OR code = '7'")
    for code in (7, "7", None):
        assert either.backtest([{**row, "code": code} for row in ROWS]).matched == len(ROWS) * bool(code)
    assert rule.backtest([{**row, "amount": None, "ok": True} for row in ROWS]).matched == 0


def test_fields_that_only_later_events_have_count_as_well() -> None:
    events = [{**row, "late": True} if number > 3 else row for number, row in enumerate(ROWS)]
    assert sd.Rule.each("checkout_failed", where="late").backtest(events).matched == len(ROWS) - 4


def test_a_name_that_is_no_parameter_is_told_with_the_one_that_was_meant() -> None:
    with pytest.raises(Invalid, match="withn: is no parameter; did you mean within"):
        sd.Rule.count("x", at_least=3, withn="60s")  # type: ignore[call-arg]
    with pytest.raises(Invalid, match="withn: is no parameter; did you mean within"):
        RULE.with_(withn="60s")


def test_numbers_of_numpy_and_timedeltas_are_what_they_say() -> None:
    rule = sd.Rule.count("checkout_failed", at_least=np.int64(3), within=MINUTE, by="country", cooldown="5m")
    assert rule.document == RULE.document
    assert RULE.with_(at_least=np.int64(4), within=pandas.Timedelta("90s")).document["when"] == {
        "kind": "count", "at_least": 4, "within": "1m30s",
    }  # fmt: skip
    widths = [MINUTE, np.timedelta64(5, "m")]
    swept = RULE.sweep(ROWS, at_least=np.arange(2, 4), within=widths, progress=False)
    assert [point.parameters for point in swept.points] == [
        {"at_least": limit, "within": within} for limit in (2, 3) for within in ("1m", "5m")
    ]
    assert json.dumps(swept.as_json())
    (one,) = RULE.sweep(ROWS, within=MINUTE, progress=False).points
    assert one.parameters == {"within": "1m"}


def test_what_is_no_rule_is_refused() -> None:
    wrong: Any = RULE.document
    for call in (lambda: RULE.backtest(ROWS, others=[wrong]), lambda: sd.tune(wrong, ROWS)):
        with pytest.raises(Invalid, match=r"a dict is no rule; sd\.Rule\(…\) makes one of it"):
            call()
    with pytest.raises(Invalid, match="a str is no desk"):
        sd.tune(RULE, ROWS, desk="http://localhost:5006")  # type: ignore[arg-type]


def test_lateness_is_seconds_or_a_duration() -> None:
    late = [{**row, "received_at": row["timestamp"]} for row in ROWS]
    late.append({**ROWS[0], "received_at": NOON + 20 * MINUTE})
    rule = sd.Rule.each("checkout_failed")
    lengths: list[Any] = [60, "1m", MINUTE]
    for lateness in lengths:
        assert len(rule.backtest(late, lateness=lateness).firings) == len(ROWS)
    wrong: list[Any] = ["soon", -5, float("nan")]
    for lateness in wrong:
        with pytest.raises(Invalid, match="this is no lateness; lateness: "):
            rule.backtest(late, lateness=lateness)


def test_a_range_that_is_none_is_refused() -> None:
    wrong: Any = "2026-01-31"
    day: Any = NOON.date()
    for since, until, said in (
        (NOON.replace(tzinfo=None), None, "since: has no time zone"),
        (wrong, day, "since: is a str; give a time with a zone, .*; until: is a date; give"),
        (NOON, NOON, "until: does not come after `since`"),
    ):
        with pytest.raises(Invalid, match=said):
            RULE.backtest(ROWS, since=since, until=until)


def test_events_outside_of_the_range_are_left_out() -> None:
    found = RULE.backtest(ROWS, since=NOON + 5 * MINUTE, until=NOON + 21 * MINUTE)
    assert [one.values["country"] for one in found.firings] == ["DE"]
    assert found.summary["events"] == 7


def test_columns_that_differ_in_case_only_are_refused(tmp_path: Path) -> None:
    rows = [{**row, "time": 1, "time_1": 2, "Country": "fr"} for row in ROWS]
    table = pyarrow.Table.from_pylist(rows)
    parquet.write_table(table, tmp_path / "events.parquet")
    frame = pandas.DataFrame(rows)
    frame.to_csv(tmp_path / "events.csv", index=False)
    frame.to_json(tmp_path / "events.ndjson", orient="records", lines=True, date_format="iso")
    given = [rows, table, frame, polars.DataFrame(rows), *tmp_path.iterdir()]
    for events in given:
        with pytest.raises(Invalid) as caught:
            RULE.backtest(events)
        assert caught.value.errors == (
            ("Country", "differs from the column 'country' in case only; rename one of them"),
        )


def test_of_events_with_one_id_the_first_is_judged_and_the_others_are_told() -> None:
    named = [{**row, "id": f"checkout-{n}"} for n, row in enumerate(ROWS[:3])]
    copy = {**named[0], "timestamp": NOON + 9 * MINUTE}  # what came after it would be late
    given = [named[0], copy, named[1], named[0], named[2], *({**row, "id": None} for row in ROWS[3:5])]
    stream = [
        {**one, "received_at": NOON + n * MINUTE / 60, "clock_skewed": False} for n, one in enumerate(given)
    ]
    rule = sd.Rule.count("checkout_failed", at_least=1, within="1s")
    told = "2 events whose id came before were left out, as they are live"
    for events in (stream, pandas.DataFrame(stream[::-1])):
        found = rule.backtest(events)
        assert [one.time for one in found.firings] == [one.time for one in rule.backtest(ROWS[:5]).firings]
        assert (found.summary["events"], found.late, found.summary["notes"]) == (5, 0, [told])
        assert told in repr(found) and told in found._repr_html_()
    found = rule.backtest(stream, until=NOON + 5 * MINUTE)
    assert found.notes == ["1 event whose id came before was left out, as it is live"]
    grid = rule.sweep(stream, at_least=[1, 2], progress=False)
    assert grid.as_json()["notes"] == [told]
    assert told in repr(grid) and told in grid._repr_html_()
    assert rule.backtest(named).summary["notes"] == []


def test_a_row_of_the_stream_that_was_copied_is_one_event() -> None:
    stream = [{**row, "id": "again", "position": n // 2} for n, row in enumerate(ROWS[:4])]
    found = sd.Rule.each("checkout_failed").backtest(stream)  # an id counts again after a day
    assert (found.matched, len(found.notes)) == (2, 1)


FILES = {
    "none.csv": (b"", "none.csv is empty"),
    "heading.csv": (b"type,timestamp\n", "heading.csv holds no events"),
    "latin.csv": (b"type,timestamp,country\nx,2026-01-05T12:00Z,\xd6\n", "Line: 2: Invalid unicode"),
    "lines.ndjson": (b'{"timestamp": "2026-01-05T12:00:00Z"}\nnonsense\n', "line 2 is no JSON"),
    "events.txt": (b"x", "known are .arrow, .csv, .feather, .json, .jsonl"),
    "time.csv": (
        b"timestamp,country\n" + b"2026-01-05T12:00:00Z,DE\n" * 30_000 + b"noon,DE\n",
        'Line: 30002: Error when converting column "timestamp". Could not convert string "noon"',
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_of_a_file_without_events_it_is_said_what_is_wrong_and_where(tmp_path: Path, name: str) -> None:
    content, said = FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Invalid) as caught:
        RULE.backtest(tmp_path / name)
    assert said in str(caught.value.detail)


def test_a_damaged_file_and_a_missing_one_are_named(tmp_path: Path) -> None:
    parquet, feather, arrow = (tmp_path / f"half.{kind}" for kind in ("parquet", "feather", "arrow"))
    pandas.DataFrame(ROWS).to_parquet(parquet)
    pandas.DataFrame(ROWS).to_feather(feather)
    arrow.write_bytes(feather.read_bytes()[8:])
    for file in (parquet, feather, arrow):
        file.write_bytes(file.read_bytes()[:500])
        said = rf"{file.name} cannot be read: it is damaged, .*take another copy"
        with pytest.raises(Invalid, match=said):
            RULE.backtest(file)
    with pytest.raises(NotFound, match="there is no file"):
        RULE.backtest(tmp_path / "none.parquet")


def test_a_composite_rule_wants_the_rules_that_it_is_made_of() -> None:
    whole = sd.Rule.composite(all=["a", "b"], within="1m", by="country")
    with pytest.raises(Invalid) as caught:
        whole.backtest(ROWS)
    assert "a, b" in caught.value.errors[0].message


def test_a_sweep_is_a_backtest_at_every_point() -> None:
    grid = RULE.sweep(ROWS, at_least=range(2, 6), within=["2s", "60s"], progress=False)
    assert [point.parameters for point in grid.points][:2] == [
        {"at_least": 2, "within": "2s"},
        {"at_least": 2, "within": "60s"},
    ]
    for point in grid.points:
        one = RULE.with_(**point.parameters).backtest(ROWS).summary
        assert (point.firings, point.alerts, point.per_week) == (
            one["firings"], one["alerts"], one["notifications_per_week"],
        )  # fmt: skip
    assert list(grid.df().columns)[:2] == ["at_least", "within"]
    assert grid.df()["noisiest"].iloc[1] == "country = DE (2)"
    assert "<table" in grid._repr_html_()


@pytest.mark.parametrize("mode", ["shadow", "paused"])
def test_a_sweep_says_what_a_rule_would_do_if_it_was_live(mode: str) -> None:
    resting, live = (
        rule.sweep(ROWS, at_least=[2, 3], progress=False) for rule in (RULE.with_(mode=mode), RULE)
    )
    assert resting.df().equals(live.df())
    assert live.df()["notifications"].min() > 0
    (asked,) = RULE.sweep(ROWS, mode=["shadow"], progress=False).points
    assert (asked.alerts, asked.notifications) == (0, 0)


@pytest.mark.parametrize(("widgets", "drawn"), [(None, False), (object(), True)])
def test_a_bar_in_a_notebook_is_drawn_where_its_widgets_are_installed(
    monkeypatch: pytest.MonkeyPatch, widgets: object, drawn: bool
) -> None:
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr(bar, "find_spec", lambda name: widgets)
    assert bar.shown()["disable"] is not drawn


def test_a_value_that_is_given_twice_is_tried_once() -> None:
    grid = RULE.sweep(ROWS, at_least=[3, 2, 3], within=["60s", "60s"], progress=False)
    assert [point.parameters["at_least"] for point in grid.points] == [3, 2]


def test_a_table_of_a_sweep_writes_large_numbers_out() -> None:
    busy = pandas.DataFrame({"timestamp": pandas.date_range(NOON, periods=30_000, freq="4s")})
    grid = sd.Rule.each("x").sweep(busy, cooldown=["0s", "10m"], progress=False)
    assert "151,205" in grid._repr_html_() and "e+0" not in grid._repr_html_()


def test_a_short_time_says_nothing_of_a_week() -> None:
    few = RULE.backtest(ROWS)
    assert repr(few).endswith("3 firings, 2 alerts, 3 notifications>")
    assert few.summary["notifications_per_week"] is None
    half_week = RULE.backtest(ROWS, until=NOON + timedelta(days=3.5))
    assert repr(half_week).endswith("3 firings, 2 alerts, 6 notifications a week>")
    day = RULE.backtest(ROWS, since=NOON, until=NOON + timedelta(days=1))
    assert day.summary["notifications_per_week"] == 21
    hours = RULE.backtest(ROWS, since=NOON, until=NOON + timedelta(hours=19))
    assert hours.summary["notifications_per_week"] is None


def test_figures_a_week_count_from_when_events_are_kept_on() -> None:
    events = Events.of(ROWS)
    month: dict[str, Any] = {"since": to_us(NOON) - 29 * DAY, "until": to_us(NOON) + DAY}
    saved = unsaved(RULE.model)
    whole = backtest(saved, events, **month)
    assert (whole.summary["notifications_per_week"], whole.kept_since) == (0.7, None)
    events.kept_since = to_us(NOON) - DAY
    found, grid = backtest(saved, events, **month), swept(saved, events, [{"at_least": 3}], **month)
    (point,) = grid.points
    assert found.per_week == point.per_week == 10.5
    assert found.kept_since == grid.kept_since == events.kept_since
    told = f"no events from before {NOON - timedelta(days=1):%Y-%m-%d} 12:00 UTC"
    for shown in (found._repr_html_(), grid._repr_html_(), repr(found), *grid.as_json()["notes"]):
        assert told in shown
    assert found.summary["kept_since"] == grid.as_json()["kept_since"] == iso(events.kept_since)


def test_a_sweep_of_a_short_time_shows_notifications() -> None:
    few = RULE.sweep(ROWS, at_least=[2, 3], progress=False)
    assert few.df()["notifications_per_week"].isna().all()
    assert "per_week" not in few._repr_html_() and "notifications" in few._repr_html_()
    assert few.plot().title.text.endswith(": notifications")
    with pytest.raises(Invalid, match="'per_week' is no figure"):
        few.plot("per_week")
    later = [*ROWS, {**ROWS[0], "timestamp": NOON + timedelta(days=3.5)}]
    long = RULE.sweep(later, at_least=[2, 3], progress=False)
    assert "per_week" in long._repr_html_()
    assert long.plot().title.text.endswith(": per week")


def test_what_is_late_is_up_to_whoever_sweeps() -> None:
    late = [*ROWS, {**ROWS[0], "received_at": NOON + 20 * MINUTE}]
    events = [{**row, "received_at": row.get("received_at", row["timestamp"])} for row in late]
    rule = sd.Rule.each("checkout_failed")
    for lateness, firings in ((60, len(ROWS)), (3600, len(ROWS) + 1)):
        swept = rule.sweep(events, lateness=lateness, progress=False, cooldown=["0s"])
        assert swept.points[0].firings == firings
        assert len(rule.backtest(events, lateness=lateness).firings) == firings


def test_points_are_tested_side_by_side_and_come_in_the_order_of_the_grid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sweep, "WORKERS", 3)
    points = sweep.grid({"at_least": [4, 2, 3, 9]})
    rules = [RULE.with_(**point).model for point in points]
    together = Barrier(3)

    def test(rule: Rule, going: Callable[[], bool]) -> Backtest:
        if rule != rules[-1]:
            together.wait(timeout=30)  # passes only when three are under way
        return sd.Rule(rule.document()).backtest(ROWS)

    found = sweep.run(points, rules, test)
    assert [point.parameters for point in found] == points
    assert [point.firings for point in found] == [
        len(RULE.with_(**point).backtest(ROWS).firings) for point in points
    ]


def test_a_sweep_that_is_stopped_begins_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "WORKERS", 2)
    points = sweep.grid({"at_least": range(2, 200)})
    rules = [RULE.with_(**point).model for point in points]
    begun: list[Rule] = []

    def test(rule: Rule, going: Callable[[], bool]) -> Backtest:
        begun.append(rule)
        raise Stopped

    with pytest.raises(Stopped):
        sweep.run(points, rules, test)
    assert len(begun) < len(points)


def test_labels_say_which_points_are_worth_it(tmp_path: Path) -> None:
    file = tmp_path / "incidents.csv"
    file.write_text("name,starts_at,ends_at\noutage,2026-01-05T12:19:00Z,2026-01-05T12:25:00Z\n")
    grid = RULE.sweep(ROWS, labels=str(file), at_least=[2, 3, 5, 9], progress=False)
    scores = [point.score for point in grid.points]
    assert [round(score.precision, 2) for score in scores if score] == [0.67, 1.0, 1.0, 0.0]
    assert [score.recall for score in scores if score] == [1.0, 1.0, 1.0, 0.0]
    assert scores[2] is not None and scores[2].delay == 64.0
    assert [point.parameters["at_least"] for point in grid.recommended] == [9, 5]


def test_an_incident_of_a_group_is_found_by_the_alerts_of_that_group(tmp_path: Path) -> None:
    file = tmp_path / "incidents.csv"
    times = "2026-01-05T12:19:00Z,2026-01-05T12:25:00Z"
    file.write_text(f"name,starts_at,ends_at,group.country\noutage,{times},DE\n")
    (point,) = RULE.sweep(ROWS, labels=file, at_least=[3], progress=False).points
    assert point.score is not None
    assert (point.score.precision, point.score.recall) == (0.5, 1.0)


def test_what_is_wrong_with_labels_is_said_by_line(tmp_path: Path) -> None:
    file = tmp_path / "incidents.csv"
    late, early = "2026-01-05T12:00:00Z", "2026-01-05T11:00:00Z"
    file.write_text(f"name,starts_at,ends_at\na,2026-01-05,x\nb,{late},{early}\n")
    with pytest.raises(Invalid) as caught:
        labels.read(file)
    assert [fault.field for fault in caught.value.errors] == ["line 2", "line 3"]
    file.write_text("start;end\n")
    with pytest.raises(Invalid) as caught:
        labels.read(file)
    assert caught.value.errors[0].message.startswith("columns are told apart by commas here")


def test_what_is_no_label_is_refused() -> None:
    end = NOON + MINUTE
    wrong: list[Any] = [
        {"name": "a"}, sd.Label("b", NOON.replace(tzinfo=None), end), sd.Label("c", end, NOON),
        sd.Label("d", NOON, end),
    ]  # fmt: skip
    alone: list[Any] = [None, wrong[3], pandas.DataFrame(ROWS)]
    for given in alone:
        with pytest.raises(Invalid, match=rf"a {type(given).__name__} is no list of them; give .sd.Label"):
            RULE.sweep(ROWS, labels=given, at_least=[2], progress=False)
    with pytest.raises(Invalid, match=r"'stored' is for desk\.sweep"):
        RULE.sweep(ROWS, labels="stored", at_least=[2], progress=False)
    with pytest.raises(Invalid) as caught:
        RULE.sweep(ROWS, labels=wrong, at_least=[2], progress=False)
    assert [(one.field, one.message[:24]) for one in caught.value.errors] == [
        ("labels[0]", "is a dict; give [sd.Labe"),
        ("labels[1]", "starts_at is no time wit"),
        ("labels[2]", "ends_at does not come af"),
    ]


def test_a_grid_that_is_none_is_refused() -> None:
    many = {"at_least": range(101), "within": range(100)}
    wrong: list[dict[str, Any]] = [{}, {"at_least": []}, {"at_least": None}, many, {"at_leats": [1]}]
    for parameters in wrong:
        with pytest.raises(Invalid):
            RULE.sweep(ROWS, progress=False, **parameters)


def test_results_are_shown_and_drawn(tmp_path: Path) -> None:
    found = RULE.with_(name="<b>x</b>").backtest(ROWS)
    assert "&lt;b&gt;" in found._repr_html_() and "<b>x" not in found._repr_html_()
    assert list(found.df()["value"]) == [3, 3, 3]
    grid = RULE.sweep(ROWS, at_least=[2, 3], within=["1s", "60s"], progress=False)
    with pytest.raises(Invalid, match=r"'f_score' is no figure .* there are firings, .* need labels"):
        grid.plot("f_score")
    for name, plot in (("one", found.plot()), ("grid", grid.plot()), ("row", grid.plot("alerts"))):
        write(plot, tmp_path / f"{name}.html")
        assert "bokeh" in (tmp_path / f"{name}.html").read_text(encoding="utf-8")


def test_points_under_way_are_told_that_a_sweep_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "WORKERS", 2)
    points = sweep.grid({"at_least": [2, 3]})
    rules = [RULE.with_(**point).model for point in points]
    together, told = Barrier(2), []

    def test(rule: Rule, going: Callable[[], bool]) -> Backtest:
        assert going()
        together.wait(timeout=30)
        if rule == rules[1]:
            end = time.monotonic() + 30
            while going() and time.monotonic() < end:
                time.sleep(0.001)
            told.append(not going())
        raise Stopped

    with pytest.raises(Stopped):
        sweep.run(points, rules, test)
    assert told == [True]


def test_judging_looks_often_whether_to_go_on() -> None:
    rule = sd.Rule.each("checkout_failed")
    events = [{"type": "checkout_failed", "timestamp": NOON + n * MINUTE} for n in range(5_000)]
    looks: list[int] = []
    found = backtest(unsaved(rule.model), Events.of(events), step=looks.append)
    assert (len(found.firings), sum(looks)) == (5_000, 5_000)
    assert looks.count(0) >= 10
