"""Epochs are terms: every one that was handed out, where histories were merged, and how losses were settled."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "terms",
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_seq", sa.BigInteger(), comment="of its first entry on record; null for one that has none"),
        sa.Column("last_seq", sa.BigInteger(), comment="of its last entry, where the next one's first does not tell"),
        sa.PrimaryKeyConstraint("event_id", "epoch", name="pk_terms"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_terms_event_id_events"),
        comment="Every epoch that was ever handed out",
    )
    op.execute(
        "INSERT INTO terms (event_id, epoch, first_seq) SELECT event_id, epoch, min(seq) FROM ledger GROUP BY 1, 2"
    )
    op.drop_table("rebuilds")
    op.create_table(
        "merges",
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column(
            "seq", sa.BigInteger(), autoincrement=False, nullable=False, comment="of the ledger's entry `merged`"
        ),
        sa.Column("acknowledged_epoch", sa.Integer(), nullable=False, comment="what Redis knew to be acknowledged"),
        sa.Column("acknowledged_seq", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged_link", sa.String(40), nullable=False),
        sa.Column("tail_epoch", sa.Integer(), nullable=False, comment="where Redis's history ended"),
        sa.Column("tail_seq", sa.BigInteger(), nullable=False),
        sa.Column("tail_link", sa.String(40), nullable=False),
        sa.Column(
            "state", sa.LargeBinary(), nullable=False, comment="InventoryState.dump(), compressed: folds begin with it"
        ),
        sa.PrimaryKeyConstraint("event_id", "seq", name="pk_merges"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_merges_event_id_events"),
        comment="Where two histories of an event were made one",
    )
    with op.batch_alter_table("answered") as answered:
        answered.drop_constraint("fk_answered_event_id_events", type_="foreignkey")
        answered.add_column(sa.Column("settled_seq", sa.BigInteger(), comment="up to where losses were put to rest"))
        answered.add_column(sa.Column("settled_ms", sa.BigInteger()))
        answered.add_column(sa.Column("settled_by", sa.Text()))
        answered.add_column(sa.Column("settled_why", sa.Text()))
    with op.batch_alter_table("quarantine") as quarantine:
        quarantine.drop_column("honoured_as")
    op.add_column("purchases", sa.Column("entry_seq", sa.BigInteger()))
    op.execute("UPDATE purchases SET entry_seq = seq")
    with op.batch_alter_table("purchases") as purchases:
        purchases.alter_column("entry_seq", existing_type=sa.BigInteger(), nullable=False)
        purchases.drop_constraint("uq_purchases_event_id", type_="unique")
        purchases.create_unique_constraint("uq_purchases_position", ["event_id", "epoch", "seq"])
        purchases.create_unique_constraint("uq_purchases_entry_seq", ["event_id", "entry_seq"])
    identity = op.create_table(
        "database_identity",
        sa.Column("id", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_database_identity"),
        comment="One row, made with the database: tells it from one that was made in its place",
    )
    op.bulk_insert(identity, [{"id": secrets.token_hex(8)}])


def downgrade() -> None:
    raise NotImplementedError("there is no way back: restore a backup from before the upgrade")
