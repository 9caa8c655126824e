"""The `where` language of rules: text -> checked tree -> canonical text, and a predicate for the live path.

`parse(text)` is the way in; it raises `InvalidFilter`. The steps, one file each: `scan` (text to tokens)
and `order` (what may follow what), `grammar` (tokens to sqlglot's expression), `build` and `values` (that
to our own `tree`), `canonical` (tree to text), `predicate` (tree to Python), `duckdb_sql` (tree to SQL).
"""

from signaldesk.filters.faults import InvalidFilter
from signaldesk.filters.filter import Filter, parse
from signaldesk.filters.predicate import Predicate

__all__ = ["Filter", "InvalidFilter", "Predicate", "parse"]
