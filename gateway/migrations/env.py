"""What Alembic runs for each of its commands; the connection and its transaction are ours."""

from alembic import context

import gateway.console.tables  # each room's tables are in Base.metadata once it is loaded
from gateway.store import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,  # on SQLite as well: its transactions are begun by gateway.database
    render_as_batch=True,  # SQLite changes a column by copying its table
)
context.run_migrations()
