"""Every setting, in one frozen model, read once from the environment, `.env` or `signaldesk.toml`.

Any setting may come from a file instead: `SIGNALDESK_SECRET_KEY_FILE=/run/secrets/key`.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, IPvAnyNetwork, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from signaldesk.errors import FieldError, SettingsError

PREFIX = "SIGNALDESK_"
KEY_LENGTH = 32
DOTENV, TOML = ".env", "signaldesk.toml"
_NO_TEXT = "is not UTF-8 text; save it as that"
CLIENT = frozenset({"SIGNALDESK_URL", "SIGNALDESK_API_KEY"})
"""What programs that send to an installation elsewhere read; the installation itself has no use for them."""


def _url(*schemes: str) -> AfterValidator:
    def check(value: Any) -> Any:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if text is not None and text.partition("://")[0] not in schemes:
            raise ValueError(f"expected a URL that begins with {' or '.join(s + '://' for s in schemes)}")
        if text is not None:
            _check_place(text)
        return value

    return AfterValidator(check)


def _check_place(url: str) -> None:
    """Host and port; Postgres and Redis do without a host, Postgres may have several."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        if "," not in parts.netloc:
            _ = parts.port
    except ValueError:
        raise ValueError("its port or its IPv6 address is none; expected …://host:port") from None
    if not host and parts.scheme.startswith(("http", "smtp")):
        raise ValueError(f"names no host; expected {parts.scheme}://host:port")


class Settings(BaseSettings):
    """What an operator may choose. Durations are seconds, sizes are bytes."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=DOTENV,
        toml_file=TOML,
        env_ignore_empty=True,  # Compose files and unit files give what is not set as an empty text
        frozen=True,
        extra="ignore",
    )

    database_url: Annotated[SecretStr | None, _url("postgresql", "postgres", "postgresql+psycopg")] = Field(
        None, description="PostgreSQL 14 or newer; without it a bundled one runs in `data_dir`"
    )
    redis_url: Annotated[SecretStr | None, _url("redis", "rediss", "unix")] = Field(
        None, description="Redis 7 or Valkey 8 or newer; without it a bundled one runs in `data_dir`"
    )
    data_dir: Path = Field(Path("~/.local/share/signaldesk"), description="Where everything local is kept")
    secret_key: SecretStr | None = Field(
        None, description="Signs cookies; without it one is made and kept in `data_dir`"
    )
    base_url: Annotated[str, _url("http", "https")] = Field(
        "http://localhost:5006", description="How people reach this installation; used in links and cookies"
    )
    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(5006, ge=0, le=65535, description="Port to listen on; 0 picks a free one")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins whose scripts may call the API"
    )
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = Field(
        (), description="Networks whose X-Forwarded-For is believed"
    )
    outbound_allow: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = Field(
        (), description="Private networks that channels may reach all the same"
    )
    smtp_url: Annotated[SecretStr | None, _url("smtp", "smtps", "smtp+starttls")] = Field(
        None, description="Mail server: smtp://user:password@host:587, smtps:// for TLS from the start"
    )
    resend_api_key: SecretStr | None = Field(None, description="Send mail through Resend instead of SMTP")
    mail_from: str = Field("SignalDesk <signaldesk@localhost>", description="Sender of mail")
    allow_signup: bool = Field(False, description="Whether strangers may make an organisation")
    log_format: Literal["auto", "json", "pretty"] = Field("auto", description="`auto`: pretty on a terminal")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    max_body_bytes: int = Field(1 << 20, ge=1024, description="Largest single-event body")
    max_batch_bytes: int = Field(8 << 20, ge=1024, description="Largest batch body, after decompression")
    max_batch_events: int = Field(10_000, ge=1, description="Most events in one request")
    clock_skew: int = Field(300, ge=0, description="How far ahead of our clock a timestamp may be")
    allowed_lateness: int = Field(
        300, ge=0, le=86_400, description="How far behind the watermark events are judged"
    )
    lease: float = Field(
        5.0, gt=0, description="A processor that does not renew within this loses its partitions"
    )
    checkpoint_every: float = Field(
        1.0, gt=0, description="How often tallies are written down; windows too, unless that takes long"
    )
    storm_after: int = Field(
        10,
        ge=1,
        description="Alerts of a rule that people are told of singly within a minute; more come as one",
    )
    query_seconds: float = Field(30.0, gt=0, description="How long one SQL query may run")
    query_memory: int = Field(1 << 30, ge=64 << 20, description="Memory that one SQL query may use")
    query_rows: int = Field(1_000_000, ge=1, description="Most rows in the result of one SQL query")
    query_result: int = Field(256 << 20, ge=1024, description="Largest result of one SQL query")
    query_at_once: int = Field(4, ge=1, description="SQL queries that run at once in one web process")
    query_at_once_per_org: int = Field(2, ge=1, description="The same, of one organisation")
    backtest_seconds: float = Field(600.0, gt=0, description="How long one backtest may run on the server")
    backtest_memory: int = Field(2 << 30, ge=256 << 20, description="Memory that one such backtest may use")
    backtest_at_once: int = Field(2, ge=1, description="Backtests that run at once for one web process")
    backtest_at_once_per_org: int = Field(1, ge=1, description="The same, of one organisation")
    stripe_secret_key: SecretStr | None = Field(None, description="Billing through Stripe")
    stripe_webhook_secret: SecretStr | None = Field(None, description="Verifies what Stripe sends")
    history_url: str | None = Field(None, description="Object store for history; `data_dir` without it")
    history_days: int = Field(
        730, ge=1, description="How long events are kept, where an organisation's plan does not say"
    )
    stored_days: int = Field(
        400,
        ge=2,
        description="How long archived events stay in PostgreSQL too; not shorter than rules look back",
    )

    demo_past: int = Field(
        21_600, ge=600, description="How far back the books of the shop of `up --demo` go when it opens"
    )

    @field_validator("cors_origins", "trusted_proxies", "outbound_allow", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return (
            [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        )

    @field_validator("secret_key")
    @classmethod
    def _key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value) < KEY_LENGTH:
            wanted = f"expected {KEY_LENGTH} or more; `openssl rand -hex 32` makes them"
            raise ValueError(f"has {len(value)} characters, {wanted}")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if not re.fullmatch(r"https?://[^/?#@*\s]+", value) or value != value.lower():
                raise ValueError(
                    f"{value[:100]!r} is no origin as browsers send it; expected https://host or https://host:port"
                )
        return values

    @field_validator("mail_from")
    @classmethod
    def _sender(cls, value: str) -> str:
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", parseaddr(value)[1]):
            raise ValueError("is no sender of mail; expected SignalDesk <alerts@example.com>")
        return value

    @field_validator("history_url")
    @classmethod
    def _store(cls, value: str | None) -> str | None:
        if value is not None and not re.match(r"/|(file|s3|gs|gcs|abfss?|hdfs|viewfs)://", value):
            raise ValueError(
                "expected a URL such as s3://bucket/folder?region=eu-central-1, or a folder's path"
            )
        return value

    @field_validator("data_dir")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        toml = TomlConfigSettingsSource(settings_cls)
        return init_settings, env_settings, _FileSource(settings_cls), dotenv_settings, toml


@dataclass(frozen=True)
class Urls:
    """Where Postgres and Redis are, from the settings or from the bundled servers."""

    database: str
    redis: str


class _FileSource(PydanticBaseSettingsSource):
    """`SIGNALDESK_X_FILE=path`: the setting X is the content of that file, without surrounding space."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE")
        return (None if path is None or _why_not(path) else _content(path)), field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in found.items() if value is not None}


def load(**overrides: Any) -> Settings:
    """The settings, or one SettingsError that lists every fault with its mend.

    `overrides` (from the command line) win over the environment; a None is no override.
    """
    faults = [*_strangers(os.environ), *_unread(os.environ), *_in_dotenv(), *_in_toml()]
    settings = None
    try:
        settings = Settings(**{name: value for name, value in overrides.items() if value is not None})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):  # among the faults already
        pass
    except ValidationError as error:
        faults += [_fault(dict(fault)) for fault in error.errors(include_url=False)]
    if settings is None or faults:
        told = [f"{fault.field}: {fault.message}" for fault in faults]
        raise SettingsError(told[0] if len(told) == 1 else f"{len(told)} settings are wrong", errors=faults)
    return settings


def _fault(fault: Mapping[str, Any]) -> FieldError:
    name = str(fault["loc"][0]) if fault["loc"] else "?"
    secret = (
        "SecretStr" in str(Settings.model_fields[name].annotation) if name in Settings.model_fields else True
    )
    secret = secret or "@" in str(fault["input"])  # a URL with a password, perhaps
    found = "" if secret else f", found {fault['input']!r}"
    message = str(fault["msg"]).removeprefix("Value error, ")
    return FieldError(PREFIX + name.upper(), message + found)


def _strangers(names: Iterable[str], where: str = "") -> Iterator[FieldError]:
    """Names with our prefix that are no setting: a typo must not pass in silence."""
    known = CLIENT | {PREFIX + name.upper() for name in Settings.model_fields}
    for name in sorted(names):
        if name.startswith(PREFIX) and name.removesuffix("_FILE") not in known and name not in known:
            yield _no_such(name, known, where)


def _unread(environment: Mapping[str, str]) -> Iterator[FieldError]:
    """Files that should hold a setting and cannot be read."""
    for name in Settings.model_fields:
        variable = f"{PREFIX}{name.upper()}_FILE"
        if (path := environment.get(variable)) is not None and (reason := _why_not(path)):
            yield FieldError(variable, f"cannot read {path} ({reason}); point it at a readable file")


def _in_dotenv() -> Iterator[FieldError]:
    try:
        found = DotEnvSettingsSource(Settings).env_vars  # in lower case
    except UnicodeDecodeError:
        yield FieldError(DOTENV, _NO_TEXT)
        return
    yield from _strangers([name.upper() for name in found], f"{DOTENV}: ")


def _in_toml() -> Iterator[FieldError]:
    file = Path(TOML)
    if not file.is_file():
        return
    try:
        names = tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        yield FieldError(TOML, f"is not TOML: {error}")
        return
    except UnicodeDecodeError:
        yield FieldError(TOML, _NO_TEXT)
        return
    for name in sorted(names.keys() - Settings.model_fields.keys()):
        yield _no_such(name, Settings.model_fields.keys(), f"{TOML}: ")


def _no_such(name: str, known: Iterable[str], where: str) -> FieldError:
    from difflib import get_close_matches

    near = get_close_matches(name, [*known], n=1)
    return FieldError(where + name, "no such setting" + (f", did you mean {near[0]}?" if near else ""))


def _content(path: str) -> str:
    return Path(path).read_text(encoding="utf-8").strip()


def _why_not(path: str) -> str:
    """Why the file cannot be read; nothing when it can."""
    try:
        _content(path)
    except OSError as error:
        return error.strerror or repr(error)
    except UnicodeDecodeError:
        return "it is not UTF-8 text"
    return ""
