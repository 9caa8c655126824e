"""Files of history that cannot be read, as whoever asked for what is in them is told of it."""

from __future__ import annotations

from collections.abc import Sequence

HEADER = "X-SignalDesk-Missing"
"""Has the paths of such files (the first of them), in the answer to a query."""
_SENT, _NAMED = 50, 5


def header(missing: Sequence[str]) -> str:
    """So many paths that it stays a header."""
    return ", ".join(missing[:_SENT])


def paths(header: str | None) -> list[str]:
    """The paths that a header has."""
    return header.split(", ") if header else []


def words(missing: Sequence[str]) -> str:
    """The same sentence for every result."""
    files = "1 damaged file" if len(missing) == 1 else f"{len(missing)} damaged files"
    named = ", ".join(missing[:_NAMED]) + (", …" if len(missing) > _NAMED else "")
    return (
        f"the events of {files} of history are not among these: {named}; "
        "`signaldesk history status` says more"
    )
