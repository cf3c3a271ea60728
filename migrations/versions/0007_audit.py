"""Acts of operators: who did what to what, from where, and why."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(80), nullable=False),
        sa.Column("address", sa.String(64)),
        sa.Column("request_id", sa.String(64)),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("event_id", sa.String(64), comment="no foreign key: acts outlive events"),
        sa.Column("target", sa.String(255), comment="what of the event; null for the event itself"),
        sa.Column("before", sa.String(255)),
        sa.Column("after", sa.String(255)),
        sa.Column("why", sa.String(1000)),
        sa.Column("position", sa.String(40), comment="of the log entry that the act made; null for none"),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sa.UniqueConstraint("event_id", "position", name="uq_audit_position"),
        comment="Acts of operators; those with a position are written with their entry in the ledger",
    )


def downgrade() -> None:
    raise NotImplementedError("there is no way back: restore a backup from before the upgrade")
