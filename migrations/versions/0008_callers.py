"""Whose key each purchase was made with, so that a shop can list its own."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("purchases") as purchases:
        purchases.add_column(sa.Column("caller", sa.String(64), comment="name of its key; null for one without"))
    named = sa.text("caller IS NOT NULL")
    op.create_index(
        "ix_purchases_caller",
        "purchases",
        ["event_id", "caller", "entry_seq"],
        sqlite_where=named,
        postgresql_where=named,
    )


def downgrade() -> None:
    raise NotImplementedError("there is no way back: restore a backup from before the upgrade")
