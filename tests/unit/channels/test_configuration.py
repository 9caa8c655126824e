"""Faults are found when a channel is saved; secrets are kept, and only hinted at."""

from __future__ import annotations

from typing import Any

import pytest

from signaldesk.channels._config import check_url, hint
from signaldesk.channels.kinds import kind, kinds, parse
from signaldesk.channels.webhook import WebhookConfig
from signaldesk.errors import Invalid

SECRET = "whsec_" + "A" * 32


def faults(name: str, config: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as invalid:
        parse(kind(name), config)
    return {fault.field: fault.message for fault in invalid.value.errors}


# --- kinds -------------------------------------------------------------------------------------------------


def test_the_five_kinds_are_found_by_their_files() -> None:
    assert {"webhook", "discord", "slack", "email", "in_app"} <= set(kinds())


@pytest.mark.parametrize("name", kinds())
def test_the_example_of_every_kind_is_valid_and_survives_the_database(name: str) -> None:
    channel = kind(name)
    config, _ = channel.prepared(parse(channel, channel.example))
    assert parse(channel, config.stored()) == config


def test_an_unknown_kind_is_answered_with_the_nearest_known_one() -> None:
    with pytest.raises(Invalid) as invalid:
        kind("webhok")
    assert invalid.value.errors[0] == ("kind", "unknown 'webhok'; did you mean webhook?")


@pytest.mark.parametrize("name", kinds())
@pytest.mark.parametrize("config", [None, [], "text", 3])
def test_a_configuration_that_is_no_object_is_a_clear_fault(name: str, config: Any) -> None:
    assert "expected an object" in faults(name, config)["config"]


@pytest.mark.parametrize("name", kinds())
def test_an_unknown_field_is_a_clear_fault(name: str) -> None:
    assert "unknown field" in faults(name, {**kind(name).example, "colour": "red"})["config.colour"]


def test_every_fault_is_listed_and_none_repeats_what_was_given() -> None:
    found = faults("webhook", {"url": "gopher://s3cret-token", "secrets": ["s3cret-token"], "x": 1})
    assert set(found) == {"config.url", "config.secrets.0", "config.x"}
    assert "s3cret-token" not in str(found)


# --- URLs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "mend"),
    [
        ("", "begins with https://"),
        ("example.com/hook", "begins with https://"),
        ("ftp://example.com/", "begins with https://"),
        ("https://", "names no host"),
        ("https:///path", "names no host"),
        ("https://user:password@example.com/", "Authorization header"),
        ("https://user@example.com/", "Authorization header"),
        ("https://example.com/#part", "fragment"),
        ("https://example.com/a b", "%20"),
        ("https://example.com\\@evil.test/", "backslashes"),
        ("https://example.com/\n", "control characters"),
        ("https://example.com:99999/", "not a URL"),
        ("https://example.com:0/", "port 0"),
        ("https://exa$mple.com/", "not a valid name"),
        ("https://a..b/", "not a valid name"),
        (f"https://{'a' * 64}.com/", "not a valid name"),
        ("https://2130706433/", "four decimal numbers"),
        ("https://0x7f.1/", "four decimal numbers"),
        ("https://127.1/", "four decimal numbers"),
        ("https://[::1/", "not a URL"),
        ("https://example.com/" + "x" * 2048, "at most 2048"),
    ],
)
def test_a_url_that_cannot_be_posted_to_is_refused_with_the_mend(url: str, mend: str) -> None:
    assert mend in faults("webhook", {"url": url})["config.url"]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://example.com", "example.com"),
        ("http://example.com:8080/a?b=c", "example.com"),
        ("https://bücher.example/", "bücher.example"),
        ("https://8.8.8.8/", "8.8.8.8"),
        ("https://[2606:4700::1111]:8443/", "2606:4700::1111"),
        ("http://my_service.internal/", "my_service.internal"),
    ],
)
def test_a_url_that_can_be_posted_to_is_taken(url: str, host: str) -> None:
    assert check_url(url) == host


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("discord", "https://discord.com/api/webhooks/123/abc_DEF-1"),
        ("discord", "https://ptb.discord.com/api/v10/webhooks/123/abc"),
        ("discord", "https://discordapp.com/api/webhooks/123/abc?thread_id=99"),
        ("slack", "https://hooks.slack.com/services/T1/B1/abc"),
        ("slack", "https://hooks.slack-gov.com/services/T1/B1/abc"),
    ],
)
def test_the_services_own_webhooks_are_taken(name: str, url: str) -> None:
    parse(kind(name), {"url": url})


@pytest.mark.parametrize(
    ("name", "url", "mend"),
    [
        ("discord", "https://example.com/api/webhooks/123/abc", "its host is discord.com"),
        ("discord", "https://discord.com.evil.test/api/webhooks/123/abc", "its host is discord.com"),
        ("discord", "https://evildiscord.com/api/webhooks/123/abc", "its host is discord.com"),
        ("discord", "http://discord.com/api/webhooks/123/abc", "Copy webhook URL"),
        ("discord", "https://discord.com/channels/1/2", "Copy webhook URL"),
        ("discord", "https://discord.com:444/api/webhooks/123/abc", "Copy webhook URL"),
        ("slack", "https://slack.com/services/T1/B1/abc", "its host is hooks.slack.com"),
        ("slack", "https://hooks.slack.com/", "Incoming Webhooks"),
    ],
)
def test_another_address_is_no_webhook_of_the_service(name: str, url: str, mend: str) -> None:
    assert mend in faults(name, {"url": url})["config.url"]


# --- e-mail ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "to", ["a@example.com", ["a@example.com", "b.c+d@mail.example.co.uk"], "root@localhost"]
)
def test_one_or_several_addresses_are_taken(to: Any) -> None:
    parse(kind("email"), {"to": to})


@pytest.mark.parametrize(
    "to",
    [
        "", "a", "@example.com", "a@", "a@b@c", "a b@example.com", "a@example..com", "a@-example.com",
        '"a"@example.com', "a@example.com\r\nBcc: b@example.com", "a@example.com, b@example.com",
        "Ann <a@example.com>", "é@example.com",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(to: str) -> None:
    assert "name@example.com" in faults("email", {"to": to})["config.to.0"]


def test_nobody_and_far_too_many_are_refused() -> None:
    assert "config.to" in faults("email", {"to": []})
    assert "config.to" in faults("email", {"to": ["a@example.com"] * 21})


# --- webhook secrets and headers ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_AAAA", "A" * 32, "whsec_" + "A" * 100, "whsec_!!!" + "A" * 32]
)
def test_a_signing_secret_of_another_shape_is_refused(secret: str) -> None:
    assert (
        "24 to 64 random bytes"
        in faults("webhook", {"url": "https://example.com", "secrets": [secret]})["config.secrets.0"]
    )


@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Webhook-Signature", "transfer-encoding", "a b", "a:b", ""]
)
def test_a_header_that_is_ours_or_no_header_is_refused(name: str) -> None:
    assert "config.headers" in faults("webhook", {"url": "https://example.com", "headers": {name: "x"}})


def test_a_header_value_with_a_line_break_is_refused() -> None:
    config = {"url": "https://example.com", "headers": {"x-a": "a\r\nx-b: c"}}
    assert "printable ASCII" in faults("webhook", config)["config.headers"]


def test_a_new_webhook_gets_a_secret_that_is_shown_once() -> None:
    channel = kind("webhook")
    config, shown = channel.prepared(parse(channel, {"url": "https://example.com"}))
    assert shown["secret"].startswith("whsec_")
    assert config.stored()["secrets"] == [shown["secret"]]
    assert shown["secret"] not in str(config.shown())
    assert shown["secret"] not in repr(config)


def test_a_secret_that_was_given_is_kept_and_not_shown() -> None:
    channel = kind("webhook")
    config, shown = channel.prepared(parse(channel, {"url": "https://example.com", "secrets": [SECRET]}))
    assert (config.stored()["secrets"], shown) == ([SECRET], {})


def test_rotation_puts_the_new_secret_first_and_keeps_the_one_before() -> None:
    channel = kind("webhook")
    config, first = channel.prepared(parse(channel, {"url": "https://example.com"}))
    config, second = channel.rotated(config)
    config, third = channel.rotated(config)
    assert config.stored()["secrets"] == [third["secret"], second["secret"]]
    assert first["secret"] not in str(config.stored())


@pytest.mark.parametrize("name", sorted(set(kinds()) - {"webhook"}))
def test_a_kind_without_secrets_of_ours_cannot_rotate_them(name: str) -> None:
    channel = kind(name)
    with pytest.raises(Invalid):
        channel.rotated(parse(channel, channel.example))


# --- hints -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("https://discord.com/api/webhooks/123/abcdef9xQz", "https://discord.com/…9xQz"),
        ("https://example.com/", "https://example.com/…"),
        ("https://example.com/?token=abcdef", "https://example.com/…cdef"),
        ("whsec_abcdefghijklmnop", "whsec_…mnop"),
        ("Bearer abcdefghijklmnop", "…mnop"),
        ("short", "…"),
    ],
)
def test_a_hint_is_enough_to_recognise_a_secret_by(secret: str, shown: str) -> None:
    assert hint(secret) == shown


def stored() -> WebhookConfig:
    headers = {"authorization": "Bearer 0123456789abcdef", "x-b": "another value here"}
    return WebhookConfig.model_validate(
        {"url": "https://example.com/hook/0123456789", "secrets": [SECRET], "headers": headers}
    )


def test_sending_the_hints_back_changes_nothing() -> None:
    old = stored()
    assert WebhookConfig.merged(old.shown(), old) == old.stored()


def test_leaving_the_secrets_out_changes_nothing() -> None:
    assert WebhookConfig.merged({}, stored()) == stored().stored()


def test_a_new_value_replaces_only_what_it_is_given_for() -> None:
    old = stored()
    given = {**old.shown(), "url": "https://example.com/new"}
    given["headers"] = {"authorization": old.shown()["headers"]["authorization"], "x-c": "new"}
    merged = WebhookConfig.merged(given, old)
    assert merged["url"] == "https://example.com/new"
    assert merged["secrets"] == [SECRET]
    assert merged["headers"] == {"authorization": "Bearer 0123456789abcdef", "x-c": "new"}
