"""What each channel makes of a message: within the service's limits, tenant text harmless."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaldesk.channels.discord import CHANNEL as DISCORD
from signaldesk.channels.email import CHANNEL as EMAIL
from signaldesk.channels.in_app import CHANNEL as IN_APP
from signaldesk.channels.slack import CHANNEL as SLACK
from signaldesk.channels.webhook import CHANNEL as WEBHOOK
from signaldesk.clock import MICROS
from signaldesk.model.message import Message
from tests.support.messages import NOW_US, firing_message

HUGE = {f"label {n}": "&<>*_@everyone`|\\ ü😀" * 300 for n in range(30)}
NASTY = (
    "</td><script>alert(1)</script> <!channel> <@U1> @everyone `x` **b** [a](http://evil.test) & \x1b\u202e"
)

texts = st.text(st.characters(codec="utf-8"), max_size=3000)
messages = st.builds(
    firing_message,
    rule_name=texts.filter(bool),
    org=texts,
    group=st.dictionaries(texts, st.one_of(texts, st.integers(), st.none()), max_size=5),
    labels=st.dictionaries(texts, texts, max_size=30),
    payload=st.dictionaries(texts, texts, max_size=25),
    runbook=st.one_of(st.none(), texts),
    event_type=texts.filter(bool),
)


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def huge() -> Message:
    return firing_message(
        rule_name="&" * 200, group=HUGE, labels=HUGE, payload=HUGE, org="<" * 500, event_type="e" * 200
    )


# --- Discord -----------------------------------------------------------------------------------------------


def check_discord(body: dict[str, Any]) -> None:
    (embed,) = body["embeds"]
    fields = embed["fields"]
    assert body["allowed_mentions"] == {"parse": []}
    assert 0 < utf16(embed["title"]) <= 256
    assert utf16(embed["description"]) <= 4096
    assert utf16(embed["footer"]["text"]) <= 2048
    assert len(fields) <= 25
    assert all(0 < utf16(f["name"]) <= 256 and 0 < utf16(f["value"]) <= 1024 for f in fields)
    texts = [embed["title"], embed["description"], embed["footer"]["text"]]
    texts += [f[part] for f in fields for part in ("name", "value")]
    assert sum(map(utf16, texts)) <= 6000


@given(messages)
def test_a_discord_message_is_within_the_limits_whatever_the_tenant_wrote(message: Message) -> None:
    check_discord(DISCORD.render(message))


def test_a_discord_message_of_huge_parts_is_cut_to_the_limits() -> None:
    check_discord(DISCORD.render(huge()))


def test_a_discord_message_shows_tenant_text_literally() -> None:
    (embed,) = DISCORD.render(firing_message(group={"note": NASTY}, rule_name="a*b"))["embeds"]
    value = next(field["value"] for field in embed["fields"] if field["name"] == "note")
    assert r"\<\!channel" in value or r"\<!channel" in value
    assert r"\@everyone" in value
    assert r"\[a\](http\://evil.test)" in value
    assert "\x1b" not in value
    assert embed["title"].startswith(r"a\*b")


def test_a_discord_message_says_the_time_in_the_readers_time_zone_and_links_to_the_alert() -> None:
    message = firing_message()
    (embed,) = DISCORD.render(message)["embeds"]
    assert f"<t:{NOW_US // MICROS}:F>" in [field["value"] for field in embed["fields"]]
    assert embed["url"] == message.links.alert
    assert embed["color"] == 0xDC2626


# --- Slack -------------------------------------------------------------------------------------------------


def check_slack(body: dict[str, Any]) -> None:
    blocks = body["blocks"]
    assert len(blocks) <= 50
    assert 0 < utf16(body["text"]) <= 4000
    for block in blocks:
        if block["type"] == "header":
            assert 0 < utf16(block["text"]["text"]) <= 150
        elif "fields" in block:
            assert 1 <= len(block["fields"]) <= 10
            assert all(0 < utf16(cell["text"]) <= 2000 for cell in block["fields"])
        elif block["type"] == "section":
            assert 0 < utf16(block["text"]["text"]) <= 3000
        else:
            assert block["type"] == "context"
            assert all(0 < utf16(element["text"]) <= 2000 for element in block["elements"])


def slack_texts(body: dict[str, Any]) -> Iterator[str]:
    yield body["text"]
    for block in body["blocks"]:
        parts = block.get("fields") or block.get("elements") or [block["text"]]
        yield from (part["text"] for part in parts)


@given(messages)
def test_a_slack_message_is_within_the_limits_whatever_the_tenant_wrote(message: Message) -> None:
    check_slack(SLACK.render(message))


def test_a_slack_message_of_huge_parts_is_cut_to_the_limits_and_never_inside_an_escape() -> None:
    body = SLACK.render(huge())
    check_slack(body)
    for text in slack_texts(body):
        rest = text.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
        assert "&" not in rest


def test_a_slack_message_gives_tenant_text_no_power() -> None:
    body = SLACK.render(firing_message(group={"note": NASTY}, rule_name=NASTY))
    joined = "\n".join(slack_texts(body))
    assert "<!channel>" not in joined
    assert "<@U1>" not in joined
    assert "&lt;!channel&gt;" in joined


def test_a_slack_message_offers_only_links_that_are_links() -> None:
    texts = list(slack_texts(SLACK.render(firing_message(runbook="https://example.com/a|b>c"))))
    assert not any("|b>" in text for text in texts)
    links = list(slack_texts(SLACK.render(firing_message())))
    assert "<https://example.com/runbooks/checkout|Runbook>" in links


# --- e-mail ------------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.hrefs: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.hrefs += [value or "" for name, value in attrs if name == "href"]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def tags(html: str) -> Tags:
    parser = Tags()
    parser.feed(html)
    assert parser.open == []
    return parser


@given(messages)
def test_a_mail_is_well_formed_and_without_scripts_whatever_the_tenant_wrote(message: Message) -> None:
    mail = EMAIL.render(message)
    found = tags(mail.html)
    assert "script" not in found.tags
    assert all(href.startswith(("http://", "https://")) for href in found.hrefs)
    assert len(mail.subject) <= 200
    assert mail.subject.isprintable()


def test_a_mail_says_everything_as_text_too_and_folds_the_details_in_html() -> None:
    message = firing_message()
    mail = EMAIL.render(message)
    assert mail.subject == "[CRITICAL] Checkout failures by country (country = DE)"
    assert {"details", "summary"} <= set(tags(mail.html).tags)
    for said in (
        message.summary,
        "country",
        "DE",
        str(message.event.id),
        "https://example.com/runbooks/checkout",
    ):
        assert said in mail.text
    assert "<" not in mail.text


def test_a_runbook_that_is_no_web_link_is_no_link_in_a_mail() -> None:
    mail = EMAIL.render(firing_message(runbook="javascript:alert(1)"))
    assert not any("javascript" in href for href in tags(mail.html).hrefs)
    assert "javascript:alert(1)" in mail.text


# --- webhook and in-app ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "type"), [("firing", "alert.fired"), ("test", "channel.test")])
def test_a_webhook_carries_the_whole_message_by_the_standard_shape(kind: str, type: str) -> None:
    message = firing_message(kind=kind)
    body = WEBHOOK.render(message)
    assert (body["type"], body["timestamp"]) == (type, "2025-10-09T08:53:20.000000Z")
    assert body["data"]["id"] == str(message.id)
    assert list(body["data"]["evidence"]) == [str(item) for item in message.evidence]
    json.dumps(body)


def test_an_in_app_notification_is_plain_json_for_the_page_to_escape() -> None:
    body = IN_APP.render(firing_message(rule_name=NASTY))
    assert body["kind"] == "notification"
    assert body["message"]["rule"]["name"] == NASTY
    json.dumps(body)
