"""Webhook: the whole message as JSON, signed by the Standard Webhooks scheme.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
Receivers verify with any of its libraries; `webhook-id` is the notification's id, the same on every retry.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from typing import Annotated, Any, ClassVar

import msgspec
from pydantic import AfterValidator, Field, SecretStr
from standardwebhooks import Webhook

from signaldesk.channels._config import ChannelConfig, http_url
from signaldesk.channels._http import HttpChannel, Request
from signaldesk.clock import MICROS, from_us, iso, to_us
from signaldesk.model.message import Message

PREFIX = "whsec_"
SECRETS_MAX = 5
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OURS = (
    "host",
    "connection",
    "content-",
    "transfer-",
    "webhook-",
    "accept",
    "expect",
    "upgrade",
    "te",
    "trailer",
)
_TYPES = {
    "firing": "alert.fired",
    "resolved": "alert.resolved",
    "storm": "alert.storm",
    "test": "channel.test",
}


def _header_names(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise ValueError("a header name has letters, digits and dashes only")
        if name.lower() in _OURS or name.lower().startswith(tuple(o for o in _OURS if o.endswith("-"))):
            raise ValueError(f"the header {name} is set by SignalDesk; leave it out")
        text = value.get_secret_value()
        if not text.isascii() or not text.isprintable() or len(text) > 2000:
            raise ValueError(f"the value of {name} must be at most 2000 printable ASCII characters")
    return headers


def _signing_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    try:
        size = len(base64.b64decode(text.removeprefix(PREFIX), validate=True))
    except binascii.Error:
        size = 0
    if not text.startswith(PREFIX) or not 24 <= size <= 64:
        raise ValueError(
            "expected whsec_ and the base64 of 24 to 64 random bytes; leave it out to have one made"
        )
    return secret


class WebhookConfig(ChannelConfig):
    """Where to post, and the secrets to sign with: the newest first, then the one it replaces."""

    url: Annotated[SecretStr, AfterValidator(http_url), Field(description="Address to post to")]
    secrets: Annotated[
        tuple[Annotated[SecretStr, AfterValidator(_signing_secret)], ...],
        Field(max_length=SECRETS_MAX, description="Signing secrets; one is made when none is given"),
    ] = ()
    headers: Annotated[
        dict[str, SecretStr],
        AfterValidator(_header_names),
        Field(max_length=20, description="Further headers, for example Authorization"),
    ] = {}  # noqa: RUF012  pydantic copies it


class WebhookChannel(HttpChannel[WebhookConfig]):
    kind = "webhook"
    title = "Webhook"
    config = WebhookConfig
    example: ClassVar[dict[str, Any]] = {"url": "https://hooks.example.com/signaldesk"}

    def render(self, message: Message) -> dict[str, Any]:
        """`{"type", "timestamp", "data"}`: the timestamp is the event's, the data the whole message."""
        data: dict[str, Any] = msgspec.to_builtins(message)
        return {"type": _TYPES[message.kind], "timestamp": iso(to_us(message.event.at)), "data": data}

    def request(self, config: WebhookConfig, message: Message, now_us: int) -> Request:
        body = msgspec.json.encode(self.render(message))
        headers = {name: value.get_secret_value() for name, value in config.headers.items()}
        headers |= {
            "content-type": "application/json",
            "user-agent": "SignalDesk (webhook; standardwebhooks.com)",
            "webhook-id": str(message.id),
            "webhook-timestamp": str(now_us // MICROS),
        }
        if config.secrets:
            headers["webhook-signature"] = _signature(config, message, now_us, body)
        return Request(config.url.get_secret_value(), body, headers)

    def prepared(self, config: WebhookConfig) -> tuple[WebhookConfig, dict[str, str]]:
        return (config, {}) if config.secrets else self.rotated(config)

    def rotated(self, config: WebhookConfig) -> tuple[WebhookConfig, dict[str, str]]:
        """A fresh secret in front of the newest old one, which the next rotation retires."""
        made = PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
        kept = (SecretStr(made), *config.secrets[:1])
        return config.model_copy(update={"secrets": kept}), {"secret": made}


def _signature(config: WebhookConfig, message: Message, now_us: int, body: bytes) -> str:
    moment, text = from_us(now_us), body.decode()
    return " ".join(
        Webhook(secret.get_secret_value()).sign(str(message.id), moment, text) for secret in config.secrets
    )


CHANNEL = WebhookChannel()
