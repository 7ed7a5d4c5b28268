"""Patients, assignments, moves; what photos are looked for by."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add to what is there."""
    op.create_table(
        "assignments",
        sa.Column("photo", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("patient", sa.String(length=100), nullable=True),
        sa.Column("encounter", sa.String(length=100), nullable=True),
        sa.Column("how", sa.String(length=200), nullable=False),
        sa.Column("by", sa.String(length=100), nullable=False),
        sa.Column("second", sa.String(length=100), nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("site_code", sa.String(length=20), nullable=False),
        sa.Column("site_display", sa.String(length=100), nullable=False),
        sa.Column("site_side", sa.String(length=10), nullable=False),
        sa.PrimaryKeyConstraint("photo", "number"),
    )
    op.create_index("assignments_by_patient", "assignments", ["patient"])

    op.create_table(
        "encounters",
        sa.Column("number", sa.String(length=100), nullable=False),
        sa.Column("patient", sa.String(length=100), nullable=False),
        sa.Column("authority", sa.String(length=200), nullable=False),
        sa.Column("fhir", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("ix_encounters_patient", "encounters", ["patient"])

    op.create_table(
        "expected",
        sa.Column("photo", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=32), nullable=False),
        sa.Column("taken_ms", sa.BigInteger(), nullable=False),
        sa.Column("heard_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("photo"),
    )
    op.create_index("ix_expected_heard_ms", "expected", ["heard_ms"])

    op.create_table(
        "movements",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("encounter", sa.String(length=100), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("moved", sa.String(length=10), nullable=False),
        sa.Column("ward", sa.String(length=40), nullable=False),
        sa.Column("room", sa.String(length=40), nullable=False),
        sa.Column("bed", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("encounter", "at_ms", "moved", "ward", "room", "bed"),
    )
    op.create_index("movements_by_place", "movements", ["ward", "bed", "at_ms"])

    op.create_table(
        "moves",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("photo", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=100), nullable=False),
        sa.Column("encounter", sa.String(length=100), nullable=True),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.Column("by", sa.String(length=100), nullable=False),
        sa.Column("asked_ms", sa.BigInteger(), nullable=False),
        sa.Column("stand", sa.String(length=10), nullable=False),
        sa.Column("second", sa.String(length=100), nullable=False),
        sa.Column("decided_ms", sa.BigInteger(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_moves_photo", "moves", ["photo"])
    op.create_index("ix_moves_stand", "moves", ["stand"])

    op.create_table(
        "patient_codes",
        sa.Column("value", sa.String(length=100), nullable=False),
        sa.Column("patient", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("value", "patient"),
    )
    op.create_table(
        "patients",
        sa.Column("number", sa.String(length=100), nullable=False),
        sa.Column("authority", sa.String(length=200), nullable=False),
        sa.Column("family", sa.String(length=100), nullable=False),
        sa.Column("given", sa.String(length=100), nullable=False),
        sa.Column("born", sa.String(length=10), nullable=False),
        sa.Column("sex", sa.String(length=10), nullable=False),
        sa.Column("fhir", sa.String(length=200), nullable=False),
        sa.Column("merged_into", sa.String(length=100), nullable=True),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    for column in (
        sa.Column("level", sa.String(16), nullable=False, server_default=""),
        sa.Column("basis", sa.String(16), nullable=False, server_default=""),
        sa.Column("attested", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("sited", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("ward", sa.String(40), nullable=False, server_default=""),
        sa.Column("room", sa.String(40), nullable=False, server_default=""),
        sa.Column("bed", sa.String(40), nullable=False, server_default=""),
        sa.Column("filed_ms", sa.BigInteger()),
        # Nobody asks for what was not asked for when these were filed.
        sa.Column("asked", sa.Boolean(), nullable=False, server_default=sa.true()),
    ):
        op.add_column("photos", column)
    op.create_index("photos_by_place", "photos", ["ward", "bed", "captured_ms"])
    op.create_index("photos_not_asked", "photos", ["asked", "state"])
    op.execute("update photos set filed_ms = changed_ms where state = 'filed'")
