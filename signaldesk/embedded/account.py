"""Who runs a server: ourselves, or, when we are root, an account that is not.

PostgreSQL refuses to run as root and Valkey should not. The account is the owner of the data if there is
any, else `nobody`, which every system has; no account is made and no folder of anybody else is touched.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from stat import S_IXGRP, S_IXOTH, S_IXUSR

from signaldesk.errors import EmbeddedError


@dataclass(frozen=True)
class Account:
    """A user of this machine; `other` says that it is not the one we run as."""

    name: str
    uid: int
    gid: int
    other: bool

    @property
    def identity(self) -> tuple[int, int] | None:
        """User and group to change to, or None when there is nothing to change."""
        return (self.uid, self.gid) if self.other else None

    def can_enter(self, folder: Path) -> bool:
        """Whether this user may walk from / into the folder, as far as the mode bits tell."""
        return all(self._may_search(place) for place in (folder, *folder.parents))

    def _may_search(self, folder: Path) -> bool:
        found = folder.stat()
        if self.uid in (0, found.st_uid):
            return self.uid == 0 or bool(found.st_mode & S_IXUSR)
        return bool(found.st_mode & (S_IXGRP if found.st_gid == self.gid else S_IXOTH))


def account_for(home: Path) -> Account:
    """The account that runs the server whose data is, or will be, in `home`.

    Raises EmbeddedError when that user has no name on this machine, or the data is somebody else's.
    """
    owner = home.stat().st_uid if home.exists() else None
    me = os.geteuid()
    if me == 0:
        return _by_uid(owner, other=True) if owner else _nobody()
    if owner not in (None, me):
        raise EmbeddedError(
            f"the data in {home} belongs to user {owner} and not to you; "
            "run as that user, or choose another folder with SIGNALDESK_DATA_DIR"
        )
    return _by_uid(me, other=False)


def give(folder: Path, account: Account) -> None:
    """Make the account the owner of a folder of ours and all that is in it; follows no link."""
    if not account.other or folder.stat().st_uid == account.uid:
        return
    for place, folders, files in os.walk(folder, topdown=False):
        for name in (*folders, *files):
            os.lchown(Path(place, name), account.uid, account.gid)
    os.lchown(folder, account.uid, account.gid)


def _by_uid(uid: int, *, other: bool) -> Account:
    try:
        found = pwd.getpwuid(uid)
    except KeyError:
        raise EmbeddedError(
            f"user {uid} has no name on this machine, which a bundled server needs; add it to /etc/passwd, "
            "or set SIGNALDESK_DATABASE_URL and SIGNALDESK_REDIS_URL to servers of your own"
        ) from None
    return Account(found.pw_name, found.pw_uid, found.pw_gid, other)


def _nobody() -> Account:
    try:
        found = pwd.getpwnam("nobody")
    except KeyError:
        raise EmbeddedError(
            "we run as root, a bundled server must not, and this machine has no user `nobody`; "
            "run SignalDesk as an ordinary user"
        ) from None
    return Account(found.pw_name, found.pw_uid, found.pw_gid, other=True)
