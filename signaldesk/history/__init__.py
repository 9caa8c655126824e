"""History: what DuckDB reads, and what people ask of it in SQL."""
