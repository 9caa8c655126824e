"""A synthetic shop: what its visitors do, minute by minute, and now and then an incident.

Everything follows from the time alone: the same minute looks the same whoever asks, so that a shop that was
away can be made up to date without doubling anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import accumulate
from random import Random
from typing import Any, NamedTuple

from signaldesk.clock import MICROS, iso

MINUTE = 60 * MICROS
PER_SECOND = 14.0
"""Events a second over the day; in the evening half as many again, at night half as many."""
EVENING = 19.5
"""The hour (UTC) with most visitors."""
SLOT = 20
"""Minutes of which each has one incident, at another time and of another kind."""

COUNTRIES = {"DE": 34, "FR": 18, "GB": 14, "NL": 9, "ES": 8, "IT": 7, "PL": 6, "SE": 4}
PROVIDERS = {"adyen": 5, "stripe": 4, "paypal": 3}
DEVICES = {"mobile": 6, "desktop": 3, "tablet": 1}
PRODUCTS = [f"SKU-{number}" for number in range(1001, 1061)]
WORDS = ("running shoes", "rain jacket", "backpack", "tent", "headlamp", "wool socks", "bottle", "trousers")
PAGES = ("/", "/new", "/sale", "/shoes", "/jackets", "/help", "/cart", "/account")


class Incident(NamedTuple):
    """Something that goes wrong for some minutes; `what` is its kind, `where` the country, provider, …"""

    what: str
    where: str
    first: int
    last: int


class Happening(NamedTuple):
    """An event: its time in microseconds, its type, its payload."""

    at: int
    type: str
    payload: dict[str, Any]

    def document(self) -> dict[str, Any]:
        """As the API takes it."""
        return {"type": self.type, "timestamp": iso(self.at), "source": "shop", "payload": self.payload}


def happenings(since: int, until: int) -> Iterator[Happening]:
    """Everything that happens in [since, until), in order; microseconds."""
    for minute in range(since // MINUTE, -(-until // MINUTE)):
        for one in minute_of(minute):
            if since <= one.at < until:
                yield one


@lru_cache(maxsize=2)
def minute_of(minute: int) -> list[Happening]:
    """Everything that happens in a minute (counted since 1970), in order."""
    random = Random(f"shop {minute}")
    incident = incident_in(minute)
    rate = rhythm(minute) * (2.2 if incident is not None and incident.what == "flash sale" else 1.0)
    count = round(random.gauss(rate * 60, math.sqrt(rate * 60)))
    start = minute * MINUTE
    kinds = random.choices(list(_MAKERS), cum_weights=_WEIGHTS, k=max(0, count))
    found = [_visit(kind, start + random.randrange(MINUTE), random) for kind in kinds]
    if incident is not None:
        found += _consequences(incident, start, random)
    return sorted(found, key=lambda one: one.at)


def rhythm(minute: int) -> float:
    """Events a second at that time of day."""
    hour = minute / 60 % 24
    return PER_SECOND * (1 + 0.5 * math.cos((hour - EVENING) * math.pi / 12))


def incident_in(minute: int) -> Incident | None:
    """The incident that is under way in a minute."""
    slot = minute // SLOT
    random = Random(f"incident {slot}")
    length = random.randint(3, 7)
    first = slot * SLOT + random.randint(0, SLOT - length)
    what = random.choice(list(_INCIDENTS))
    incident = Incident(what, random.choice(_INCIDENTS[what]), first, first + length - 1)
    return incident if incident.first <= minute <= incident.last else None


# --- what visitors do ------------------------------------------------------------------------------------


def _visit(kind: str, at: int, random: Random) -> Happening:
    payload = {"country": _pick(COUNTRIES, random), **_MAKERS[kind][1](random)}
    return Happening(at, kind, payload)


def _pick(among: dict[str, int], random: Random) -> str:
    return random.choices(list(among), weights=list(among.values()))[0]


def _amount(random: Random) -> float:
    return round(random.lognormvariate(3.9, 0.7), 2)


def _order(random: Random) -> dict[str, Any]:
    return {"amount": _amount(random), "items": random.randint(1, 5), "provider": _pick(PROVIDERS, random)}


def _product(random: Random) -> dict[str, Any]:
    return {"sku": random.choice(PRODUCTS), "price": round(random.uniform(9, 240), 2)}


def _search(random: Random) -> dict[str, Any]:
    return {"country": _pick(COUNTRIES, random), "query": random.choice(WORDS)}


def _someone(random: Random) -> dict[str, Any]:
    return {"user": f"u{random.randrange(20_000)}", "ip": f"198.51.100.{random.randrange(256)}"}


_MAKERS: dict[str, tuple[float, Callable[[Random], dict[str, Any]]]] = {
    "page_viewed": (420, lambda r: {"path": r.choice(PAGES), "device": _pick(DEVICES, r)}),
    "product_viewed": (230, _product),
    "search": (130, lambda r: {**_search(r), "ms": round(r.lognormvariate(4.9, 0.5))}),
    "cart_updated": (80, _product),
    "login_succeeded": (45, _someone),
    "checkout_started": (32, _order),
    "checkout_completed": (26, _order),
    "cart_abandoned": (12, lambda r: {"amount": _amount(r)}),
    "order_shipped": (11, lambda r: {"carrier": r.choice(("DHL", "DPD", "UPS")), "days": r.randint(1, 4)}),
    "login_failed": (6, _someone),
    "stock_changed": (5, lambda r: {"sku": r.choice(PRODUCTS), "left": max(0, round(r.gauss(70, 40)))}),
    "checkout_failed": (2, lambda r: {**_order(r), "reason": r.choice(("card declined", "timeout"))}),
    "refund_issued": (1, lambda r: {"amount": round(_amount(r) * 2, 2)}),
    "payment_error": (0.7, lambda r: {"provider": _pick(PROVIDERS, r), "code": r.choice((502, 504))}),
}
"""Event type -> how often, and the rest of its payload."""
_WEIGHTS = list(accumulate(weight for weight, _ in _MAKERS.values()))

# --- what goes wrong -------------------------------------------------------------------------------------

_INCIDENTS: dict[str, list[str]] = {
    "checkout broken": list(COUNTRIES),
    "provider down": list(PROVIDERS),
    "guessing passwords": [f"203.0.113.{number}" for number in range(8, 20)],
    "search overloaded": ["search"],
    "flash sale": ["everywhere"],
}


def _consequences(incident: Incident, start: int, random: Random) -> list[Happening]:
    """What an incident adds to a minute."""

    def some(count: int, type: str, make: Callable[[], dict[str, Any]]) -> list[Happening]:
        number = random.randint(count // 2, count)
        return [Happening(start + random.randrange(MINUTE), type, make()) for _ in range(number)]

    where = incident.where
    if incident.what == "checkout broken":
        broken = {"country": where, "reason": "timeout"}
        return some(28, "checkout_failed", lambda: {**broken, **_order(random)})
    if incident.what == "provider down":
        down = {"provider": where, "code": 503}
        failed = {"provider": where, "reason": "provider unavailable"}
        return some(50, "payment_error", lambda: {"country": _pick(COUNTRIES, random), **down}) + some(
            12, "checkout_failed", lambda: {**_order(random), "country": _pick(COUNTRIES, random), **failed}
        )
    if incident.what == "guessing passwords":
        return some(60, "login_failed", lambda: {**_someone(random), "country": "XX", "ip": where})
    if incident.what == "search overloaded":
        return some(70, "search", lambda: {**_search(random), "ms": random.randint(1300, 6000)})
    return []
