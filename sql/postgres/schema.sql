-- What an empty database is given beside the migrations themselves (signaldesk/store/schema.py).

-- name: stamps
-- As Alembic makes it, which finds its place here at the next migration.
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
)
