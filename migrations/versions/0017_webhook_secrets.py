"""The secret that a webhook had before, which signs beside the new one for a while."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("webhooks", sa.Column("former_secret", sa.String(100), comment="the one before `secret`"))
    op.add_column("webhooks", sa.Column("former_until_ms", sa.BigInteger, comment="until when it signs too"))


def downgrade() -> None:
    raise NotImplementedError("there is no way back: restore a backup from before the upgrade")
