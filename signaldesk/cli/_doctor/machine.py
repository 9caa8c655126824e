"""This machine and the settings: versions, disk, secret key, address, mail."""

from __future__ import annotations

import platform
import resource
import shutil
import stat
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from signaldesk.cli._doctor.finding import Finding, failed, ok, warning
from signaldesk.settings import Settings

DISK_LOW, DISK_FULL = 2 << 30, 200 << 20
"""Bytes free on the disk of the data folder."""
FILES_LOW = 1024
"""Files one process may have open, connections among them."""


def check(settings: Settings) -> Iterator[Finding]:
    yield ok("versions", f"SignalDesk {version('signaldesk')}, Python {platform.python_version()}")
    yield _disk(settings.data_dir)
    yield _open_files()
    yield _secret_key(settings)
    yield _address(settings)
    yield _mail(settings)


def _disk(folder: Path) -> Finding:
    place = next(one for one in (folder, *folder.parents) if one.exists())
    free = shutil.disk_usage(place).free
    found = f"{free / (1 << 30):.1f} GiB free at {folder}"
    if free < DISK_FULL:
        return failed(
            "disk", found, "make room: Postgres and Valkey stop taking events when the disk is full"
        )
    if free < DISK_LOW:
        return warning("disk", found, "make room, or move the data with SIGNALDESK_DATA_DIR")
    return ok("disk", found)


def _open_files() -> Finding:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < FILES_LOW:
        return warning(
            "open files", f"at most {most}", "raise it (ulimit -n 65536): each connection needs one"
        )
    return ok("open files", "no limit" if most == resource.RLIM_INFINITY else f"at most {most}")


def _secret_key(settings: Settings) -> Finding:
    if settings.secret_key is not None:
        return ok("secret key", "from the settings")
    file = settings.data_dir / "secret.key"
    try:
        found = file.stat()
    except FileNotFoundError:
        return ok("secret key", f"will be made in {file}")
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return failed("secret key", f"others may read {file}", f"chmod 600 {file}")
    if settings.database_url is not None:
        mend = "with web on several machines, give all the same SIGNALDESK_SECRET_KEY"
        return warning("secret key", f"kept in {file}, on this machine only", mend)
    return ok("secret key", f"kept in {file}")


def _address(settings: Settings) -> Finding:
    local = any(name in settings.base_url for name in ("//localhost", "//127.0.0.1", "//[::1]"))
    open_to_others = settings.host not in ("127.0.0.1", "::1", "localhost")
    if settings.base_url.startswith("https://") or (local and not open_to_others):
        return ok("address", settings.base_url)
    if local:
        mend = "set SIGNALDESK_BASE_URL to what people type, or links and log-ins will not work for them"
        return warning("address", f"listens on {settings.host}, and calls itself {settings.base_url}", mend)
    mend = "put a proxy with TLS in front and set SIGNALDESK_BASE_URL to https://…"
    return warning("address", f"{settings.base_url} is not encrypted, passwords neither", mend)


def _mail(settings: Settings) -> Finding:
    if settings.smtp_url is not None or settings.resend_api_key is not None:
        return ok("mail", f"sent as {settings.mail_from}")
    return warning("mail", "no way to send mail", "set SIGNALDESK_SMTP_URL or SIGNALDESK_RESEND_API_KEY")
