"""The `where` language of rules: text -> checked tree -> canonical text, a live predicate, and SQL.

`parse(text)` is the way in for conditions, `parse_value(text)` for values such as the field of an aggregate;
both raise `InvalidFilter`. The steps: `scan` (text to tokens) and `order` (what may follow what), `grammar`
(tokens to sqlglot's expression), `build`, `operands` and `values` (that to our own `tree`), `canonical` (tree
to text), `predicate` and `python_values` (tree to Python), `duckdb_sql` and `duckdb_values` (tree to SQL).
`functions` lists what can be called.
"""

from signaldesk.filters.faults import InvalidFilter
from signaldesk.filters.filter import Filter, parse
from signaldesk.filters.predicate import Predicate
from signaldesk.filters.tree import Kind
from signaldesk.filters.value import Value, parse_value

__all__ = ["Filter", "InvalidFilter", "Kind", "Predicate", "Value", "parse", "parse_value"]
