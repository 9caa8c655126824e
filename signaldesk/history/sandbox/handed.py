"""Files that were handed to a process as open descriptors, and have no name in any folder.

DuckDB reads them through this file system and no other, so it needs no right to open anything: file N is
`handed://N.parquet` (or `.csv`; the ending is for the reader's eyes).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fsspec import AbstractFileSystem

from signaldesk.history.sandbox.wire import PROTOCOL

_NUMBER = re.compile(r"(?:handed://)?(\d{1,6})\.\w+")
_NEVER = datetime(2000, 1, 1, tzinfo=UTC)
"""When they were changed: DuckDB asks, and they are not."""


class HandedFiles(AbstractFileSystem):  # type: ignore[misc]
    """Reads only, and only these descriptors."""

    protocol = PROTOCOL

    def __init__(self, descriptors: Sequence[int]) -> None:
        super().__init__(skip_instance_cache=True)
        self._descriptors = descriptors

    def _open(self, path: str, mode: str = "rb", **_: Any) -> _Reading:
        if mode != "rb":
            raise PermissionError(f"{path} can be read only")
        return _Reading(self._descriptor(path))

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        return {"name": path, "size": os.fstat(self._descriptor(path)).st_size, "type": "file"}

    def exists(self, path: str, **_: Any) -> bool:
        try:
            return self._descriptor(path) >= 0
        except FileNotFoundError:
            return False

    def glob(self, path: str, **_: Any) -> list[str]:
        return [path] if self.exists(path) else []

    def created(self, path: str) -> datetime:
        return _NEVER

    def modified(self, path: str) -> datetime:
        return _NEVER

    def _descriptor(self, path: str) -> int:
        """Raises FileNotFoundError."""
        found = _NUMBER.fullmatch(path)
        if found is None or int(found[1]) >= len(self._descriptors):
            raise FileNotFoundError(path)
        return self._descriptors[int(found[1])]


class _Reading:
    """A place in a file; several threads may read one file, each at its own place."""

    closed = False

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._place = 0
        self.size = os.fstat(descriptor).st_size

    def read(self, count: int = -1) -> bytes:
        data = os.pread(self._descriptor, self.size - self._place if count < 0 else count, self._place)
        self._place += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.size}[whence]
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def close(self) -> None:
        """Its descriptor stays open, for others."""
