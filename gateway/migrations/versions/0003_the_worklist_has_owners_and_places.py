"""The worklist has owners, places and a history."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add to what is there; older items have no place."""
    op.create_index("photos_by_capture", "photos", ["captured_ms"])
    op.create_index("photos_by_change", "photos", ["changed_ms"])
    op.create_table(
        "work_steps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("item", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(100), nullable=False),
        sa.Column("what", sa.String(16), nullable=False),
        sa.Column("note", sa.String(1000), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_work_steps_item", "work_steps", ["item"])
    for column in (
        sa.Column("about_ms", sa.BigInteger()),
        sa.Column("ward", sa.String(40), nullable=False, server_default=""),
        sa.Column("bed", sa.String(40), nullable=False, server_default=""),
        sa.Column("patient", sa.String(100)),
        sa.Column("escalated_ms", sa.BigInteger()),
        sa.Column("note", sa.String(1000), nullable=False, server_default=""),
    ):
        op.add_column("worklist", column)
    op.create_index("worklist_open", "worklist", ["closed_ms", "kind"])
    op.create_index("worklist_subject", "worklist", ["subject"])
    op.create_table(
        "console_sessions",
        sa.Column("token", sa.String(64), nullable=False),
        sa.Column("login", sa.String(100), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("roles", sa.String(100), nullable=False),
        sa.Column("csrf", sa.String(64), nullable=False),
        sa.Column("begun_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token"),
    )
    op.create_table(
        "viewings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("login", sa.String(100), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("what", sa.String(24), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("viewings_by_subject", "viewings", ["subject"])
    op.create_index("viewings_by_time", "viewings", ["at_ms"])
