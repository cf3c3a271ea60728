"""Events, their ledger with its watermark, and the purchases folded from it."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("seated", sa.Boolean(), nullable=False),
        sa.Column("plan", sa.LargeBinary(), comment="SeatingPlan.pack(); null in general admission"),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
    )
    op.create_table(
        "watermarks",
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("link", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_watermarks"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_watermarks_event_id_events"),
        comment="How far each event's log is in these tables",
    )
    op.create_table(
        "ledger",
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("link", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "seq", name="pk_ledger"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_ledger_event_id_events"),
        comment="Every entry of every log, as it was written",
    )
    op.create_table(
        "purchases",
        sa.Column("id", sa.String(128), nullable=False),
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("seats_left", sa.Integer(), nullable=False),
        sa.Column("runs", sa.Text(), nullable=False, comment="block:start-length,…; empty in general admission"),
        sa.Column("reference", sa.String(64)),
        sa.PrimaryKeyConstraint("id", name="pk_purchases"),
        sa.UniqueConstraint("event_id", "seq", name="uq_purchases_event_id"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_purchases_event_id_events"),
        comment="The ledger's purchases, folded",
    )
    op.create_table(
        "sold_seats",
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("seat_id", sa.String(255), nullable=False),
        sa.Column("purchase_id", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "seat_id", name="pk_sold_seats"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_sold_seats_event_id_events"),
        sa.ForeignKeyConstraint(["purchase_id"], ["purchases.id"], name="fk_sold_seats_purchase_id_purchases"),
        comment="Who has each sold seat; its key is the last guard against selling one twice",
    )
    op.create_table(
        "quarantine",
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("link", sa.String(40), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "epoch", "seq", name="pk_quarantine"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_quarantine_event_id_events"),
        comment="Entries that the tables above refused for good, raw, for the operator",
    )


def downgrade() -> None:
    for table in ("quarantine", "sold_seats", "purchases", "ledger", "watermarks", "events"):
        op.drop_table(table)
