"""One query, from its job to the last byte of its answer. Runs in a process that ends with it."""

from __future__ import annotations

import mmap
import os
import socket
from collections.abc import Sequence

import duckdb
import msgspec
import pyarrow as pa

from signaldesk.history.sandbox import checked, fields, rendering, wire
from signaldesk.history.sandbox.confinement import confine
from signaldesk.history.sandbox.faults import Refused, Wrong, fault_of, named_files
from signaldesk.history.sandbox.handed import HandedFiles
from signaldesk.history.sandbox.wire import End, Fault, Hello, Job

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "temp_directory": "",
    "threads": "1",
}
_NEWER = {"async_threads": "1"}
"""Settings that DuckDB 1.5 does not know."""
_DETAIL = 700
"""Characters of what is said of a statement."""
_TYPED_FIELDS = int(duckdb.__version__.partition(".")[0]) >= 2


def opened() -> duckdb.DuckDBPyConnection:
    """A database in memory. Made before the job is known, for it takes a while."""
    settings = {**_SETTINGS, **(_NEWER if _TYPED_FIELDS else {})}
    connection = duckdb.connect(":memory:", config=settings)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET python_enable_replacements = false")
    for macro in fields.MACROS:
        connection.execute(macro)
    connection.sql("SELECT json_array(1), strftime(now(), '%Y')").fetchall()  # loads what queries need
    return connection


def answer(connection: duckdb.DuckDBPyConnection, line: socket.socket) -> None:
    """Say who we are, take the job, answer it."""
    line.sendall(wire.frame(b"H", msgspec.json.encode(Hello(os.getpid()))))
    job, files = _receive(line)
    ready = False
    try:
        _prepare(connection, job, files)
        ready = True
        confine(memory=job.limits.memory, cpu_s=job.limits.seconds * job.limits.threads + 1)
        rows = _run(connection, job, line)
        line.sendall(wire.frame(b"E", msgspec.json.encode(End(rows))))
        return
    except (BrokenPipeError, ConnectionResetError):
        return  # nobody waits for it any more
    except BaseException as error:  # holds on to what the query held, so it ends before anything is read
        fault, named = fault_of(error, job.limits), named_files(error)
    if _unreadable(connection, job, named):
        fault = Fault("unread", "a file of history cannot be read; ask again")
    elif not ready and fault.kind != "limit":
        fault = Fault("broken", f"the tables could not be made: {fault.detail}")
    line.sendall(wire.frame(b"F", msgspec.json.encode(fault)))


def _unreadable(connection: duckdb.DuckDBPyConnection, job: Job, named: Sequence[str]) -> bool:
    """Whether a statement of ours, in which no word is that of whoever asks, cannot read one of these files
    of the job either: the server has work with it."""
    for name in named:
        if any(f"'{name}'" in statement for statement in job.setup):
            whole = f"SELECT bit_xor(hash(one)) FROM read_parquet('{name}', hive_partitioning = false) one"
            try:
                connection.execute(whole).fetchall()
            except (duckdb.Error, MemoryError) as error:
                if named_files(error):
                    return True
    return False


def _prepare(connection: duckdb.DuckDBPyConnection, job: Job, files: Sequence[int]) -> None:
    """Load the organisation's rows, and lock the door behind us."""
    connection.execute(f"SET threads = {job.limits.threads}")
    connection.execute(f"SET memory_limit = '{job.limits.memory}B'")
    connection.register_filesystem(HandedFiles(files))
    for name, number in job.arrow.items():
        _copy_arrow(connection, name, files[number])
    for statement in job.setup:
        connection.execute(statement)
    connection.execute(f"SET allowed_directories = ['{wire.FOLDER}']")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _copy_arrow(connection: duckdb.DuckDBPyConnection, name: str, descriptor: int) -> None:
    """Into a table of DuckDB's own: reading Arrow's takes threads and modules, and there are none later."""
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as mapped:
        table = pa.ipc.open_stream(pa.py_buffer(mapped)).read_all()
        connection.register("handed_arrow", table)
        connection.execute(f"CREATE TABLE {name} AS FROM handed_arrow")
        connection.unregister("handed_arrow")
        del table


def _run(connection: duckdb.DuckDBPyConnection, job: Job, line: socket.socket) -> int:
    checked.check_length(job.sql, job.limits)
    found = connection.execute("SELECT json_serialize_sql($1::VARCHAR)", [job.sql]).fetchall()
    parts = checked.check(found[0][0].encode(), job.sql, job.tables)
    del found
    edited = fields.Edited(job.sql, job.sql, ())
    try:
        relation = None
        if _TYPED_FIELDS and job.fields and fields.may_be_wide(parts):
            edited = fields.typed(job.sql, parts, job.fields, wide=True)
            relation = _wide(connection, edited.sql, job)
        if relation is None:
            edited = fields.typed(job.sql, parts, job.fields) if _TYPED_FIELDS else edited
            relation = _bound(connection, edited.sql)
        return _send(relation, job, line)
    except duckdb.Error as error:
        fault = fault_of(error, job.limits, edited.sql)
        if fault.kind != "wrong" or named_files(error):
            raise
        about_types = _TYPED_FIELDS and "did you mean" not in fault.detail
        hint = fields.strangers(parts, job.fields, job.known) if about_types else ""
        detail = fields.as_written(fault.detail) + hint
        raise Wrong(detail[:_DETAIL], *edited.place(fault.line, fault.column)) from None


def _wide(connection: duckdb.DuckDBPyConnection, sql: str, job: Job) -> duckdb.DuckDBPyRelation | None:
    """The query over events with columns for fields; None, and `events` as it was, if that does not do."""
    plain = next(statement for statement in job.setup if statement.startswith("CREATE VIEW events"))
    connection.execute(job.wide)
    try:
        return _query(connection, sql)
    except duckdb.Error:
        connection.execute(plain.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1))
        return None


def _bound(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyRelation:
    try:
        return _query(connection, sql)
    except duckdb.Error:
        connection.execute(sql)  # fails in the same way, and says where
        raise


def _query(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyRelation:
    """Once more by DuckDB's own account: one statement that reads."""
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise Refused("only one query is answered here: a statement that begins with SELECT, FROM or WITH")
    return connection.sql(sql)


def _send(relation: duckdb.DuckDBPyRelation, job: Job, line: socket.socket) -> int:
    columns = rendering.columns_of(relation)
    line.sendall(wire.frame(b"C", msgspec.json.encode(columns)))
    rows = 0
    for count, piece in rendering.pieces(relation, columns, job.format, job.limits):
        rows = count
        for start in range(0, len(piece), wire.LARGEST):
            line.sendall(wire.frame(b"D", piece[start : start + wire.LARGEST]))
    return rows


def _receive(line: socket.socket) -> tuple[Job, list[int]]:
    files: list[int] = []
    while True:
        head, handed, _, _ = socket.recv_fds(line, wire.HEAD.size, wire.FILES_AT_ONCE)
        files += handed
        while len(head) < wire.HEAD.size:
            head += _some(line, wire.HEAD.size - len(head))
        letter, length = wire.HEAD.unpack(head)
        body = b""
        while len(body) < length:
            body += _some(line, length - len(body))
        if letter == b"J":
            return msgspec.json.decode(body, type=Job), files


def _some(line: socket.socket, most: int) -> bytes:
    data = line.recv(min(most, 1 << 20))
    if not data:
        raise BrokenPipeError
    return data
