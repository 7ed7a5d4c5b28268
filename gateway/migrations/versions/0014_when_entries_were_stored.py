"""When a ledger entry was stored, so that the newest of all devices can be found."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_ASKED_ABOUT = sa.text("type IN ('CONSENT', 'INTENT', 'WINDOW')")


def upgrade() -> None:
    """Add to what is there; for older entries the beginning of their ledger has to do."""
    with op.batch_alter_table("ledger_entries") as table:
        table.add_column(
            sa.Column("stored_ms", sa.BigInteger(), nullable=False, server_default="0")
        )
    op.execute(
        "UPDATE ledger_entries SET stored_ms = COALESCE((SELECT begun_ms FROM ledger_heads"
        " WHERE ledger_heads.device = ledger_entries.device"
        " AND ledger_heads.ledger = ledger_entries.ledger), 0)"
    )
    op.create_index(
        "entries_by_time",
        "ledger_entries",
        ["type", "stored_ms"],
        sqlite_where=_ASKED_ABOUT,
        postgresql_where=_ASKED_ABOUT,
    )
