"""Postgres: tables, migrations, and units of work. The only room that imports SQLAlchemy and psycopg."""
