"""Seats that were sold at the box office, without a purchase."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_COMMENT = "null for a sale at the box office"


def upgrade() -> None:
    with op.batch_alter_table("sold_seats") as sold_seats:
        sold_seats.alter_column("purchase_id", existing_type=sa.String(128), nullable=True, comment=_COMMENT)


def downgrade() -> None:
    op.execute("DELETE FROM sold_seats WHERE purchase_id IS NULL")
    with op.batch_alter_table("sold_seats") as sold_seats:
        sold_seats.alter_column("purchase_id", existing_type=sa.String(128), nullable=False, comment=None)
