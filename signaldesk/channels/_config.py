"""What a channel needs to know to reach its destination, and how that is stored, shown and kept secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, SecretStr

from signaldesk.channels.outbound.addresses import literal, looks_numeric

URL_MAX = 2048
HIDDEN = "[hidden]"
_TELLING = 12
"""A part of a URL shorter than this is taken for a word, not for a token."""


class ChannelConfig(BaseModel):
    """Base of every kind's configuration. What must not be shown is a `SecretStr`, in lists and maps too.

    Faults never repeat what was given: it may be a secret in the wrong field.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def stored(self) -> dict[str, Any]:
        """Plain JSON with the secrets in it, for the database only."""
        return {name: _map(value, SecretStr.get_secret_value) for name, value in self}

    def shown(self) -> dict[str, Any]:
        """Plain JSON with a hint in place of every secret, for people and answers."""
        return {name: _map(value, lambda secret: hint(secret.get_secret_value())) for name, value in self}

    def secrets_held(self) -> list[str]:
        """Every text that must not be repeated in an error, a log or a stored answer, longest first."""
        found = {part for _, value in self for secret in _secrets(value) for part in _parts(secret)}
        return sorted(found, key=len, reverse=True)

    @classmethod
    def merged(cls, given: Mapping[str, Any], old: Self) -> dict[str, Any]:
        """What somebody sent who had only seen the hints, with the old secrets in the places of the hints.

        A secret that was left out stays as it was.
        """
        merged = dict(given)
        stored, shown = old.stored(), old.shown()
        for name, value in old:
            if any(True for _ in _secrets(value)):
                merged[name] = _unhint(given.get(name, shown[name]), shown[name], stored[name])
        return merged


def scrub(text: str, secrets: list[str]) -> str:
    """The text with every one of the secrets cut out."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text


def hint(secret: str) -> str:
    """Enough of a secret to recognise it by: `https://discord.com/…9xQz`, `whsec_…k3M=`."""
    tail = secret[-4:] if len(secret) >= 16 else ""
    parts = urlsplit(secret)
    if parts.scheme in ("http", "https"):
        return f"{parts.scheme}://{parts.hostname}/…{tail if parts.path.strip('/') or parts.query else ''}"
    prefix, mark, rest = secret.partition("_")
    return f"{prefix}_…{tail}" if mark and len(prefix) <= 6 and rest else f"…{tail}"


def http_url(secret: SecretStr) -> SecretStr:
    """Validator: a URL that can be posted to. Raises ValueError with the mend."""
    check_url(secret.get_secret_value())
    return secret


def check_url(url: str) -> str:
    """The host of a URL that can be posted to; ValueError with the mend when it is not one."""
    if len(url) > URL_MAX:
        raise ValueError(f"this URL has {len(url)} characters; at most {URL_MAX} are taken")
    if not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("a URL has no spaces, backslashes or control characters; write %20 for a space")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        httpx.URL(url)  # what will send it must be able to read it too
    except (ValueError, httpx.InvalidURL):
        raise ValueError("this is not a URL; write https://example.com/path") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError("expected a URL that begins with https:// or http://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("no user name or password in the URL; send them in an Authorization header instead")
    if parts.fragment:
        raise ValueError("a fragment (#…) is never sent; leave it out")
    if port == 0:
        raise ValueError("port 0 cannot be reached")
    _check_host(host)
    return host


def _check_host(host: str) -> None:
    if not host:
        raise ValueError("the URL names no host; write https://example.com/path")
    if looks_numeric(host):
        raise ValueError("write an IPv4 address as four decimal numbers, for example 203.0.113.7")
    if literal(host) is not None:
        return
    try:
        ascii_host = host.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError("the host is not a valid name") from None
    allowed = set("abcdefghijklmnopqrstuvwxyz0123456789-_.")
    if not set(ascii_host.lower()) <= allowed or ".." in ascii_host or len(ascii_host) > 253:
        raise ValueError("the host is not a valid name")


def _map(value: Any, change: Callable[[SecretStr], str]) -> Any:
    if isinstance(value, SecretStr):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _map(item, change) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_map(item, change) for item in value]
    return value


def _secrets(value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _secrets(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _secrets(item)


def _parts(secret: str) -> Iterator[str]:
    """The secret itself; of a URL also what may be repeated by itself: path, tokens, query values."""
    yield secret
    parts = urlsplit(secret)
    if parts.scheme in ("http", "https"):
        if len(parts.path) >= _TELLING // 2:
            yield parts.path
        pieces = [*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query))]
        yield from (piece for piece in pieces if len(piece) >= _TELLING)
    elif secret.startswith("whsec_"):
        yield secret.removeprefix("whsec_")


def _unhint(given: Any, shown: Any, stored: Any) -> Any:
    if given == shown:
        return stored
    if isinstance(given, Mapping) and isinstance(shown, Mapping):
        return {key: stored[key] if shown.get(key) == item else item for key, item in given.items()}
    if isinstance(given, list | tuple) and isinstance(shown, list):
        known = dict(zip(map(str, shown), stored, strict=True))
        return [known.get(str(item), item) for item in given]
    return given
