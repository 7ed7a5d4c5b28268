"""Which epoch of keys each gateway has, and which keysets devices say they have."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add to what is there."""
    op.create_table(
        "gateway_epochs",
        sa.Column("gateway", sa.String(32), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("announced", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("gateway"),
    )
    of_keysets = sa.text("type = 'KEYSET'")
    op.create_index(
        "keysets_in_force",
        "ledger_entries",
        ["device"],
        sqlite_where=of_keysets,
        postgresql_where=of_keysets,
    )
