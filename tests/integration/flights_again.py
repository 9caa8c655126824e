"""A replay of flights once more, as backtests of what it left in Postgres: both must come to the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from signaldesk.backtest import stored
from signaldesk.backtest.result import Backtest
from signaldesk.backtest.rule import backtest
from signaldesk.clock import MICROS, SystemClock, from_us, to_us
from signaldesk.history.history import History
from signaldesk.history.shelf import Folder
from signaldesk.model.rule import SavedRule
from signaldesk.rules import document
from signaldesk.store.arrow_events import ArrowEvents
from signaldesk.store.history_book import HistoryBook

Row = dict[str, Any]
SINCE, UNTIL = from_us(1_356_998_400 * MICROS), from_us(1_388_534_400 * MICROS)
"""The year 2013."""


class Again:
    """Backtests of every rule of the one organisation, over the events of its import."""

    def __init__(self, database_url: str, folder: Path, replay: str, lateness_s: int) -> None:
        self._url, self._replay, self._lateness = database_url, replay, lateness_s * MICROS
        self._history = History(
            book=HistoryBook(database_url, clock=SystemClock()),
            events=ArrowEvents(database_url),
            shelf=Folder(folder),
        )
        self.rules = [
            SavedRule(
                org_id=row["org_id"], id=row["id"], version=row["version"], since_version=row["version"],
                fingerprint="", rule=document.parse(row["body"]),
            )
            for row in self._rows("SELECT r.*, v.body FROM rules r JOIN rule_versions v ON v.rule_id = r.id")
        ]  # fmt: skip

    def compare(self) -> Counter[str]:
        """Every rule's firings, alerts, held-back firings and late events; how rules were judged, counted."""
        how: Counter[str] = Counter()
        for saved in self.rules:
            parts = [one for one in self.rules if one.rule.name in _parts(saved)]
            loaded = stored.load(
                *(self._history, saved.org_id, [saved.rule, *(one.rule for one in parts)], SINCE, UNTIL),
                now=UNTIL,
                replay=self._replay,
            )
            found = backtest(saved, loaded.events, others=parts, lateness=self._lateness)
            self._same(saved, found)
            how[found.how.partition(":")[0]] += 1
        return how

    def alerts(self, saved: SavedRule) -> list[Row]:
        """As `signaldesk backtest --json` has them."""
        rows = self._rows("SELECT * FROM alerts WHERE rule_id = %s ORDER BY id", saved.id)
        return [{"id": str(row["id"]), "firings": row["firings"], "state": row["state"]} for row in rows]

    def _same(self, saved: SavedRule, found: Backtest) -> None:
        name = saved.rule.name
        there = self._rows("SELECT * FROM firings WHERE rule_id = %s", saved.id)
        assert _sorted(_firing(row) for row in there) == _sorted(
            {
                "id": one.id,
                "at": one.time,
                "group": one.values,
                "value": one.value,
                "window": (one.window_from, one.window_to),
                "evidence": one.evidence,
            }
            for one in found.firings
        ), name
        there = self._rows("SELECT * FROM alerts WHERE rule_id = %s", saved.id)
        assert _sorted(_alert(row) for row in there) == _sorted(
            {"id": one.id, "at": one.opened_at, "until": one.last_fired_at, "firings": one.firings,
             "state": one.state}
            for one in found.alerts
        ), name  # fmt: skip
        held = Counter[tuple[str, str]]()
        for row in self._rows("SELECT * FROM suppressions WHERE rule_id = %s", saved.id):
            held[row["group_key"], row["reason"]] += row["count"]
        again = Counter[tuple[str, str]]()
        for one in found.suppressed:
            if one.silence_id is None and one.reason in ("cooldown", "paused", "inactive"):
                again[one.group.key, one.reason] += one.times
        assert held == again, name
        late = self._rows("SELECT sum(late) AS late FROM rule_activations WHERE rule_id = %s", saved.id)
        assert late[0]["late"] == found.late, name

    def _rows(self, query: str, *values: object) -> list[Row]:
        with psycopg.connect(self._url, row_factory=dict_row) as connection:
            return connection.execute(query, values).fetchall()


def _parts(saved: SavedRule) -> tuple[str, ...]:
    return document.kinds()[saved.rule.when.kind].parts(saved.rule.when)


def _sorted(found: Iterable[Row]) -> list[Row]:
    return sorted(found, key=lambda one: str(one["id"]))


def _firing(row: Row) -> Row:
    return {
        "id": row["id"],
        "at": to_us(row["timestamp"]),
        "group": row["group"],
        "value": row["value"],
        "window": (to_us(row["window_from"]), to_us(row["window_to"])),
        "evidence": [member.bytes for member in row["evidence"]],
    }


def _alert(row: Row) -> Row:
    return {
        "id": row["id"],
        "at": to_us(row["opened_at"]),
        "until": to_us(row["last_fired_at"]),
        "firings": row["firings"],
        "state": row["state"],
    }
