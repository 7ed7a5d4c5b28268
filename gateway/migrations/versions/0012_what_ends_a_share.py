"""Shares say whose photo it was, for which use, and what ended them."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add to what is there: what was shared before was shared for a referral.

    One whose patient objected meanwhile, before shares could end, ends with the next objection
    or by hand.
    """
    with op.batch_alter_table("shares") as table:
        table.add_column(
            sa.Column(
                "use", sa.String(length=24), nullable=False, server_default="share for a referral"
            )
        )
        table.add_column(sa.Column("patient", sa.String(length=100), nullable=True))
        for name, length in (("confirmed", 400), ("revoked_by", 100), ("revoked_why", 1000)):
            table.add_column(
                sa.Column(name, sa.String(length=length), nullable=False, server_default="")
            )
        table.add_column(sa.Column("revoked_ms", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("item", sa.Integer(), nullable=True))
        table.create_index("shares_by_time", ["at_ms"], unique=False)
        table.create_index("shares_by_patient", ["patient"], unique=False)
