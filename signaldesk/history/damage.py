"""Files that are not what was written: how they are found, and set aside."""

from __future__ import annotations

from pathlib import Path

from signaldesk import log
from signaldesk.history.shelf import Damaged, Shelf
from signaldesk.store.history_book import HistoryBook, HistoryFile

logger = log.get_logger(__name__)


def verified(shelf: Shelf, file: HistoryFile) -> Path:
    """The file, which is what was written. Raises Damaged."""
    from signaldesk.history import files  # with Arrow, which the web role starts without

    path = shelf.local(file.path, file.bytes)
    if file.digest is not None and files.digest(path) != file.digest:
        raise Damaged(file.path, "is not what was written: its checksum is another one")
    return path


def set_aside(book: HistoryBook, error: Damaged) -> int:
    """Nobody reads the file any more, and everybody is told of it; 0 when that was so before."""
    if not book.set_aside(error.path, error.problem):
        return 0
    logger.error("history file set aside", path=error.path, problem=error.problem)
    return 1
