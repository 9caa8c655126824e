"""Every Redis key, in one place. Keys of a partition carry its hash tag, so that a cluster can hold them.

| key | type | what |
| --- | --- | --- |
| `sd:{pN}:events` | stream | accepted events; fields: `o` org (16 bytes), `r` receipt (µs), `e` events |
| | | (msgpack), for imports `l` lane and `t` (tell people: 0 or 1), for markers `m`, |
| | | for ticks `k` (µs) |
| `sd:{pN}:sent:TOKEN` | string, 2 min | an append that was done; a retry after a lost reply adds nothing |
| `sd:{pN}:answer:ORG:DIGEST` | string, 24 h | the answer given to an `Idempotency-Key` |
| `sd:{pN}:id:ORG:LANE:ID` | string, 24 h | an event id of the client's own; again, it is the same event |
| `sd:{pN}:w:SERIES:RULE:VERSION:LANE:GROUP` | sorted set | a window: member = a run of event ids and their |
| | | times (msgpack), score = the newest of these (µs); what is noted beside it has score -inf |
| `sd:{pN}:timers:SERIES` | sorted set | deadlines: member = a group of a rule (msgpack), score = |
| | | event time (µs); without a rule, a lane's clock |
| `sd:{pN}:windows:runs` | hash, 4 d | `epoch` of the windows' owner, the stream `position` up to which they |
| | | hold everything, their `series`: another one when they were lost and rebuilt; `torn` while a save that |
| | | can only be used whole is under way |
| `sd:ticket:DIGEST` | string, 30 s | a WebSocket ticket, used once |
| `sd:live:ORG` | pub/sub | what happens in an organisation, for its open pages |
| `sd:keys` | pub/sub | "an API key was revoked" |
"""

from __future__ import annotations

import hashlib
from uuid import UUID

API_KEYS = "sd:keys"


def events(partition: int) -> str:
    return f"sd:{{p{partition}}}:events"


def sent(partition: int, token: str) -> str:
    return f"sd:{{p{partition}}}:sent:{token}"


def answer(partition: int, org_id: UUID, idempotency_key: str) -> str:
    return f"sd:{{p{partition}}}:answer:{org_id}:{hashlib.sha256(idempotency_key.encode()).hexdigest()[:32]}"


def event_id(partition: int, org_id: UUID, lane: str, event: UUID) -> str:
    return f"sd:{{p{partition}}}:id:{org_id}:{lane}:{event}"


def windows_of(partition: int, series: str, rule_id: UUID, since_version: int, lane: str) -> str:
    """What the keys of a rule's windows begin with."""
    return f"sd:{{p{partition}}}:w:{series}:{rule_id}:{since_version}:{lane}:"


def window(prefix: str, group: str) -> str:
    """Long groups are hashed; their text is in Postgres."""
    if len(group) > 64:
        group = "#" + hashlib.blake2b(group.encode(), digest_size=16).hexdigest()
    return prefix + group


def timers(partition: int, series: str) -> str:
    return f"sd:{{p{partition}}}:timers:{series}"


def windows(partition: int) -> str:
    return f"sd:{{p{partition}}}:windows:runs"


def ticket(token: str) -> str:
    return f"sd:ticket:{hashlib.sha256(token.encode()).hexdigest()[:32]}"


def live(org_id: UUID) -> str:
    return f"sd:live:{org_id}"
