"""Which token may follow which, and how deep they may nest.

The parser would notice most of this too, but later, and then it no longer knows where the fault began.
"""

from __future__ import annotations

from itertools import pairwise

from sqlglot import Token, TokenType

from signaldesk.filters.faults import InvalidFilter
from signaldesk.filters.vocabulary import ALLOWED, COMPARISONS, KEYWORDS, NAMES, OPERAND_ENDS

MAX_DEPTH = 20
"""Parentheses, brackets and NOTs inside one another; each costs the parser about twenty frames of stack."""

MAX_PATH = 20
"""Keys and list positions in one path."""

_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET})
_CLOSING = {TokenType.R_PAREN: TokenType.L_PAREN, TokenType.R_BRACKET: TokenType.L_BRACKET}
_PREFIX = frozenset({TokenType.NOT, TokenType.DASH})
_PATH = frozenset({*NAMES, TokenType.DOT, TokenType.L_BRACKET, TokenType.R_BRACKET})
_SUBSCRIPTS = frozenset({TokenType.STRING, TokenType.NUMBER})
_NEGATABLE = frozenset({TokenType.IN, TokenType.LIKE, TokenType.ILIKE, TokenType.BETWEEN})
_INFIX = frozenset(
    {
        *COMPARISONS,
        *_NEGATABLE,
        *(TokenType.PLUS, TokenType.STAR, TokenType.SLASH, TokenType.MOD),
        *(TokenType.AND, TokenType.OR, TokenType.IS, TokenType.ESCAPE, TokenType.COMMA),
    }
)


def check_order(tokens: list[Token]) -> None:
    """An infix follows a value, and a dot stands between names."""
    if tokens[0].token_type in _INFIX or tokens[0].token_type is TokenType.DOT:
        raise _misplaced(tokens[0])
    for before, token in pairwise(tokens):
        kind, kind_before = token.token_type, before.token_type
        negated = kind in _NEGATABLE and kind_before is TokenType.NOT
        if kind in _INFIX and kind_before not in OPERAND_ENDS and not negated:
            raise _misplaced(token)
        if kind is TokenType.DOT and kind_before not in NAMES and kind_before is not TokenType.R_BRACKET:
            raise _misplaced(token)
        if kind_before is TokenType.DOT and kind not in NAMES:
            raise _misplaced(token)


def check_nesting(tokens: list[Token]) -> None:
    """Every bracket is closed, and neither brackets and prefixes nor paths go too deep."""
    open_tokens: list[tuple[Token, int]] = []
    depth = prefixes = path = 0
    for token in tokens:
        kind = token.token_type
        if kind in _PREFIX:
            prefixes += 1
        elif kind in _OPENING:
            open_tokens.append((token, depth))
            depth, prefixes = depth + prefixes + 1, 0
        else:
            prefixes = 0
            if kind in _CLOSING:
                if not open_tokens or open_tokens[-1][0].token_type is not _CLOSING[kind]:
                    raise InvalidFilter(f"`{token.text}` closes nothing", position=token.start)
                _, depth = open_tokens.pop()
        if depth + prefixes > MAX_DEPTH:
            raise InvalidFilter(
                f"conditions are nested more than {MAX_DEPTH} deep here",
                position=token.start,
                suggestion="leave out parentheses that change nothing",
            )
        if kind in {TokenType.DOT, TokenType.L_BRACKET}:
            path += 1
        elif kind not in _PATH and kind not in _SUBSCRIPTS:
            path = 0
        if path >= MAX_PATH:
            raise InvalidFilter(f"a path has at most {MAX_PATH} parts", position=token.start)
    if open_tokens:
        token, _ = open_tokens[-1]
        raise InvalidFilter(f"`{token.text}` is never closed", position=token.start)


def _misplaced(token: Token) -> InvalidFilter:
    if token.token_type is TokenType.DOT or token.token_type is TokenType.NUMBER:
        suggestion = "a path is written user.plan, a number 0.5"
    elif token.text.upper() in KEYWORDS:
        suggestion = f'something is missing before it; a field of this name is written "{token.text}"'
    else:
        suggestion = ALLOWED
    return InvalidFilter(f"`{token.text}` cannot stand here", position=token.start, suggestion=suggestion)
