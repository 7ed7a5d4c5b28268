"""Called by scripts/migration.sh: compare the models with the steps so far, and draft the next."""

import sys

from alembic import command
from sqlalchemy import create_engine

from gateway import migrations

with create_engine("sqlite://").begin() as connection:
    config = migrations.config_for(connection)
    command.upgrade(config, "head")
    number = f"{int(migrations.revision_of(connection) or 0) + 1:04}"
    command.revision(config, sys.argv[1], autogenerate=True, rev_id=number)
