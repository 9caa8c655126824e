"""What a process is told when it is started: by the command line, or by `up` as a line of JSON."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from signaldesk import settings as settings_module
from signaldesk.desk import Urls
from signaldesk.settings import Settings


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


def encode(
    overrides: Mapping[str, Any], urls: Urls, *, handover: Path, listeners: Sequence[int] = ()
) -> bytes:
    """One line for a child of `up`, which has inherited the listeners: their descriptors.

    It goes through a pipe and not through the environment or the arguments, where others could read the
    URLs. `overrides` are settings that win over the child's environment.
    """
    told = {
        "settings": dict(overrides),
        "database": urls.database,
        "redis": urls.redis,
        "handover": str(handover),
        "listeners": list(listeners),
    }
    return json.dumps(told, default=str).encode() + b"\n"


def decode(line: bytes) -> Assignment:
    """The assignment in a line; takes possession of the listeners."""
    told = json.loads(line)
    return Assignment(
        settings=settings_module.load(**told["settings"]),
        urls=Urls(told["database"], told["redis"]),
        handover=Path(told["handover"]),
        listeners=tuple(socket.socket(fileno=number) for number in told["listeners"]),
        migrated=True,
    )
