"""Where the sockets of bundled servers live: short private folders, because a path has 107 bytes at most.

The data folder itself will not do: it may be deep, on a network or below a folder that the server's account
cannot enter.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path

from signaldesk.embedded.account import Account
from signaldesk.errors import EmbeddedError

LONGEST = 107 if sys.platform == "linux" else 103
"""Bytes in the path of a unix socket."""
PREFIX = "signaldesk-"
_RANDOM = "12345678"


def folder(account: Account, socket_name: str, *, previous: Path | None = None) -> Path:
    """A folder with mode 0700 owned by the account, in which the path of `socket_name` is short enough.

    `previous` is taken again if nobody else has it now, so that a URL outlives a restart. Raises
    EmbeddedError when no folder for temporary files will do.
    """
    if previous is not None and _fits(previous / socket_name) and _take(previous, account):
        return previous
    for base in _bases():
        if _fits(base / (PREFIX + _RANDOM) / socket_name) and account.can_enter(base):
            made = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
            if account.other:
                os.chown(made, account.uid, account.gid)
            return made
    raise EmbeddedError(
        f"no folder for sockets: {', '.join(map(str, _bases()))} are too long or closed to {account.name}; "
        "set TMPDIR to a short folder that everybody may enter"
    )


def _bases() -> list[Path]:
    return [place for place in map(Path, (tempfile.gettempdir(), "/tmp", "/var/tmp")) if place.is_dir()]  # noqa: S108


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= LONGEST


def _take(previous: Path, account: Account) -> bool:
    """Make the folder again, or see that it still is ours and private; never follow a link."""
    try:
        previous.mkdir(mode=0o700)
        if account.other:
            os.chown(previous, account.uid, account.gid)
    except FileExistsError:
        found = previous.lstat()
        return (found.st_uid, found.st_mode) == (account.uid, stat.S_IFDIR | 0o700)
    except OSError:
        return False
    return True
