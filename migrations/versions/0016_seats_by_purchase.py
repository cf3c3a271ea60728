"""An index of sold seats by purchase: without it, each purchase that is deleted reads all seats of all events."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_sold_seats_purchase_id", "sold_seats", ["purchase_id"])


def downgrade() -> None:
    raise NotImplementedError("there is no way back: restore a backup from before the upgrade")
