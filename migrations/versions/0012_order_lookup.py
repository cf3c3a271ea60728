"""Purchases found by their reference, and what of each is cancelled, and why."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("purchases") as purchases:
        quantity, runs, why = (
            "all of them: none stands",
            "of the seats that were cancelled",
            "the reason that the operator gave last",
        )
        purchases.add_column(
            sa.Column("cancelled_quantity", sa.Integer(), nullable=False, server_default="0", comment=quantity)
        )
        purchases.add_column(sa.Column("cancelled_runs", sa.Text(), nullable=False, server_default="", comment=runs))
        purchases.add_column(sa.Column("cancelled_why", sa.Text(), comment=why))
    # SQLite has no comments, and would copy the table for one, which foreign keys refer to.
    if op.get_bind().dialect.name == "postgresql":
        when = "when seats of it were last cancelled"
        op.alter_column("purchases", "cancelled_ms", existing_type=sa.BigInteger(), comment=when)
    op.execute(
        "UPDATE purchases SET cancelled_quantity = quantity, cancelled_runs = runs WHERE cancelled_ms IS NOT NULL"
    )
    given = sa.text("reference IS NOT NULL")
    op.create_index(
        "ix_purchases_reference",
        "purchases",
        ["event_id", "reference", "entry_seq"],
        sqlite_where=given,
        postgresql_where=given,
    )


def downgrade() -> None:
    raise NotImplementedError("there is no way back: restore a backup from before the upgrade")
