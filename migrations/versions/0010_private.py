"""What shops say of their customers, in columns of their own, so that it can be erased."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("ledger") as ledger:
        beside = "personal data beside the entry; null for none, or none any more"
        ledger.add_column(sa.Column("private", sa.Text(), comment=beside))
    with op.batch_alter_table("quarantine") as quarantine:
        quarantine.add_column(sa.Column("private", sa.Text(), comment="as in the ledger"))
    with op.batch_alter_table("purchases") as purchases:
        buyer = "the shop's own id of its customer; personal data, as the next two"
        purchases.add_column(sa.Column("buyer", sa.String(64), comment=buyer))
        purchases.add_column(sa.Column("note", sa.String(200)))


def downgrade() -> None:
    raise NotImplementedError("there is no way back: restore a backup from before the upgrade")
