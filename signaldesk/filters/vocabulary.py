"""The words and signs of the filter language, and what to write instead of those it does not have."""

from __future__ import annotations

from sqlglot import TokenType

from signaldesk.filters import words

KEYWORDS: dict[str, TokenType] = {word: TokenType[word] for word in words.KEYWORDS}

OPERATORS: dict[str, TokenType] = {
    "=": TokenType.EQ,
    "==": TokenType.EQ,
    "<>": TokenType.NEQ,
    "!=": TokenType.NEQ,
    "<": TokenType.LT,
    "<=": TokenType.LTE,
    ">": TokenType.GT,
    ">=": TokenType.GTE,
}

PUNCTUATION: dict[str, TokenType] = {
    "(": TokenType.L_PAREN,
    ")": TokenType.R_PAREN,
    "[": TokenType.L_BRACKET,
    "]": TokenType.R_BRACKET,
    ",": TokenType.COMMA,
    ".": TokenType.DOT,
    "-": TokenType.DASH,
    "+": TokenType.PLUS,
    "*": TokenType.STAR,
    "/": TokenType.SLASH,
    "%": TokenType.MOD,
}

ALLOWED_TOKENS = frozenset(
    {
        *KEYWORDS.values(),
        *OPERATORS.values(),
        *PUNCTUATION.values(),
        TokenType.VAR,
        TokenType.IDENTIFIER,
        TokenType.STRING,
        TokenType.NUMBER,
    }
)

ALLOWED = (
    "a filter is made of = <> < <= > >=, AND, OR, NOT, IN, BETWEEN, LIKE, ILIKE, IS NULL, IS TRUE, "
    "+ - * / %, functions such as lower(…), parentheses, fields, numbers, 'text', TRUE and FALSE"
)

COMPARISONS = frozenset(OPERATORS.values())
OPERAND_ENDS = frozenset(
    {
        TokenType.VAR,
        TokenType.IDENTIFIER,
        TokenType.STRING,
        TokenType.NUMBER,
        TokenType.TRUE,
        TokenType.FALSE,
        TokenType.NULL,
        TokenType.R_PAREN,
        TokenType.R_BRACKET,
    }
)
"""What a value or a condition can end with."""

NAMES = frozenset({TokenType.VAR, TokenType.IDENTIFIER})

_NO_PLACEHOLDER = "write the value itself"

FOREIGN_SIGNS: dict[str, str] = {
    ";": "a filter is one condition, not a list of statements",
    "//": "write a / b",
    "**": "write a * a",
    "::": "values are not cast: a number compares with numbers only, text with text only",
    ":": "write a path with dots, as in user.plan",
    "->": "write a path with dots, as in user.plan",
    "->>": "write a path with dots, as in user.plan",
    "=>": "did you mean >=?",
    "=<": "did you mean <=?",
    "=!": "did you mean !=?",
    "===": "did you mean =?",
    "<=>": "compare with = and IS NULL",
    "||": "write OR between conditions",
    "|": "write OR between conditions",
    "&&": "write AND between conditions",
    "&": "write AND between conditions",
    "!": "write NOT before a condition, and <> or != between values",
    "~": "write regexp_matches(field, 'pattern')",
    "`": 'put an unusual field name in double quotes: "field name"',
    "#": "comments are not part of a filter",
    "^": "there are + - * / and %",
    "?": _NO_PLACEHOLDER,
    "@": _NO_PLACEHOLDER,
    "$": _NO_PLACEHOLDER,
    "{": "write a list as IN (1, 2, 3)",
    "}": "write a list as IN (1, 2, 3)",
    "\\": "nothing is escaped with a backslash: a quote inside text is doubled, as in 'it''s'",
}
"""Signs that end a word but have no meaning here, each with what to write instead."""

FOREIGN_WORDS: dict[str, str] = {
    **dict.fromkeys(("SELECT", "FROM", "WHERE", "WITH", "UNION", "EXISTS", "ALL", "ANY"), "no subqueries"),
    **dict.fromkeys(("CASE", "WHEN", "THEN", "ELSE", "END", "IF"), "join conditions with AND and OR"),
    **dict.fromkeys(("CAST", "AS"), "values are not cast: a number compares with numbers only"),
    **dict.fromkeys(("DATE", "TIMESTAMP", "TIMESTAMPTZ", "INTERVAL"), "write a moment as plain text"),
    **dict.fromkeys(("INSERT", "UPDATE", "DELETE", "DROP", "CREATE", "ALTER"), "a filter only looks"),
    "DISTINCT": "compare with = and IS NULL",
    "COLLATE": "text compares by code point",
    "SIMILAR": "write LIKE 'pattern%'",
    "REGEXP": "write regexp_matches(field, 'pattern')",
    "RLIKE": "write regexp_matches(field, 'pattern')",
    "GLOB": "write LIKE 'pattern%'",
    "ISNULL": "write IS NULL",
    "NOTNULL": "write IS NOT NULL",
}
"""Words of SQL that begin something a filter does not have. Alone, each is an ordinary field name."""
