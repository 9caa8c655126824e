"""Upper and lower case as DuckDB has it: code point by code point, one for one, in no language.

`İ` gives `i`, every sigma gives `σ`, `ß` gives `ẞ`. Python's own methods know words and endings (`ß` gives
`SS`), and each Python its own Unicode; here all agree, which a test asks of every code point.
"""

from __future__ import annotations

# Capital letters of Unicode 16, which Python 3.14 knows and neither older Pythons nor DuckDB do.
_TOO_NEW = frozenset(map(chr, (0xA7CB, 0xA7CC, 0xA7DA, 0xA7DC, *range(0x10D50, 0x10D66))))


def lower(text: str) -> str:
    """Lower case; as many code points as before."""
    return text.lower() if text.isascii() else "".join(map(_lower_one, text))


def upper(text: str) -> str:
    """Upper case; as many code points as before."""
    return text.upper() if text.isascii() else "".join(map(_upper_one, text))


def _lower_one(character: str) -> str:
    return character if character in _TOO_NEW else character.lower()[0]


def _upper_one(character: str) -> str:
    if character == "ß":
        return "ẞ"
    for raised in (character.upper(), character.title()):
        if len(raised) == 1:
            return character if raised in _TOO_NEW else raised
    return character
