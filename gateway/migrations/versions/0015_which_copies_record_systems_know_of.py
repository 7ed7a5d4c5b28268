"""Which record systems have been told of which teaching copies."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add to what is there: copies that left before are told of, too."""
    op.create_table(
        "copies_told",
        sa.Column("share", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sink", sa.String(length=32), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("problem", sa.String(length=400), nullable=False),
        sa.PrimaryKeyConstraint("share", "sink"),
    )
