"""Every table. `sql/postgres/migrations` builds the same schema; a test proves that the two are equal.

Times are `timestamptz`. Every tenant row has `org_id` and is guarded by row-level security (`TENANT`).
`lane` separates live events (`''`) from imports that are judged in their own event time.
"""

from signaldesk.store.tables._columns import metadata
from signaldesk.store.tables.books import audit, system_alerts, usage
from signaldesk.store.tables.history import history_files, history_progress
from signaldesk.store.tables.intake import (
    event_counts,
    events,
    leases,
    org_progress,
    partitions,
    poison_events,
    rule_activations,
)
from signaldesk.store.tables.outcomes import (
    alert_changes,
    alerts,
    delivery_attempts,
    firings,
    notifications,
    silences,
    storms,
    suppressions,
)
from signaldesk.store.tables.people import (
    api_keys,
    invites,
    memberships,
    orgs,
    password_resets,
    plans,
    refresh_tokens,
    sessions,
    users,
)
from signaldesk.store.tables.tested import backtests
from signaldesk.store.tables.watched import channels, labels, rule_versions, rules

TENANT = tuple(table for table in metadata.sorted_tables if "org_id" in table.c)
"""Tables whose rows belong to one organisation: row-level security guards each of them."""

__all__ = [
    "TENANT",
    "alert_changes",
    "alerts",
    "api_keys",
    "audit",
    "backtests",
    "channels",
    "delivery_attempts",
    "event_counts",
    "events",
    "firings",
    "history_files",
    "history_progress",
    "invites",
    "labels",
    "leases",
    "memberships",
    "metadata",
    "notifications",
    "org_progress",
    "orgs",
    "partitions",
    "password_resets",
    "plans",
    "poison_events",
    "refresh_tokens",
    "rule_activations",
    "rule_versions",
    "rules",
    "sessions",
    "silences",
    "storms",
    "suppressions",
    "system_alerts",
    "usage",
    "users",
]
