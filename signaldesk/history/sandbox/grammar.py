"""What a statement may consist of. Everything that is not listed here is refused, so what a newer DuckDB
learns is refused until somebody has looked at it."""

from __future__ import annotations

NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
"""Kinds of queries: none of them changes anything."""

TABLES = frozenset(
    {"BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY", "EMPTY_FROM", "PIVOT"}
)
"""What may stand in FROM; names of tables and table functions are checked one by one."""

EXPRESSIONS = frozenset(
    {
        *("BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT"),
        *("DEFAULT", "FUNCTION", "LAMBDA", "OPERATOR", "POSITIONAL_REFERENCE", "STAR", "SUBQUERY", "WINDOW"),
        *("LAMBDA_REF", "TYPE"),
    }
)

TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "json_each", "json_tree"})

FORBIDDEN = frozenset(
    {
        *("getenv", "current_setting", "set_config", "getvariable", "nextval", "currval", "setval", "user"),
        *("query", "query_table", "sniff_csv", "glob", "write_log", "parse_duckdb_log", "copy_database"),
        *("current_database", "current_catalog", "current_schema", "current_schemas", "current_user"),
        *("current_query", "current_role", "session_user", "in_search_path", "txid_current", "sleep_ms"),
        *("current_query_id", "current_connection_id", "current_transaction_id", "platform", "user_agent"),
        *("json_execute_serialized_sql", "json_deserialize_sql", "json_serialize_sql", "version", "sleep"),
        *("json_serialize_plan", "storage_info", "table_info", "metadata_info", "which_secret", "checkpoint"),
        *("extension_versions", "database_list", "import_database", "force_checkpoint", "setseed"),
    }
)
"""Functions that tell of the process rather than of the rows, or run text as a statement."""

FORBIDDEN_PREFIXES = ("duckdb_", "pragma_", "pg_", "read_", "parquet_", "inet_", "has_", "test_", "python_")
