"""Tokens to sqlglot's expression: SQL's precedence, none of SQL's statements, functions or types.

The parser is sqlglot's, cut down to a condition, and made strict where it is lenient. It stays a *reader*:
whatever it returns is checked node by node in `build.py` before anything relies on it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeVar

from sqlglot import Token, TokenType, exp
from sqlglot.errors import ParseError
from sqlglot.parser import IsPredicatePrecedence, Parser

from signaldesk.filters.faults import InvalidFilter, did_you_mean
from signaldesk.filters.scan import scan
from signaldesk.filters.vocabulary import ALLOWED, FOREIGN_WORDS, KEYWORDS, OPERAND_ENDS

T = TypeVar("T")


class _FilterParser(Parser):
    FUNCTIONS = {}  # noqa: RUF012 - a call of any function stays `Anonymous`, for build.py to judge by name
    FUNCTION_PARSERS = {"EXTRACT": lambda self: self.parse_extract()}  # noqa: RUF012
    NO_PAREN_FUNCTIONS = {}  # noqa: RUF012
    NO_PAREN_FUNCTION_PARSERS = {}  # noqa: RUF012
    IS_PREDICATE_PRECEDENCE = IsPredicatePrecedence.LOW  # as in DuckDB: a = 1 IS TRUE is (a = 1) IS TRUE
    PRIMARY_PARSERS = {  # noqa: RUF012 - as inherited, but these know their positions
        **Parser.PRIMARY_PARSERS,
        TokenType.NULL: lambda self, token: self.expression(exp.Null(), token),
        TokenType.TRUE: lambda self, token: self.expression(exp.Boolean(this=True), token),
        TokenType.FALSE: lambda self, token: self.expression(exp.Boolean(this=False), token),
    }

    def raise_error(self, message: str, token: Token | None = None) -> NoReturn:
        raise _unexpected(self.sql, self._curr if token is None or _is_end(token) else token, self._prev)

    def parse_extract(self) -> exp.Anonymous:
        """`extract(hour FROM timestamp)`, as the call `hour(timestamp)`."""
        part = self._curr
        if not self._match(TokenType.VAR) or not self._match_text_seq("FROM"):
            self.raise_error("Expected a part and FROM")
        call = exp.Anonymous(this=part.text, expressions=[self._parse_bitwise()]).update_positions(part)
        if not self._match(TokenType.R_PAREN, advance=False):
            self.raise_error("Expected )")
        return call

    def _parse_between(self, this: exp.Expr | None) -> exp.Between:
        low = self._parse_bitwise()
        if not self._match(TokenType.AND):  # sqlglot takes `BETWEEN 1 2` too
            self.raise_error("Expected AND")
        return self.expression(exp.Between(this=this, low=low, high=self._parse_bitwise()))

    def _parse_csv(self, parse_method: Callable[[], T | None], sep: TokenType = TokenType.COMMA) -> list[T]:
        first = parse_method()
        items = [] if first is None else [first]
        while self._match(sep):
            item = parse_method()
            if item is None:  # sqlglot takes `(1,)` too
                self.raise_error("Expected a value")
            items.append(item)
        return items


def read(text: str) -> exp.Expr:
    """The sqlglot expression of a filter. Raises InvalidFilter."""
    tokens = scan(text)
    try:
        expression = _FilterParser().parse_into(exp.Condition, tokens, text)[0]
    except RecursionError as error:
        raise InvalidFilter("the filter is nested too deeply", position=0) from error
    except ParseError as error:
        raise InvalidFilter("the filter cannot be read", position=0, suggestion=ALLOWED) from error
    if expression is None:
        raise InvalidFilter("the filter says nothing", position=0, suggestion=ALLOWED)
    return expression


def fault(node: exp.Expr, message: str, suggestion: str | None = None) -> InvalidFilter:
    """The error for something wrong with a node, at the first character of its first word."""
    starts = (part.meta.get("start") for part in node.walk())
    position = min((start for start in starts if start is not None), default=0)
    return InvalidFilter(message, position=position, suggestion=suggestion)


def _is_end(token: Token) -> bool:
    """Whether a token is only the parser's mark for "no more tokens"."""
    return token.token_type is TokenType.SENTINEL


def _unexpected(text: str, token: Token, before: Token) -> InvalidFilter:
    """The error for a token that cannot stand where it stands, or for the end of the text."""
    for suspect in (before, token):
        if suspect.token_type is TokenType.VAR and (mend := FOREIGN_WORDS.get(suspect.text.upper())):
            return InvalidFilter(
                f"`{suspect.text}` is not part of a filter", position=suspect.start, suggestion=mend
            )
    if _is_end(token):
        return InvalidFilter(
            "the filter ends too early: a value or a condition is missing",
            position=len(text.rstrip()),
            suggestion=ALLOWED,
        )
    return InvalidFilter(
        f"`{_shown(token)}` cannot stand here", position=token.start, suggestion=_mend(token, before)
    )


def _mend(token: Token, before: Token) -> str:
    for word in (token, before):
        if word.token_type is TokenType.VAR and (near := did_you_mean(word.text, KEYWORDS)):
            return near
    if before.token_type in OPERAND_ENDS and token.token_type in OPERAND_ENDS:
        return "an operator such as = or AND is missing before it"
    return ALLOWED


def _shown(token: Token) -> str:
    quote = {TokenType.STRING: "'", TokenType.IDENTIFIER: '"'}.get(token.token_type, "")
    shown = f"{quote}{token.text}{quote}"
    return shown if len(shown) <= 40 else f"{shown[:39]}…"
