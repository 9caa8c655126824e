"""E-mail: HTML with the details folded away, and the same as plain text."""

from __future__ import annotations

import re
from html import escape
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field

from signaldesk.channels._config import ChannelConfig
from signaldesk.channels._facts import Fact, facts
from signaldesk.channels._kind import Channel, Mail, Means, Receipt
from signaldesk.channels._text import many_lines, one_line, web_link
from signaldesk.errors import DeliveryRefused
from signaldesk.model.message import Message, clip

SUBJECT = 200
TEXT = 4000
"""Most characters of one value."""
RECIPIENTS = 20
# One addr-spec without quotes or comments (RFC 5322 dot-atom): what people have, and nothing that could be
# read as two addresses or as a header.
_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
_COLOURS = {
    "info": "#2563eb",
    "warning": "#b45309",
    "error": "#c2410c",
    "critical": "#b91c1c",
    "resolved": "#15803d",
}


def _address(text: str) -> str:
    if len(text) > 254 or not _ADDRESS.fullmatch(text):
        raise ValueError("this is not an e-mail address; write name@example.com")
    return text


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class EmailConfig(ChannelConfig):
    """Who gets the mail. Everybody sees the others' addresses."""

    to: Annotated[
        tuple[Annotated[str, AfterValidator(_address)], ...],
        BeforeValidator(_listed),
        Field(min_length=1, max_length=RECIPIENTS, description="Addresses, one or several"),
    ]


class EmailChannel(Channel[EmailConfig]):
    kind = "email"
    title = "E-mail"
    config = EmailConfig
    example: ClassVar[dict[str, Any]] = {"to": ["oncall@example.com"]}

    def render(self, message: Message) -> Mail:
        found = facts(message)
        return Mail(_subject(message), _html(message, found), _text(message, found))

    async def send(self, config: EmailConfig, message: Message, means: Means) -> Receipt:
        if means.mailer is None:
            raise DeliveryRefused(
                "this installation sends no mail; have the operator set SIGNALDESK_SMTP_URL or "
                "SIGNALDESK_RESEND_API_KEY"
            )
        return await means.mailer.send(self.render(message), to=config.to, id=message.id)

    def inline(self, target: str) -> dict[str, Any]:
        return {"to": [target]}


def _subject(message: Message) -> str:
    return clip(one_line(f"[{message.tone.upper()}] {message.title}"), SUBJECT)


def _text(message: Message, found: list[Fact]) -> str:
    lines = [one_line(message.summary), ""]
    for fact in found:
        value = many_lines(clip(fact.text, TEXT))
        lines.append(
            f"{one_line(fact.name)}: " + ("\n  " + value.replace("\n", "\n  ") if "\n" in value else value)
        )
    lines += ["", f"{one_line(message.org)}, notification {message.id}"]
    return "\n".join(lines) + "\n"


def _html(message: Message, found: list[Fact]) -> str:
    """Inline styles and tables: what mail programs agree on. <details> opens on a click, or is open."""
    first = [fact for fact in found if fact.short]
    rest = [fact for fact in found if not fact.short and fact.link is None]
    links = [(fact.name, fact.link) for fact in found if fact.link is not None]
    return _PAGE.format(
        colour=_COLOURS[message.tone],
        severity=escape(message.tone),
        title=escape(one_line(message.title)),
        summary=escape(one_line(message.summary)),
        facts=_rows(first),
        links=" &nbsp; ".join(_link(name, link) for name, link in links),
        details=_rows(rest),
        org=escape(one_line(message.org)),
        id=message.id,
    )


def _rows(found: list[Fact]) -> str:
    return "\n".join(
        f'<tr><td style="{_NAME}">{escape(one_line(fact.name))}</td>'
        f'<td style="{_VALUE}">{escape(many_lines(clip(fact.text, TEXT)))}</td></tr>'
        for fact in found
    )


def _link(name: str, link: str) -> str:
    return f'<a href="{escape(web_link(link) or "#")}" style="color:#1d4ed8">{escape(name)}</a>'


_NAME = "padding:3px 12px 3px 0;color:#57606a;vertical-align:top;white-space:nowrap"
_VALUE = "padding:3px 0;vertical-align:top;white-space:pre-wrap;word-break:break-word"
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>{title}</title></head>
<body style="margin:0;padding:24px;font:15px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif">
<div style="max-width:640px;margin:0 auto;border-top:4px solid {colour};padding-top:16px">
<p style="margin:0;color:{colour};font-weight:600;text-transform:uppercase;font-size:12px">{severity}</p>
<h1 style="margin:4px 0 8px;font-size:20px;line-height:1.3">{title}</h1>
<p style="margin:0 0 16px">{summary}</p>
<table role="presentation" style="border-collapse:collapse">{facts}</table>
<p style="margin:16px 0">{links}</p>
<details><summary style="cursor:pointer;color:#57606a">Event and evidence</summary>
<table role="presentation" style="border-collapse:collapse;margin-top:8px">{details}</table></details>
<p style="margin:24px 0 0;color:#57606a;font-size:12px">{org} · notification {id}</p>
</div></body></html>
"""


CHANNEL = EmailChannel()
