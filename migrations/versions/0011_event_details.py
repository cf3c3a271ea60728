"""When and where an event is, what its organiser's systems keep with it, and the request that created it."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("events") as events:
        events.add_column(sa.Column("starts_ms", sa.BigInteger()))
        events.add_column(sa.Column("venue", sa.Text()))
        events.add_column(
            sa.Column("metadata", sa.Text(), nullable=False, server_default="{}", comment="a JSON object of texts")
        )
        events.add_column(
            sa.Column("idempotency", sa.String(22), comment="hash of caller and key that it was created with")
        )
        events.add_column(sa.Column("fingerprint", sa.String(22), comment="of what was asked for with that key"))
    op.create_index("ix_events_starts_ms", "events", ["starts_ms", "id"])
    # A constraint would make SQLite copy a table that others refer to.
    op.create_index("uq_events_idempotency", "events", ["idempotency"], unique=True)


def downgrade() -> None:
    raise NotImplementedError("there is no way back: restore a backup from before the upgrade")
