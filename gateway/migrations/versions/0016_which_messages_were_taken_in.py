"""Which messages of the hospital's ADT were taken in: the same one again changes nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add to what is there: what came before is not known to have come."""
    op.create_table(
        "adt_messages",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    with op.batch_alter_table("adt_messages") as table:
        table.create_index("adt_messages_by_time", ["at_ms"], unique=False)
