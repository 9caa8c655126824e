"""Random rules as documents, of every kind and with every field, in the many shapes in which people write."""

from __future__ import annotations

from random import Random
from typing import Any

from signaldesk.errors import Invalid
from signaldesk.rules import document

TEXTS = (
    *("yes", "no", "null", "~", "1e3", "0x1f", "2026-01-01", "1:30", "- a", "a: b", "#a", "a #b", "'", '"'),
    *(
        "{",
        "[a",
        "%a",
        "@a",
        "---",
        "...",
        "a\nb",
        "a\n",
        " a",
        "a ",
        "\ta",
        "ü",
        "日本",
        "🤷",
        "\u2028",
        "\x85",
    ),
    *("a\x7fb", "\ufeffa", "\u202ea", "x" * 150, "word " * 30, "a\r\nb", "!x", "&a", "*a", "=", "<<"),
)
DURATIONS = ("250ms", "60s", "90s", "1m", "1h30m", "7d", "2w", 45, 0.25, "24h", "1.5h")
FILTERS = ("amount > 20", "country IN ('DE', 'FR')  AND  amount>=1", "user.plan = 'it''s: #1'")


def document_of(chance: Random, name: str) -> dict[str, Any]:
    """A rule that is accepted; its fields in any order."""
    found: dict[str, Any] = {"name": name, **_condition(chance)}
    optional: dict[str, Any] = {
        "where": chance.choice(FILTERS),
        "by": _some(chance, ["country", "user.plan", "items.0", "type"]),
        "cooldown": chance.choice(DURATIONS),
        "allowed_lateness": chance.choice(DURATIONS),
        "resolve": {"quiet_for": chance.choice(DURATIONS)},
        "active": {"days": "mon-fri", "from": "09:00", "to": "17:30", "timezone": "Europe/Berlin"},
        "severity": chance.choice(["info", "warning", "error", "critical"]),
        "notify": _some(chance, ["email:a@b.test", "email:c@d.test", "email:e@f.test"]),
        "labels": {text(chance): text(chance) for _ in range(chance.randrange(4))},
        "runbook": "https://example.com/a?b=#c",
        "description": text(chance),
        "mode": chance.choice(["live", "shadow", "paused"]),
    }
    for field in chance.sample(sorted(optional), chance.randrange(len(optional))):
        kept = {**found, field: optional[field]}
        if _accepted(kept):
            found = kept
    names = list(found)
    chance.shuffle(names)
    return {field: found[field] for field in names}


def text(chance: Random) -> str:
    return "".join(chance.choice(TEXTS) for _ in range(chance.randint(1, 3)))


def _condition(chance: Random) -> dict[str, Any]:
    """`when` of a random kind, made of the examples of its parameters, and `event` where it wants one."""
    kinds = document.kinds()
    names = sorted(name for name, kind in kinds.items() if kind.takes_event)  # others need rules beside them
    for name in [*chance.sample(names, len(names)), "each"]:
        kind = kinds[name]
        when: dict[str, Any] = {"kind": name}
        for field, info in kind.condition.model_fields.items():
            if info.examples and (info.is_required() or chance.random() < 0.5):
                when[info.alias or field] = chance.choice(info.examples)
        found = {"when": when}
        if kind.takes_event:
            found["event"] = _some(chance, ["checkout_failed", "payment_*", "Ünïcode: yes"])
        if _accepted({"name": "a", **found}):
            return found
    raise AssertionError("no kind can be made of its examples")


def _some(chance: Random, among: list[str]) -> Any:
    """One of them by itself, or a list of some."""
    found = chance.sample(among, chance.randint(1, len(among)))
    return found[0] if len(found) == 1 and chance.random() < 0.5 else found


def _accepted(body: dict[str, Any]) -> bool:
    try:
        document.parse(body)
    except Invalid:
        return False
    return True
