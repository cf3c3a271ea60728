"""When events were archived, and when personal data of them was erased."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("events") as events:
        events.add_column(sa.Column("archived_ms", sa.BigInteger(), comment="null unless it is archived"))
        erased = "when personal data of it was erased; null while it may have some"
        events.add_column(sa.Column("erased_ms", sa.BigInteger(), comment=erased))
    # When older ones were archived is not known; what counts from it counts from now.
    now = sa.text("UPDATE events SET archived_ms = :now WHERE archived").bindparams(now=time.time_ns() // 1_000_000)
    op.execute(now)


def downgrade() -> None:
    raise NotImplementedError("there is no way back: restore a backup from before the upgrade")
