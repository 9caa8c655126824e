"""Event types as rules name them: as they are, or with `*` for anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import translate
from re import Pattern, compile


def matcher(types: Sequence[str]) -> Callable[[str], bool]:
    """Whether a type is one of these; in them only `*` is special."""
    plain = frozenset(type_ for type_ in types if "*" not in type_)
    patterns = [_pattern(type_) for type_ in types if "*" in type_]
    if not patterns:
        return plain.__contains__
    return lambda type_: type_ in plain or any(pattern.match(type_) is not None for pattern in patterns)


def like(pattern: str) -> str:
    r"""A type with `*` for anything as a LIKE pattern of SQL, whose escape is \."""
    return pattern.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_").replace("*", "%")


def _pattern(type_: str) -> Pattern[str]:
    return compile(translate(type_.replace("[", "[[]").replace("?", "[?]")))
