"""Where the files of history lie: a folder, or an object store with a folder in front of it.

A path is `org=…/date=…/name.parquet`, below the root. A file appears under its path whole or not at all, and
never changes afterwards; so a copy of an object that was fetched once is as good as the object.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from signaldesk.errors import SettingsError, SignalDeskError, Unavailable
from signaldesk.ids import new_id

if TYPE_CHECKING:
    import pyarrow.fs

_UNFINISHED = ".unfinished"
_FORGOTTEN = 86_400
"""Seconds after which a draft is nobody's; the file system's own clock tells its age."""


class Damaged(SignalDeskError):
    """A file is not what the books say that it is."""

    code, title = "damaged", "A file of history is damaged"

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class Shelf(Protocol):
    """Keeps files. Raises Unavailable when it cannot be reached."""

    root: str
    """For people: where it is."""
    near: bool
    """Whether reading costs nothing but time."""

    def draft(self) -> Path:
        """A new local path to write a file to."""
        ...

    def put(self, draft: Path, path: str) -> None:
        """Make a finished draft appear under its path, on disk for good; the draft is gone afterwards."""
        ...

    def local(self, path: str, size: int) -> Path:
        """The file on this machine. Raises Damaged when it is missing or not of this size."""
        ...

    def delete(self, paths: Iterable[str]) -> None:
        """Delete files; one that is not there is no error."""
        ...

    def tidy(self) -> None:
        """Delete drafts that nobody will finish any more: a day old."""
        ...

    def listing(self) -> Iterator[tuple[str, int]]:
        """Path and size of every file."""
        ...


def shelf(url: str | None, data_dir: Path) -> Shelf:
    """The shelf that `history_url` names; `history` in the data folder without one. Raises SettingsError."""
    if url is None:
        return Folder(data_dir / "history")
    import pyarrow as pa
    import pyarrow.fs

    try:
        system, root = pyarrow.fs.FileSystem.from_uri(url)
        if not root.strip("/"):
            raise ValueError(f"no bucket is named in {url!r}")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError, OSError) as error:
        raise SettingsError(
            f"SIGNALDESK_HISTORY_URL: {error}; expected a URL such as s3://bucket/folder?region=eu-central-1"
        ) from None
    if isinstance(system, pyarrow.fs.LocalFileSystem):
        return Folder(Path(root))
    return ObjectStore(system, root, cache=data_dir / "history-cache")


class Folder:
    """A folder of this machine, or one that all machines share."""

    near = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.root = str(folder)

    def draft(self) -> Path:
        return _draft(self._folder)

    def put(self, draft: Path, path: str) -> None:
        target = self._folder / path
        fresh = _missing_folders(target.parent, self._folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        _flush(draft)
        draft.replace(target)
        for folder in (target.parent, *fresh):
            _flush(folder)

    def local(self, path: str, size: int) -> Path:
        if not self._folder.is_dir():  # another machine's files must not be taken for damaged ones
            raise Unavailable(
                f"history is in {self._folder}, which is not here; share it, or use an object store"
            )
        return _checked(self._folder / path, path, size)

    def delete(self, paths: Iterable[str]) -> None:
        for path in paths:
            target = self._folder / path
            target.unlink(missing_ok=True)
            with suppress(OSError):  # other files are in it
                target.parent.rmdir()

    def tidy(self) -> None:
        _tidy(self._folder)

    def listing(self) -> Iterator[tuple[str, int]]:
        for found in _files(self._folder):
            yield found.relative_to(self._folder).as_posix(), found.stat().st_size


class ObjectStore:
    """A bucket; what is read from it is kept in a folder of this machine, the least used goes first."""

    near = False

    def __init__(
        self, system: pyarrow.fs.FileSystem, root: str, *, cache: Path, most_bytes: int = 20 << 30
    ) -> None:
        self._system = system
        self._base = root.rstrip("/")
        self._cache = cache
        self._most = most_bytes
        self.root = f"{system.type_name}://{self._base}"

    def draft(self) -> Path:
        return _draft(self._cache)

    def put(self, draft: Path, path: str) -> None:
        # An object appears when the upload is completed, and not before.
        with (
            _reached(),
            draft.open("rb") as source,
            self._system.open_output_stream(f"{self._base}/{path}") as sink,
        ):
            shutil.copyfileobj(source, sink, 1 << 20)
        self._keep(draft, path)

    def local(self, path: str, size: int) -> Path:
        kept = self._cache / path
        with suppress(OSError, Damaged):
            found = _checked(kept, path, size)
            os.utime(found)
            return found
        draft = self.draft()
        try:
            with (
                _reached(),
                self._system.open_input_stream(f"{self._base}/{path}") as source,
                draft.open("wb") as sink,
            ):
                shutil.copyfileobj(source, sink, 1 << 20)
        except FileNotFoundError:
            draft.unlink(missing_ok=True)
            raise Damaged(path, "is missing") from None
        if draft.stat().st_size != size:
            found_size = draft.stat().st_size
            draft.unlink()
            raise Damaged(path, f"has {found_size} bytes instead of {size}")
        self._make_room(size)
        return self._keep(draft, path)

    def delete(self, paths: Iterable[str]) -> None:
        for path in paths:
            (self._cache / path).unlink(missing_ok=True)
            with _reached(), suppress(FileNotFoundError):
                self._system.delete_file(f"{self._base}/{path}")

    def tidy(self) -> None:
        _tidy(self._cache)

    def listing(self) -> Iterator[tuple[str, int]]:
        import pyarrow.fs

        with _reached():
            found = self._system.get_file_info(
                pyarrow.fs.FileSelector(self._base, allow_not_found=True, recursive=True)
            )
        for one in found:
            if one.path.endswith(".parquet"):
                yield str(PurePosixPath(one.path).relative_to(self._base)), int(one.size)

    def _keep(self, draft: Path, path: str) -> Path:
        kept = self._cache / path
        kept.parent.mkdir(parents=True, exist_ok=True)
        draft.replace(kept)
        return kept

    def _make_room(self, size: int) -> None:
        """Delete what was used longest ago. Who still reads a deleted file has it open."""
        kept = sorted((one.stat().st_mtime, one.stat().st_size, one) for one in _files(self._cache))
        total = size + sum(one for _, one, _ in kept)
        for _, freed, one in kept:
            if total <= self._most:
                return
            one.unlink(missing_ok=True)
            total -= freed


@contextmanager
def _reached() -> Iterator[None]:
    """An object store that fails is unavailable, unless it says that there is nothing."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unavailable(f"the object store of history: {error}", retry_after=5) from error


def _draft(folder: Path) -> Path:
    (folder / _UNFINISHED).mkdir(parents=True, exist_ok=True)
    return folder / _UNFINISHED / f"{new_id()}.parquet"


def _files(folder: Path) -> Iterator[Path]:
    """All but the drafts."""
    return (one for one in folder.rglob("*.parquet") if _UNFINISHED not in one.parts)


def _tidy(folder: Path) -> None:
    for one in (folder / _UNFINISHED).glob("*.parquet"):
        if one.stat().st_mtime < time.time() - _FORGOTTEN:
            one.unlink(missing_ok=True)


def _checked(found: Path, path: str, size: int) -> Path:
    try:
        there = found.stat().st_size
    except FileNotFoundError:
        raise Damaged(path, "is missing") from None
    if there != size:
        raise Damaged(path, f"has {there} bytes instead of {size}")
    return found


def _missing_folders(folder: Path, root: Path) -> list[Path]:
    """The folders that hold those which will be made for `folder`."""
    parents = []
    while not folder.exists() and folder != root.parent:
        folder = folder.parent
        parents.append(folder)
    return [one for one in parents if one.exists() or one.is_relative_to(root)]


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
