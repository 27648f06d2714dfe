"""What Alembic runs for a command: our tables, on the connection `storage.migrate` opened.

There is no offline mode: upgrades read what is there, and their transaction is the caller's.
"""

from alembic import context

from storage.models.base import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata(),
    render_as_batch=connection.dialect.name == "sqlite",  # SQLite alters a table by copying it
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
