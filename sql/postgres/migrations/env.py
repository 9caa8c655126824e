"""Where Alembic starts; the connection is handed in by `signaldesk.store.migrate`."""

from alembic import context

from signaldesk.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
