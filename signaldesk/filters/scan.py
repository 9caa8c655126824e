"""Text to tokens; everything that can be refused by looking at the text alone is refused here, at its place.

What passes is short, shallow and made of allowed tokens only, so that the parser behind it needs bounded
time and stack for any input.
"""

from __future__ import annotations

import re
import unicodedata

from sqlglot import Token, Tokenizer, TokenType
from sqlglot.errors import TokenError

from signaldesk.filters.faults import InvalidFilter
from signaldesk.filters.order import check_nesting, check_order
from signaldesk.filters.vocabulary import (
    ALLOWED,
    ALLOWED_TOKENS,
    FOREIGN_SIGNS,
    KEYWORDS,
    OPERATORS,
    PUNCTUATION,
)

MAX_CHARACTERS = 4_000

_BARE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_PIECE = re.compile(
    r"""(?P<quoted> '(?:[^']|'')*+' | "(?:[^"]|"")*+" )
      | (?P<quote> ['"] )
      | (?P<comment> -- | /\* | \{\# )
      | [^'"\-/{]++ | .""",
    re.VERBOSE | re.DOTALL,
)


class _FilterTokenizer(Tokenizer):
    """SQL's lexical rules with this language's words; a foreign sign is a token, to be named in the error."""

    SINGLE_TOKENS = {  # noqa: RUF012
        **{sign: TokenType.UNKNOWN for sign in FOREIGN_SIGNS if len(sign) == 1},
        **{sign: kind for sign, kind in OPERATORS.items() if len(sign) == 1},
        **PUNCTUATION,
        "'": TokenType.UNKNOWN,
        '"': TokenType.UNKNOWN,
    }
    KEYWORDS = {  # noqa: RUF012
        **KEYWORDS,
        **{sign: TokenType.UNKNOWN for sign in FOREIGN_SIGNS if len(sign) > 1},
        **{sign: kind for sign, kind in OPERATORS.items() if len(sign) > 1},
    }


def scan(text: str) -> list[Token]:
    """The tokens of a filter, at least one. Raises InvalidFilter."""
    if len(text) > MAX_CHARACTERS:
        raise InvalidFilter(
            f"the filter has {len(text):,} characters; at most {MAX_CHARACTERS:,} are allowed",
            position=MAX_CHARACTERS,
            suggestion="write many alternatives as field IN (…), or make several rules",
        )
    _check_characters(text)
    try:
        tokens = _FilterTokenizer().tokenize(text)
    except TokenError as error:
        raise InvalidFilter("the filter cannot be read", position=0, suggestion=ALLOWED) from error
    if not tokens:
        raise InvalidFilter("the filter is empty", position=0, suggestion="leave it out to match every event")
    for token in tokens:
        _check_token(token)
    check_nesting(tokens)
    check_order(tokens)
    return tokens


def _check_characters(text: str) -> None:
    if found := _FORBIDDEN.search(text):
        raise InvalidFilter(
            f"the character U+{ord(found[0]):04X} cannot be part of a filter", position=found.start()
        )
    for piece in _PIECE.finditer(text):
        if piece["quote"]:
            raise InvalidFilter(
                f"the quote {piece['quote']} is never closed",
                position=piece.start(),
                suggestion="write text as 'it''s', and an unusual field name as \"field name\"",
            )
        if piece["comment"]:
            raise InvalidFilter("comments are not part of a filter", position=piece.start())


def _check_token(token: Token) -> None:
    if token.token_type is TokenType.VAR and not _BARE_NAME.fullmatch(token.text):
        raise _bad_name(token)
    if token.token_type not in ALLOWED_TOKENS:
        raise InvalidFilter(
            f"`{token.text}` is not part of a filter",
            position=token.start,
            suggestion=FOREIGN_SIGNS.get(token.text, ALLOWED),
        )


def _bad_name(token: Token) -> InvalidFilter:
    start = _BARE_NAME.match(token.text)
    offset = start.end() if start else 0
    character = token.text[offset]
    if character in "‘’‚‛“”„":
        suggestion = "use the straight quotes: 'text' and \"field name\""
    else:
        suggestion = f'put the field name in double quotes: "{token.text}"'
    name = unicodedata.name(character, "unnamed").lower()
    return InvalidFilter(
        f"`{character}` (U+{ord(character):04X}, {name}) cannot be part of a name without quotes",
        position=token.start + offset,
        suggestion=suggestion,
    )
