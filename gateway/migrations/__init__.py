"""From one version of the database's tables to the next, by Alembic.

Every change of the models comes with a step in ``versions/`` (``scripts/migration.sh`` drafts
it). The steps are taken when a gateway starts, all in one transaction: what is found afterwards
is the old tables or the new ones, never something between. Replicas take turns. A database that
a newer gateway has already changed is left alone, in words.
"""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from base.errors import WardsealError

_FIRST: Final = "0001"
_LOCK: Final = 0x57415244  # any number that means us in PostgreSQL's one table of advisory locks


class NewerDatabase(WardsealError):
    """A newer gateway has changed the tables; this one must not touch them."""


def upgrade(engine: Engine) -> None:
    """Bring the tables to what this program needs. Raises NewerDatabase, SQLAlchemyError."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        found = revision_of(connection)
        script = ScriptDirectory(str(Path(__file__).parent))
        if found == script.get_current_head():
            return
        if found is not None and found not in {step.revision for step in script.walk_revisions()}:
            raise NewerDatabase(
                f"the database is of a newer version of Wardseal (its tables are {found}): "
                "install that version, or restore the backup made before the update"
            )
        config = config_for(connection)
        if found is None and inspect(connection).has_table("photos"):
            command.stamp(config, _FIRST)  # made before there were steps
        command.upgrade(config, "head")


def revision_of(connection: Connection) -> str | None:
    """Return the version of the tables; None where there are none, or none that says so."""
    return MigrationContext.configure(connection).get_current_revision()


def config_for(connection: Connection) -> Config:
    """Return what Alembic's commands need to work on ``connection``, in its transaction."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config
