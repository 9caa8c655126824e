"""The operators and functions of filters: what each takes, what it gives, and how both sides say it.

All of them are strict: NULL when an argument is NULL or of another kind. `python` and `sql` are templates of
the argument expressions; the Python ones may use the names of `python_values.HELPERS`. Arithmetic is written
in `python_values.py` and `duckdb_values.py`, which keep it exact and finite.

To add a function, add its line here and a row to `docs/filters.md`; the tests compare both sides by
themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

from signaldesk.filters.tree import Kind

NUMBER, TEXT, BOOLEAN = Kind.NUMBER, Kind.TEXT, Kind.BOOLEAN

ARITHMETIC = ("+", "-", "*", "/", "%")
"""64-bit floats; NULL for a division by zero and for a result that no float can hold."""

REGEX = "regexp_matches"
"""Its second argument is a constant, compiled when the filter is saved."""

COALESCE = "coalesce"

MAX_ALTERNATIVES = 10
"""Arguments of one coalesce."""


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    arguments: tuple[Kind, ...]
    result: Kind
    python: str = ""
    sql: str = ""
    example: str = ""


_ALL = (
    *(Function(sign, (NUMBER, NUMBER), NUMBER) for sign in ARITHMETIC),
    Function("lower", (TEXT,), TEXT, "lower({0})", "lower({0})", "lower(country)"),
    Function("upper", (TEXT,), TEXT, "upper({0})", "upper({0})", "upper(country)"),
    Function("length", (TEXT,), NUMBER, "len({0})", "CAST(length({0}) AS DOUBLE)", "length(name)"),
    Function(
        "starts_with",
        (TEXT, TEXT),
        BOOLEAN,
        "{0}.startswith({1})",
        "starts_with({0}, {1})",
        "starts_with(path, '/api/')",
    ),
    Function(
        "ends_with",
        (TEXT, TEXT),
        BOOLEAN,
        "{0}.endswith({1})",
        "ends_with({0}, {1})",
        "ends_with(email, '.de')",
    ),
    Function("contains", (TEXT, TEXT), BOOLEAN, "({1} in {0})", "contains({0}, {1})", "contains(path, 'x')"),
    Function(
        REGEX,
        (TEXT, TEXT),
        BOOLEAN,
        "bool({1}({0}))",
        "regexp_matches({0}, {1})",
        "regexp_matches(path, '^/v[0-9]+/')",
    ),
)
FUNCTIONS = {function.name: function for function in _ALL}

PARTS: dict[str, tuple[str, str]] = {
    "year": ("date({0} // DAY).year", "year({0})"),
    "quarter": ("(date({0} // DAY).month + 2) // 3", "quarter({0})"),
    "month": ("date({0} // DAY).month", "month({0})"),
    "week": ("date({0} // DAY).isocalendar()[1]", "week({0})"),
    "day": ("date({0} // DAY).day", "day({0})"),
    "dayofyear": ("day_of_year({0} // DAY)", "dayofyear({0})"),
    "dayofweek": ("({0} // DAY + 4) % 7", "dayofweek({0})"),
    "isodow": ("({0} // DAY + 3) % 7 + 1", "isodow({0})"),
    "hour": ("{0} // 3600000000 % 24", "hour({0})"),
    "minute": ("{0} // 60000000 % 60", "minute({0})"),
    "second": ("{0} // 1000000 % 60", "second({0})"),
}
"""Whole numbers: of microseconds since 1970 on the local clock in Python, of a plain TIMESTAMP in SQL."""

SINCE_1970: dict[str, tuple[str, str]] = {
    "epoch": ("{0} * 1.0 / 1000000", "CAST({0} AS DOUBLE) / 1000000"),
    "epoch_ms": ("{0} // 1000", "({0} - ((({0} % 1000) + 1000) % 1000)) // 1000"),
}
"""Of microseconds since 1970 UTC on both sides. `//` rounds down in Python, towards zero in DuckDB."""

ALIASES = {
    "dow": "dayofweek",
    "doy": "dayofyear",
    "dayofmonth": "day",
    "weekofyear": "week",
}

NAMES = (*(name for name in FUNCTIONS if name not in ARITHMETIC), COALESCE, *PARTS, *SINCE_1970)
"""What can be called."""

ELSEWHERE = {
    **dict.fromkeys(("count", "sum", "avg", "min", "max"), "a filter sees one event; `when` counts"),
    **dict.fromkeys(("now", "today", "current_timestamp"), "a filter means the same at any time"),
    **dict.fromkeys(("cast", "try_cast"), "values are not cast: a number compares with numbers only"),
    **dict.fromkeys(("ifnull", "nvl", "isnull"), "write coalesce(a, b)"),
    **dict.fromkeys(
        ("regexp_like", "regexp_full_match", "rlike"), "write regexp_matches(field, '^pattern$')"
    ),
    **dict.fromkeys(("char_length", "strlen"), "write length(field)"),
    **dict.fromkeys(("date_part", "datepart"), "write extract(hour FROM timestamp)"),
}
"""Functions of other languages, with what to write here instead."""
