"""What people say of photos: body sites, objections, requests; and what photos are found by."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add to what is there; what older photos were sealed with is not known of them."""
    op.create_table(
        "body_sites",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("photo", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("display", sa.String(length=100), nullable=False),
        sa.Column("side", sa.String(length=10), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.Column("by", sa.String(length=100), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.String(length=16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("body_sites") as table:
        table.create_index(table.f("ix_body_sites_photo"), ["photo"], unique=False)
        table.create_index(table.f("ix_body_sites_told"), ["told"], unique=False)

    op.create_table(
        "objections",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("photo", sa.String(length=64), nullable=False),
        sa.Column("device", sa.Boolean(), nullable=False),
        sa.Column("said_by", sa.String(length=200), nullable=False),
        sa.Column("said_ms", sa.BigInteger(), nullable=False),
        sa.Column("words", sa.String(length=1000), nullable=False),
        sa.Column("by", sa.String(length=100), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("decision", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.Column("law", sa.String(length=200), nullable=False),
        sa.Column("decided_by", sa.String(length=100), nullable=False),
        sa.Column("decided_ms", sa.BigInteger(), nullable=True),
        sa.Column("second", sa.String(length=100), nullable=False),
        sa.Column("second_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("objections") as table:
        table.create_index(table.f("ix_objections_photo"), ["photo"], unique=False)
        table.create_index(table.f("ix_objections_stage"), ["stage"], unique=False)

    op.create_table(
        "reviews",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.Column("photo", sa.String(length=64), nullable=False),
        sa.Column("item", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(length=100), nullable=False),
        sa.Column("question", sa.String(length=1000), nullable=False),
        sa.Column("asked_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uid"),
    )
    with op.batch_alter_table("reviews") as table:
        table.create_index(table.f("ix_reviews_item"), ["item"], unique=False)
        table.create_index(table.f("ix_reviews_photo"), ["photo"], unique=False)

    op.create_table(
        "reviews_told",
        sa.Column("review", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sink", sa.String(length=32), nullable=False),
        sa.Column("told", sa.String(length=200), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("problem", sa.String(length=400), nullable=False),
        sa.PrimaryKeyConstraint("review", "sink"),
    )
    with op.batch_alter_table("assignments") as table:
        table.add_column(
            sa.Column("site_note", sa.String(length=500), nullable=False, server_default="")
        )

    with op.batch_alter_table("photos") as table:
        table.add_column(
            sa.Column("label", sa.String(length=40), nullable=False, server_default="")
        )
        table.add_column(sa.Column("nm_per_px", sa.Integer(), nullable=True))
        table.add_column(sa.Column("poor", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(
            sa.Column("badge", sa.String(length=100), nullable=False, server_default="")
        )
        table.add_column(
            sa.Column("badge_salt", sa.String(length=64), nullable=False, server_default="")
        )
        table.add_column(
            sa.Column("objection", sa.String(length=12), nullable=False, server_default="")
        )
        table.drop_index(table.f("ix_photos_state"))
        table.create_index("photos_by_device", ["device", "captured_ms"], unique=False)
        table.create_index("photos_by_level", ["level", "captured_ms"], unique=False)
        table.create_index("photos_by_state", ["state", "captured_ms"], unique=False)

    with op.batch_alter_table("undos") as table:
        table.add_column(sa.Column("told", sa.Boolean(), nullable=False, server_default=sa.false()))
