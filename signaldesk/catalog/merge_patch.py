"""JSON Merge Patch (RFC 7396): what is to be different in a document."""

from __future__ import annotations

from typing import Any


def merged(value: Any, patch: Any) -> Any:
    """The value with the patch in it: objects are merged, null takes a field away, all else replaces it."""
    if not isinstance(patch, dict):
        return patch
    found = dict(value) if isinstance(value, dict) else {}
    for name, part in patch.items():
        if part is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), part)
    return found
