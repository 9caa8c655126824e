"""The API, route by route: what is listed here is served and described, nothing else is."""

from __future__ import annotations

from typing import Any

from signaldesk.model.rule import Rule
from signaldesk.web.api import (
    alerts,
    auth,
    backtests,
    channels,
    events,
    keys,
    labels,
    notifications,
    query,
    rule_explain,
    rule_history,
    rules,
    silences,
)
from signaldesk.web.api.shapes import Page
from signaldesk.web.route import Door, Handle, Route

LISTING = ("limit", "cursor")


def _v1(method: str, path: str, handle: Handle, summary: str, **more: Any) -> Route:
    return Route(method, f"/api/v1{path}", handle, summary, **more)


# fmt: off
API: tuple[Route, ...] = (
    # --- events
    _v1(
        "POST", "/events", events.send, "Send events: one, an array, NDJSON or CloudEvents, also gzipped",
        scope="events:write", answer=events.Accepted, body=events.EventIn, status=202, large=True,
    ),
    _v1(
        "GET", "/events", events.list_events, "Stored events, newest first",
        scope="events:read", answer=Page[events.EventOut],
        query=(*LISTING, "type", "where", "from", "to", "replay"),
    ),
    _v1("GET", "/events/{id}", events.get_event, "One event", scope="events:read", answer=events.EventOut),
    _v1(
        "GET", "/event-types", events.list_types, "Event types, most used first",
        scope="events:read", answer=Page[events.TypeOut], query=(*LISTING, "type", "from"),
    ),
    _v1(
        "POST", "/query", query.ask, "Ask in SQL: one SELECT over the organisation's own tables",
        scope="query:read", answer=query.ResultOut, body=query.QueryIn, also=tuple(query.FORMATS)[1:],
    ),
    # --- rules
    _v1(
        "GET", "/rules", rules.list_rules,
        "Rules, by name; `label=team=payments` may be given repeatedly",
        scope="rules:read", answer=Page[rules.RuleOut],
        query=(*LISTING, "label", "mode", "severity", "kind", "q"),
    ),
    _v1(
        "POST", "/rules", rules.create_rule, "Make a rule",
        scope="rules:write", answer=rules.RuleOut, body=Rule, status=201,
    ),
    _v1(
        "POST", "/rules/validate", rules.validate_rule,
        "Say what saving this rule would come to; saves nothing",
        scope="rules:read", answer=rules.Checked, body=Rule,
    ),
    _v1(
        "POST", "/rules/bulk", rules.switch_rules,
        "Pause or resume rules by label or id, all of them or none",
        scope="rules:write", answer=rules.Bulked, body=rules.Bulk,
    ),
    _v1("GET", "/rules/{id}", rules.get_rule, "One rule", scope="rules:read", answer=rules.RuleOut),
    _v1(
        "PUT", "/rules/{id}", rules.put_rule, "Save a new version of a rule",
        scope="rules:write", answer=rules.RuleOut, body=Rule,
    ),
    _v1(
        "PATCH", "/rules/{id}", rules.patch_rule, "Change some fields of a rule (JSON Merge Patch)",
        scope="rules:write", answer=rules.RuleOut, body=rules.RulePatch,
    ),
    _v1("DELETE", "/rules/{id}", rules.delete_rule, "Stop judging a rule", scope="rules:write", status=204),
    _v1(
        "GET", "/rules/{id}/versions", rule_history.list_versions, "Every version of a rule, newest first",
        scope="rules:read", answer=Page[rule_history.VersionOut], query=LISTING,
    ),
    _v1(
        "GET", "/rules/{id}/versions/{n}", rule_history.get_version,
        "One version, and how it differs from the one before",
        scope="rules:read", answer=rule_history.VersionDetail,
    ),
    _v1(
        "POST", "/rules/{id}/rollback", rule_history.roll_back, "Save a new version that equals an old one",
        scope="rules:write", answer=rules.RuleOut, body=rule_history.Rollback,
    ),
    _v1(
        "GET", "/rules/{id}/state", rule_history.show_state, "How a rule and its groups stand",
        scope="rules:read", answer=rule_history.StateOut, query=(*LISTING, "replay"),
    ),
    _v1(
        "GET", "/rules/{id}/explain", rule_explain.explain, "Why a rule fired, or did not, at a moment",
        scope="rules:read", answer=rule_explain.ExplanationOut, query=("at", "group"),
    ),
    _v1(
        "GET", "/rules/{id}/firings", rule_history.list_firings, "Firings of a rule, newest first",
        scope="rules:read", answer=Page[rule_history.FiringOut],
        query=(*LISTING, "group", "from", "to", "replay"),
    ),
    _v1(
        "GET", "/rules/{id}/suppressions", rule_history.list_suppressions,
        "What was held back of a rule, and why, latest first",
        scope="rules:read", answer=Page[rule_history.SuppressionOut],
        query=(*LISTING, "reason", "group", "from", "to", "replay"),
    ),
    _v1(
        "POST", "/rules/{id}/test-notification", rule_history.test_notification,
        "Send a message of this rule, marked as a test, through its channels now",
        scope="rules:write", answer=rule_history.RuleTried,
    ),
    # --- rules over the past
    _v1(
        "POST", "/backtests", backtests.start, "Judge a rule over the past, or a grid of its parameters",
        scope="rules:read", answer=backtests.BacktestOut, body=backtests.BacktestIn, status=202,
    ),
    _v1(
        "GET", "/backtests/{id}", backtests.get, "How far a backtest is, and what came of it",
        scope="rules:read", answer=backtests.BacktestOut,
    ),
    _v1(
        "GET", "/backtests/{id}/firings", backtests.list_firings, "Firings of a backtest, oldest first",
        scope="rules:read", answer=Page[backtests.FiringOut], query=LISTING,
    ),
    _v1(
        "DELETE", "/backtests/{id}", backtests.remove, "End a backtest, and forget what came of it",
        scope="rules:read", status=204,
    ),
    # --- alerts
    _v1(
        "GET", "/alerts", alerts.list_alerts,
        "Alerts, latest firing first; without `state` those not resolved",
        scope="alerts:read", answer=Page[alerts.AlertOut],
        query=(
            *(*LISTING, "state", "severity", "rule_id", "label", "assignee", "group", "field"),
            *("from", "to", "q", "replay"),
        ),
    ),
    _v1(
        "POST", "/alerts/bulk", alerts.change_many, "The same for many alerts",
        scope="alerts:write", answer=alerts.BulkOut, body=alerts.BulkIn,
    ),
    _v1("GET", "/alerts/{id}", alerts.get_alert, "One alert", scope="alerts:read", answer=alerts.AlertOut),
    _v1(
        "GET", "/alerts/{id}/timeline", alerts.show_timeline, "All that happened to an alert, oldest first",
        scope="alerts:read", answer=Page[alerts.EntryOut], query=(*LISTING, "kind"),
    ),
    _v1(
        "POST", "/alerts/{id}/acknowledge", alerts.acknowledge, "Say that somebody is on it",
        scope="alerts:write", answer=alerts.AlertOut,
    ),
    _v1(
        "POST", "/alerts/{id}/resolve", alerts.resolve, "Close an alert; the next firing opens another",
        scope="alerts:write", answer=alerts.AlertOut,
    ),
    _v1(
        "POST", "/alerts/{id}/reopen", alerts.reopen, "Take back that it is resolved or acknowledged",
        scope="alerts:write", answer=alerts.AlertOut,
    ),
    _v1(
        "POST", "/alerts/{id}/snooze", alerts.snooze, "Tell nobody until a time, or until it grows",
        scope="alerts:write", answer=alerts.AlertOut, body=alerts.SnoozeIn,
    ),
    _v1(
        "POST", "/alerts/{id}/unsnooze", alerts.unsnooze, "End a snooze",
        scope="alerts:write", answer=alerts.AlertOut,
    ),
    _v1(
        "POST", "/alerts/{id}/assign", alerts.assign, "Say whose it is",
        scope="alerts:write", answer=alerts.AlertOut, body=alerts.AssignIn,
    ),
    _v1(
        "POST", "/alerts/{id}/comment", alerts.comment, "Say something about it",
        scope="alerts:write", answer=alerts.AlertOut, body=alerts.CommentIn,
    ),
    # --- silences and maintenance windows
    _v1(
        "GET", "/silences", silences.list_silences,
        "Silences and maintenance windows, latest end first; without `state` those not expired",
        scope="alerts:read", answer=Page[silences.SilenceOut], query=(*LISTING, "state", "kind"),
    ),
    _v1(
        "POST", "/silences", silences.create_silence, "Make a silence or a maintenance window",
        scope="alerts:write", answer=silences.SilenceOut, body=silences.SilenceIn, status=201,
    ),
    _v1(
        "POST", "/silences/preview", silences.preview, "Which open alerts and rules matchers fit now",
        scope="alerts:read", answer=silences.PreviewOut, body=silences.PreviewIn,
    ),
    _v1(
        "GET", "/silences/{id}", silences.get_silence, "One silence",
        scope="alerts:read", answer=silences.SilenceOut,
    ),
    _v1(
        "PUT", "/silences/{id}", silences.put_silence, "Change a silence",
        scope="alerts:write", answer=silences.SilenceOut, body=silences.SilenceIn,
    ),
    _v1(
        "POST", "/silences/{id}/expire", silences.expire_silence, "End a silence now",
        scope="alerts:write", answer=silences.SilenceOut,
    ),
    _v1(
        "DELETE", "/silences/{id}", silences.delete_silence, "Delete a silence",
        scope="alerts:write", status=204,
    ),
    # --- known incidents
    _v1(
        "GET", "/labels", labels.list_labels, "Known incidents that overlap a range, latest start first",
        scope="rules:read", answer=Page[labels.LabelOut], query=(*LISTING, "from", "to"),
    ),
    _v1(
        "POST", "/labels", labels.create_label, "Tell of a known incident",
        scope="rules:write", answer=labels.LabelOut, body=labels.LabelIn, status=201,
    ),
    _v1(
        "POST", "/labels/import", labels.import_labels,
        "Take known incidents from a CSV file (text/csv), all of them or none",
        scope="rules:write", answer=labels.Imported, status=201, large=True,
    ),
    _v1("GET", "/labels/{id}", labels.get_label, "One label", scope="rules:read", answer=labels.LabelOut),
    _v1("DELETE", "/labels/{id}", labels.delete_label, "Delete a label", scope="rules:write", status=204),
    # --- channels and what went through them
    _v1(
        "GET", "/channels", channels.list_channels, "Channels, by name, without their secrets",
        scope="channels:read", answer=Page[channels.ChannelOut], query=(*LISTING, "kind", "enabled", "q"),
    ),
    _v1(
        "POST", "/channels", channels.create_channel, "Make a channel",
        scope="channels:write", answer=channels.ChannelShown, body=channels.NewChannel, status=201,
    ),
    _v1(
        "GET", "/channels/{id}", channels.get_channel, "One channel",
        scope="channels:read", answer=channels.ChannelOut,
    ),
    _v1(
        "PUT", "/channels/{id}", channels.put_channel, "Change a channel",
        scope="channels:write", answer=channels.ChannelOut, body=channels.ChannelChange,
    ),
    _v1(
        "DELETE", "/channels/{id}", channels.delete_channel, "Delete a channel",
        scope="channels:write", status=204,
    ),
    _v1(
        "POST", "/channels/{id}/test", channels.test_channel, "Send a test message, and say what came back",
        scope="channels:write", answer=channels.Tried,
    ),
    _v1(
        "POST", "/channels/{id}/rotate-secret", channels.rotate_secret,
        "Make a new secret; the one before stays valid until the next time",
        scope="channels:write", answer=channels.ChannelShown,
    ),
    _v1(
        "GET", "/notifications", notifications.list_notifications, "Messages, newest first",
        scope="notifications:read", answer=Page[notifications.NotificationOut],
        query=(*LISTING, "status", "alert_id", "channel_id", "from", "to"),
    ),
    _v1(
        "GET", "/notifications/{id}", notifications.get_notification, "One message and all its attempts",
        scope="notifications:read", answer=notifications.NotificationDetail,
    ),
    # --- who
    _v1("GET", "/me", auth.show_me, "Who these credentials belong to", answer=auth.Me),
    _v1(
        "GET", "/api-keys", keys.list_keys, "API keys, newest first, also those that are over",
        scope="keys:read", answer=Page[keys.KeyOut], query=(*LISTING, "state"),
    ),
    _v1(
        "POST", "/api-keys", keys.create_key, "Make an API key, shown this one time",
        scope="keys:write", answer=keys.KeyShown, body=keys.NewKey, status=201,
    ),
    _v1("DELETE", "/api-keys/{id}", keys.revoke_key, "Revoke an API key", scope="keys:write", status=204),
    _v1(
        "POST", "/auth/login", auth.log_in, "Log in with e-mail and password; answers with a cookie",
        answer=auth.Me, body=auth.LogIn, door=Door.ANYBODY,
    ),
    _v1("POST", "/auth/logout", auth.log_out, "Log out", status=204, door=Door.MEMBER),
    _v1(
        "POST", "/auth/ws-ticket", auth.issue_ticket, "A ticket for the WebSocket: 30 seconds, one use",
        answer=auth.Ticket, status=201,
    ),
)
# fmt: on
