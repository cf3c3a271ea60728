"""Webhooks: endpoints, how far each has got with each event, and what they are told beside the ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("event_id", sa.String(64), sa.ForeignKey("events.id"), comment="null for all events"),
        sa.Column("types", sa.Text, nullable=False, comment="of messages, with commas between them; empty for all"),
        sa.Column("secret", sa.String(100), nullable=False, comment="signs its messages, so it is kept as it is"),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("paused_ms", sa.BigInteger, comment="null while it gets messages"),
        sa.Column("paused_why", sa.Text),
        sa.Column("claimed_by", sa.String(32), comment="the sender that delivers to it now"),
        sa.Column("claimed_until_ms", sa.BigInteger, nullable=False, server_default="0"),
        comment="Endpoints of other systems that are told of changes",
    )
    op.create_table(
        "webhook_cursors",
        sa.Column("webhook_id", sa.String(16), sa.ForeignKey("webhooks.id"), primary_key=True),
        sa.Column("event_id", sa.String(64), sa.ForeignKey("events.id"), primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False, comment="of the ledger's last entry that is done with"),
        sa.Column("notice", sa.Integer, nullable=False, comment="the last of webhook_notices that is done with"),
        sa.Column(
            "version", sa.Integer, nullable=False, server_default="0", comment="grows with each change of the row"
        ),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0", comment="failures in a row"),
        sa.Column("failing_since_ms", sa.BigInteger),
        sa.Column("next_ms", sa.BigInteger, nullable=False, server_default="0", comment="when to try again"),
        sa.Column("error", sa.String(200), comment="the last failure"),
        comment="How far each endpoint has got with each event",
    )
    op.create_table(
        "webhook_notices",
        sa.Column("event_id", sa.String(64), sa.ForeignKey("events.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), nullable=False, comment="loss, entry or cancelled"),
        sa.Column(
            "key", sa.String(160), nullable=False, comment="what it is about: a loss, a seq of the ledger, a purchase"
        ),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("content", sa.Text, nullable=False, comment="JSON"),
        sa.UniqueConstraint("event_id", "kind", "key", name="uq_webhook_notices_key"),
        comment="What endpoints are told that the ledger does not have in its order",
    )


def downgrade() -> None:
    raise NotImplementedError("there is no way back: restore a backup from before the upgrade")
