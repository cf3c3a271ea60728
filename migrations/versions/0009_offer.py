"""On what conditions each event is sold, and what each purchase was sold as."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("events") as events:
        events.add_column(sa.Column("offer", sa.Text, comment="Offer.to_json(); null for an event without categories"))
    with op.batch_alter_table("purchases") as purchases:
        purchases.add_column(sa.Column("tariff", sa.Text, comment="category:price,…, one a run; null without an offer"))
        purchases.add_column(sa.Column("currency", sa.String(3), comment="ISO 4217; null without prices"))
        purchases.add_column(sa.Column("total", sa.BigInteger, comment="minor units of currency; null without prices"))


def downgrade() -> None:
    raise NotImplementedError("there is no way back: restore a backup from before the upgrade")
