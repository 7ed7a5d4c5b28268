"""Litigation holds."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add to what is there."""
    op.create_table(
        "litigation_holds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("photo", sa.String(64)),
        sa.Column("patient", sa.String(100)),
        sa.Column("by", sa.String(100), nullable=False),
        sa.Column("reason", sa.String(1000), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("lifted_by", sa.String(100)),
        sa.Column("lifted_why", sa.String(1000), nullable=False),
        sa.Column("lifted_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_litigation_holds_photo", "litigation_holds", ["photo"])
    op.create_index("ix_litigation_holds_patient", "litigation_holds", ["patient"])
