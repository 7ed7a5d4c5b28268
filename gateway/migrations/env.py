"""What Alembic runs for each of its commands; the connection and its transaction are ours."""

from alembic import context

from gateway.migrations.models import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,  # on SQLite as well: its transactions are begun by gateway.database
    render_as_batch=True,  # SQLite changes a column by copying its table
)
context.run_migrations()
