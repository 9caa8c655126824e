"""Discord: one rich embed through a channel's webhook.

Limits: https://discord.com/developers/docs/resources/message#embed-object-embed-limits
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar

import msgspec
from pydantic import AfterValidator, Field, SecretStr

from signaldesk.channels._config import ChannelConfig, check_url
from signaldesk.channels._facts import Fact, facts
from signaldesk.channels._http import HttpChannel, Request
from signaldesk.channels._text import fit, many_lines, one_line, utf16, web_link
from signaldesk.clock import MICROS, iso, to_us
from signaldesk.model.message import Message

TOTAL, FIELDS, TITLE, DESCRIPTION, NAME, VALUE, FOOTER = 6000, 25, 256, 4096, 256, 1024, 2048
_COLOURS = {
    "info": 0x3B82F6,
    "warning": 0xF59E0B,
    "error": 0xF97316,
    "critical": 0xDC2626,
    "resolved": 0x16A34A,
}
_MARKS = re.compile(r"([\\*_~`|<>@#\[\]:]|^-)", re.MULTILINE)
_HOSTS = ("discord.com", "discordapp.com")
_PATH = re.compile(r"https://[^/:]+/api/(v\d+/)?webhooks/\d+/[\w-]+/?(\?thread_id=\d+)?")


def escaped(text: str) -> str:
    """The text as Discord shows it literally: a backslash before every mark, as its Markdown has it.

    Also keeps `@everyone`, `<@id>`, `:emoji:` and bare links from coming alive.
    """
    return _MARKS.sub(r"\\\1", text)


def _webhook_url(secret: SecretStr) -> SecretStr:
    url = secret.get_secret_value()
    host = check_url(url)
    if not any(host == known or host.endswith("." + known) for known in _HOSTS):
        raise ValueError("expected a Discord webhook; its host is discord.com")
    if not _PATH.fullmatch(url):
        raise ValueError(
            "expected https://discord.com/api/webhooks/ID/TOKEN; in Discord: Channel settings, Integrations, "
            "Webhooks, Copy webhook URL"
        )
    return secret


class DiscordConfig(ChannelConfig):
    """The webhook of one Discord channel."""

    url: Annotated[SecretStr, AfterValidator(_webhook_url), Field(description="The webhook's URL")]


class DiscordChannel(HttpChannel[DiscordConfig]):
    kind = "discord"
    title = "Discord"
    config = DiscordConfig
    example: ClassVar[dict[str, Any]] = {
        "url": "https://discord.com/api/webhooks/1098765432109876543/AbCdEfGhIjKlMnOpQrStUvWxYz012345"
    }
    gone = frozenset({404, 410})  # 404: somebody deleted the webhook

    def render(self, message: Message) -> dict[str, Any]:
        """The body of "execute webhook": one embed, nobody pinged whatever the text says."""
        title = fit(one_line(message.title), TITLE, escape=escaped) or "–"
        summary = fit(many_lines(message.summary), DESCRIPTION // 2, escape=escaped)
        footer = fit(one_line(f"{message.org} · {message.id}"), FOOTER // 4)
        embed: dict[str, Any] = {
            "title": title,
            "description": summary,
            "color": _COLOURS[message.tone],
            "timestamp": iso(to_us(message.event.at)),
            "footer": {"text": footer},
        }
        if link := web_link(message.links.alert):
            embed["url"] = link
        room = TOTAL - utf16(title) - utf16(summary) - utf16(footer)
        embed["fields"] = _fields(facts(message), room)
        return {"username": "SignalDesk", "allowed_mentions": {"parse": []}, "embeds": [embed]}

    def request(self, config: DiscordConfig, message: Message, now_us: int) -> Request:
        body = msgspec.json.encode(self.render(message))
        return Request(config.url.get_secret_value(), body, {"content-type": "application/json"})


def _fields(found: list[Fact], room: int) -> list[dict[str, Any]]:
    """As many facts, the most telling first, as the embed has room for."""
    fields: list[dict[str, Any]] = []
    for fact in found[:FIELDS]:
        name, value = fit(one_line(fact.name), NAME, escape=escaped) or "–", _value(fact) or "–"
        room -= utf16(name) + utf16(value)
        if room < 0:
            break
        fields.append({"name": name, "value": value, "inline": fact.short})
    return fields


def _value(fact: Fact) -> str:
    if fact.at is not None:
        return f"<t:{fact.at // MICROS}:F>"  # Discord shows it in the reader's own time zone
    if fact.link is not None:
        return fit(fact.link, VALUE)
    return fit(many_lines(fact.text), VALUE, escape=escaped)


CHANNEL = DiscordChannel()
