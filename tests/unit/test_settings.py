"""Settings: where they come from, and that every fault of theirs is told at once, with its mend."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from signaldesk import settings
from signaldesk.errors import FieldError, SettingsError
from signaldesk.settings import Settings


@pytest.fixture(autouse=True)
def nothing_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder and an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(settings.PREFIX)]:
        monkeypatch.delenv(name)


def faults() -> dict[str, str]:
    """What is wrong with the settings as they are, by name."""
    with pytest.raises(SettingsError) as caught:
        settings.load()
    return {fault.field: fault.message for fault in caught.value.errors}


def test_the_command_line_wins_over_the_environment_over_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "signaldesk.toml").write_text('port = 1\nhost = "::1"\nlease = 2.5\nclock_skew = 9\n')
    (tmp_path / ".env").write_text("SIGNALDESK_PORT=2\nSIGNALDESK_HOST=::\nSIGNALDESK_LEASE=3.5\n")
    monkeypatch.setenv("SIGNALDESK_PORT", "3")
    monkeypatch.setenv("SIGNALDESK_HOST", "0.0.0.0")
    found = settings.load(port=4, host=None)
    assert (found.port, found.host, found.lease, found.clock_skew) == (4, "0.0.0.0", 3.5, 9)


def test_a_file_may_hold_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("k" * 32 + "\n")
    monkeypatch.setenv("SIGNALDESK_SECRET_KEY_FILE", str(tmp_path / "key"))
    key = settings.load().secret_key
    assert key is not None and key.get_secret_value() == "k" * 32


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "PORT", "OUTBOUND_ALLOW", "LEASE"):
        monkeypatch.setenv(f"SIGNALDESK_{name}", "")
    assert settings.load() == Settings()


def test_they_cannot_be_changed_once_they_are_read() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        settings.load().port = 1  # type: ignore[misc]


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_database_url_may_begin_in_each_usual_way(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALDESK_DATABASE_URL", f"{scheme}://desk@db/desk")
    assert settings.load().database_url is not None


def test_every_fault_is_told_at_once_wherever_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALDESK_PORT", "http")
    monkeypatch.setenv("SIGNALDESK_OUTBOUND_ALLOW", "10.0.0.0/8, 1.2.3.4/99")
    monkeypatch.setenv("SIGNALDESK_CLOCKSKEW", "3")
    monkeypatch.setenv("SIGNALDESK_SMTP_URL_FILE", str(tmp_path / "away"))
    monkeypatch.setenv("SIGNALDESK_DATABASE_URL", "mysql://desk:geheim@db/desk")
    (tmp_path / ".env").write_text("SIGNALDESK_HOTS=::\nOTHER_HOTS=1\n")
    (tmp_path / "signaldesk.toml").write_text("lease = 0\nbase_ulr = 1\n")
    assert faults() == {
        "SIGNALDESK_PORT": "Input should be a valid integer, "
        "unable to parse string as an integer, found 'http'",
        "SIGNALDESK_OUTBOUND_ALLOW": "value is not a valid IPv4 or IPv6 network, found '1.2.3.4/99'",
        "SIGNALDESK_CLOCKSKEW": "no such setting, did you mean SIGNALDESK_CLOCK_SKEW?",
        "SIGNALDESK_SMTP_URL_FILE": f"cannot read {tmp_path / 'away'} (No such file or directory); "
        "point it at a readable file",
        "SIGNALDESK_DATABASE_URL": "expected a URL that begins with "
        "postgresql:// or postgres:// or postgresql+psycopg://",
        "SIGNALDESK_LEASE": "Input should be greater than 0, found 0",
        ".env: SIGNALDESK_HOTS": "no such setting, did you mean SIGNALDESK_HOST?",
        "signaldesk.toml: base_ulr": "no such setting, did you mean base_url?",
    }


def test_a_file_that_is_no_toml_is_named_among_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "signaldesk.toml").write_text("port = = 1\n")
    monkeypatch.setenv("SIGNALDESK_PRT", "1")
    found = faults()
    assert found.keys() == {"signaldesk.toml", "SIGNALDESK_PRT"}
    assert found["signaldesk.toml"].startswith("is not TOML: ") and "line 1" in found["signaldesk.toml"]


@pytest.mark.parametrize("file", [".env", "signaldesk.toml"])
def test_a_file_that_is_no_text_is_named_among_the_others(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / file).write_bytes(b"SIGNALDESK_PORT=\xff\n")
    monkeypatch.setenv("SIGNALDESK_PRT", "1")
    found = faults()
    assert found.keys() == {file, "SIGNALDESK_PRT"}
    assert found[file] == "is not UTF-8 text; save it as that"


def test_one_fault_is_the_whole_message_and_several_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALDESK_PORT", "70000")
    with pytest.raises(SettingsError) as caught:
        settings.load()
    (fault,) = caught.value.errors
    assert caught.value.detail == f"{fault.field}: {fault.message}"
    monkeypatch.setenv("SIGNALDESK_LEASE", "-1")
    with pytest.raises(SettingsError, match=r"2 settings are wrong; SIGNALDESK_PORT: .*; SIGNALDESK_LEASE"):
        settings.load()


def test_a_secret_is_never_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALDESK_SECRET_KEY", "geheim")
    monkeypatch.setenv("SIGNALDESK_REDIS_URL", "http://:geheim@redis")
    with pytest.raises(SettingsError) as caught:
        settings.load()
    assert {type(fault) for fault in caught.value.errors} == {FieldError}
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("SMTP_URL", "smtp://", "names no host; expected smtp://host:port"),
        ("SECRET_KEY", "k" * 31, "has 31 characters, expected 32 or more; `openssl rand -hex 32` makes them"),
        ("CORS_ORIGINS", "https://a.test,b.test", "'b.test' is no origin as browsers send it"),
        ("CORS_ORIGINS", "https://a.test/", "'https://a.test/' is no origin as browsers send it"),
        ("CORS_ORIGINS", "*", "'*' is no origin as browsers send it"),
        ("SMTP_URL", "smtp://ann:geheim@", "names no host; expected smtp://host:port"),
        ("BASE_URL", "https://:443", "names no host; expected https://host:port"),
        ("DATABASE_URL", "postgresql://ann:geheim@db:five/desk", "its port or its IPv6 address is none"),
        ("REDIS_URL", "redis://[::1/0", "its port or its IPv6 address is none"),
        ("MAIL_FROM", "nobody", "is no sender of mail"),
        ("MAIL_FROM", "SignalDesk <alerts>", "is no sender of mail"),
        ("HISTORY_URL", "bucket/folder", "expected a URL such as s3://"),
        ("HISTORY_URL", "s4://key:geheim@bucket", "expected a URL such as s3://"),
    ],
)
def test_what_no_role_could_begin_with_stops_the_start(
    name: str, value: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"SIGNALDESK_{name}", value)
    ((field, message),) = faults().items()
    assert field == f"SIGNALDESK_{name}" and message.startswith(complaint)
    assert "geheim" not in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_URL", "smtp+starttls://ann:p%40ss@mail.example.com:587"),
        ("BASE_URL", "http://[::1]:5006"),
        ("DATABASE_URL", "postgresql:///desk?host=/run/postgresql"),
        ("DATABASE_URL", "postgresql://ann@db-1:5432,db-2:5432/desk"),
        ("REDIS_URL", "unix:///run/valkey.sock?db=1"),
        ("MAIL_FROM", "alerts@example.com"),
        ("HISTORY_URL", "s3://key:secret@bucket/desk?region=eu-central-1"),
        ("HISTORY_URL", "/mnt/shared/history"),
    ],
)
def test_every_usual_way_to_name_a_place_is_taken(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"SIGNALDESK_{name}", value)
    assert settings.load().model_fields_set == {name.lower()}
