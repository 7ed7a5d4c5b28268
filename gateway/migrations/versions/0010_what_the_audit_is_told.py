"""What the gateway did to photos, and how far each receiver of the audit has been told."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add to what is there."""
    op.create_table(
        "deeds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("did", sa.String(24), nullable=False),
        sa.Column("photo", sa.String(64), nullable=False),
        sa.Column("assignment", sa.Integer(), nullable=True),
        sa.Column("place", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_deeds_photo", "deeds", ["photo"])
    op.create_table(
        "tellings",
        sa.Column("receiver", sa.String(40), nullable=False),
        sa.Column("viewings", sa.BigInteger(), nullable=False),
        sa.Column("shares", sa.BigInteger(), nullable=False),
        sa.Column("deeds", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.BigInteger(), nullable=False),
        sa.Column("keeper", sa.String(32), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("receiver"),
    )
