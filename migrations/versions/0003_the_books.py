"""Cancellations, the state of a sale, and what is known of forks, rebuilds and losses."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("purchases", sa.Column("cancelled_ms", sa.BigInteger()))
    with op.batch_alter_table("events") as events:
        events.add_column(sa.Column("state", sa.String(16), nullable=False, server_default="on_sale"))
        events.add_column(sa.Column("archived", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("quarantine") as quarantine:
        quarantine.add_column(sa.Column("reason", sa.String(16), nullable=False, server_default="poison"))
        quarantine.add_column(sa.Column("resolution", sa.String(16)))
        quarantine.add_column(sa.Column("honoured_as", sa.String(128)))
        quarantine.drop_constraint("pk_quarantine", type_="primary")
        quarantine.create_primary_key("pk_quarantine", ["event_id", "epoch", "seq", "link"])
    op.create_table(
        "rebuilds",
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False, comment="that began"),
        sa.Column("after_epoch", sa.Integer(), nullable=False),
        sa.Column("after_seq", sa.BigInteger(), nullable=False, comment="where SQL's ledger ended"),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "epoch", name="pk_rebuilds"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_rebuilds_event_id_events"),
        comment="When an inventory was made again of what SQL had",
    )
    op.create_table(
        "answered",
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "epoch", name="pk_answered"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_answered_event_id_events"),
        comment="The highest position that a buyer was told of; what SQL lacks below it was lost",
    )


def downgrade() -> None:
    op.drop_table("answered")
    op.drop_table("rebuilds")
    with op.batch_alter_table("quarantine") as quarantine:
        quarantine.drop_constraint("pk_quarantine", type_="primary")
        quarantine.create_primary_key("pk_quarantine", ["event_id", "epoch", "seq"])
        quarantine.drop_column("honoured_as")
        quarantine.drop_column("resolution")
        quarantine.drop_column("reason")
    with op.batch_alter_table("events") as events:
        events.drop_column("archived")
        events.drop_column("state")
    op.drop_column("purchases", "cancelled_ms")
