"""What a process is told when it is started: by the command line, or by `up` as a line of JSON."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from signaldesk import settings as settings_module
from signaldesk.settings import Settings, Urls


@dataclass(frozen=True)
class Assignment:
    """Settings and servers; `up` adds how its processes are tied together.

    `listeners` are sockets that listen already, `handover` is the Unix socket at which ingest gives
    connections to web, and `migrated` says that nobody needs to look at the schema again.
    """

    settings: Settings
    urls: Urls
    handover: Path | None = None
    listeners: tuple[socket.socket, ...] = field(default=())
    migrated: bool = False


def encode(overrides: Mapping[str, Any], urls: Urls, handover: Path) -> bytes:
    """One line for the processes of `up`.

    It goes through a pipe and not through the environment or the arguments, where others could read the
    URLs. `overrides` are settings that win over the environment.
    """
    told = {
        "settings": dict(overrides),
        "database": urls.database,
        "redis": urls.redis,
        "handover": str(handover),
    }
    return json.dumps(told, default=str).encode() + b"\n"


def decode(line: bytes, listeners: Sequence[int]) -> Assignment:
    """The assignment in a line; takes possession of the listeners, which are file descriptors."""
    told = json.loads(line)
    return Assignment(
        settings=settings_module.load(**told["settings"]),
        urls=Urls(told["database"], told["redis"]),
        handover=Path(told["handover"]),
        listeners=tuple(socket.socket(fileno=number) for number in listeners),
        migrated=True,
    )
