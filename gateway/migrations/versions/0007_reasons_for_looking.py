"""Who looks at a photo after an objection says why."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add to what is there; views so far needed no reason."""
    op.add_column("viewings", sa.Column("note", sa.String(1000), nullable=False, server_default=""))
