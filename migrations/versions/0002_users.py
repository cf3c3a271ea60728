"""Users, and the five of a fresh database."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_CREATED_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z


def upgrade() -> None:
    users = op.create_table(
        "users",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.String(320), nullable=False, comment="lower case"),
        sa.Column("plan", sa.String(16), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email", name="uq_users_email"),
    )
    names = ("Alice Johnson", "Bob Smith", "Charlie Brown", "Diana Prince", "Evan Wright")
    op.bulk_insert(
        users,
        [
            {
                "id": str(number),
                "name": name,
                "email": f"{name.split()[0].lower()}@example.com",
                "plan": "free",
                "is_active": True,
                "created_ms": _CREATED_MS,
            }
            for number, name in enumerate(names, start=1)
        ],
    )


def downgrade() -> None:
    op.drop_table("users")
