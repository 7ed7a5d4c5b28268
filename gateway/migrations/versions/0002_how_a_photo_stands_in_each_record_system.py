"""How a photo stands in each record system, under which assignment."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Give every filing a number and a stand; what was filed so far was assignment 1."""
    op.create_table(
        "filings_new",
        sa.Column("photo", sa.String(64), nullable=False),
        sa.Column("sink", sa.String(32), nullable=False),
        sa.Column("assignment", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("wanted", sa.String(20), nullable=False),
        sa.Column("stand", sa.String(20), nullable=False),
        sa.Column("reference", sa.String(200)),
        sa.Column("filed_ms", sa.BigInteger()),
        sa.Column("objection_ms", sa.BigInteger()),
        sa.Column("corrected_ms", sa.BigInteger()),
        sa.Column("keeper", sa.String(32), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_ms", sa.BigInteger()),
        sa.Column("problem", sa.String(400), nullable=False),
        sa.PrimaryKeyConstraint("photo", "sink", "assignment"),
    )
    op.execute(
        """
        insert into filings_new (photo, sink, assignment, wanted, stand, reference, filed_ms,
                                 objection_ms, keeper, attempts, problem)
        select photo, sink, 1,
               case when objection_ms is null then 'filed' else 'objection recorded' end,
               case when objection_ms is null then 'filed' else 'objection recorded' end,
               reference, filed_ms, objection_ms, 'gateway', 0, ''
        from filings
        """
    )
    op.drop_table("filings")
    op.rename_table("filings_new", "filings")
    op.create_index("filings_due", "filings", ["sink", "keeper", "due_ms"])
    # What their clocks were worth is on the ledger; nothing that is still to be done asks for it.
    op.add_column(
        "photos", sa.Column("clock", sa.String(16), nullable=False, server_default="none")
    )
