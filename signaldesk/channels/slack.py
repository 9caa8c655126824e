"""Slack: Block Kit through an incoming webhook.

Limits: https://docs.slack.dev/reference/block-kit/blocks
Links are plain links and not buttons: Slack takes a button's click for an interaction and warns in the
channel when the app answers none, and it refuses a whole message for a button URL it does not like.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar

import msgspec
from pydantic import AfterValidator, Field, SecretStr

from signaldesk.channels._config import ChannelConfig, check_url
from signaldesk.channels._facts import Fact, facts
from signaldesk.channels._http import HttpChannel, Request
from signaldesk.channels._text import fit, many_lines, one_line
from signaldesk.clock import MICROS
from signaldesk.model.message import Message

BLOCKS, HEADER, SECTION, FIELDS, FIELD, CONTEXT, FALLBACK = 50, 150, 3000, 10, 2000, 2000, 3000
_MARKS = {"info": "🔵", "warning": "🟡", "error": "🟠", "critical": "🔴", "resolved": "🟢"}
_HOSTS = ("hooks.slack.com", "hooks.slack-gov.com")
_PATH = re.compile(r"https://[^/:]+/(services|workflows|triggers)/[\w/-]+")


def escaped(text: str) -> str:
    """The three characters that mean something to Slack; without them no link, user or channel comes alive.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _webhook_url(secret: SecretStr) -> SecretStr:
    url = secret.get_secret_value()
    if check_url(url) not in _HOSTS:
        raise ValueError("expected a Slack incoming webhook; its host is hooks.slack.com")
    if not _PATH.fullmatch(url):
        raise ValueError(
            "expected https://hooks.slack.com/services/T…/B…/…; in Slack: your app's settings, "
            "Incoming Webhooks, Copy"
        )
    return secret


class SlackConfig(ChannelConfig):
    """The incoming webhook of one Slack channel."""

    url: Annotated[SecretStr, AfterValidator(_webhook_url), Field(description="The webhook's URL")]


class SlackChannel(HttpChannel[SlackConfig]):
    kind = "slack"
    title = "Slack"
    config = SlackConfig
    example: ClassVar[dict[str, Any]] = {
        "url": "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"
    }
    gone = frozenset({404, 410})  # 404 no_service, no_team; 410 channel_is_archived

    def render(self, message: Message) -> dict[str, Any]:
        """Blocks, and the text that notifications and screen readers use instead."""
        mark, found = _MARKS[message.tone], facts(message)
        short = [_cell(fact) for fact in found if fact.short]
        blocks: list[dict[str, Any]] = [
            {"type": "header", "text": _plain(f"{mark} {one_line(message.title)}", HEADER)},
            _section(fit(many_lines(message.summary), SECTION, escape=escaped)),
        ]
        blocks += [
            {"type": "section", "fields": short[start : start + FIELDS]}
            for start in range(0, len(short), FIELDS)
        ]
        blocks += [_section(_long(fact)) for fact in found if not fact.short]
        blocks = blocks[: BLOCKS - 1]
        footer = fit(one_line(f"{message.org} · {message.id}"), CONTEXT, escape=escaped)
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": footer, "verbatim": True}]})
        text = f"{mark} {one_line(message.title)} – {one_line(message.summary)}"
        return {"text": fit(text, FALLBACK, escape=escaped), "blocks": blocks}

    def request(self, config: SlackConfig, message: Message, now_us: int) -> Request:
        body = msgspec.json.encode(self.render(message))
        return Request(config.url.get_secret_value(), body, {"content-type": "application/json"})


def _plain(text: str, limit: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": fit(text, limit, escape=escaped), "emoji": True}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _cell(fact: Fact) -> dict[str, Any]:
    name = fit(one_line(fact.name), 100, escape=escaped)
    if fact.at is not None:
        # Slack shows it in the reader's own time zone, the rest where it cannot.
        value = f"<!date^{fact.at // MICROS}^{{date_short_pretty}} {{time_secs}}|{escaped(fact.text)}>"
    else:
        value = fit(many_lines(fact.text), FIELD - 200, escape=escaped)
    return {"type": "mrkdwn", "text": f"*{name}*\n{value or '–'}", "verbatim": True}


def _long(fact: Fact) -> str:
    name = fit(one_line(fact.name), 100, escape=escaped)
    if fact.link is not None:
        return f"<{escaped(fact.link)}|{name}>" if len(fact.link) < 2500 else name
    return f"*{name}*\n{fit(many_lines(fact.text), SECTION - 200, escape=escaped) or '–'}"


CHANNEL = SlackChannel()
