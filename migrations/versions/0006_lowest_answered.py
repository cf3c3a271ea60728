"""Of what was answered, the lowest seq too: where an epoch left no entry behind, it says where the loss begins."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "the lowest one that a buyer was told of; null where it is not known"
    with op.batch_alter_table("answered") as answered:
        answered.add_column(sa.Column("lowest_seq", sa.BigInteger(), comment=comment))


def downgrade() -> None:
    raise NotImplementedError("there is no way back: restore a backup from before the upgrade")
