"""What the organiser made of seats, and by which entry; folded from the ledger for the events that there are."""

import json
import zlib

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    organiser_seats = op.create_table(
        "organiser_seats",
        sa.Column("event_id", sa.String(64), sa.ForeignKey("events.id"), primary_key=True),
        sa.Column("seat_id", sa.String(255), primary_key=True),
        sa.Column("status", sa.String(1), nullable=False, comment="r blocked, o held, b sold at the box office"),
        sa.Column("entry_seq", sa.BigInteger, nullable=False, comment="of the ledger's entry that set it"),
        comment="What the organiser made of seats, but for those that are available again",
    )
    connection = op.get_bind()
    plans = connection.execute(sa.text("SELECT id, plan FROM events WHERE plan IS NOT NULL")).all()
    for event_id, packed in plans:
        rows = _fold(connection, event_id, packed)
        if rows:
            connection.execute(sa.insert(organiser_seats), rows)


def downgrade() -> None:
    raise NotImplementedError("there is no way back: restore a backup from before the upgrade")


def _fold(connection: sa.Connection, event_id: str, packed: bytes) -> list[dict[str, object]]:
    kept = json.loads(zlib.decompress(packed))
    blocks = kept["blocks"] if isinstance(kept, dict) else kept
    seats = [[seat for row in block for seat in (*row, "")] for block in blocks]
    found: dict[str, tuple[str, int]] = {}
    of_event = {"event": event_id}
    merged = connection.execute(
        sa.text("SELECT seq, state FROM merges WHERE event_id = :event ORDER BY seq DESC LIMIT 1"), of_event
    ).first()
    if merged:
        maps = json.loads(zlib.decompress(merged.state))["maps"]
        for ids, letters in zip(seats, maps, strict=True):
            found |= {seat: (was, merged.seq) for seat, was in zip(ids, letters, strict=False) if was in "rob"}
    changes = connection.execute(
        sa.text(
            "SELECT seq, change FROM ledger WHERE event_id = :event AND seq > :after "
            """AND change LIKE '%"kind":"seat_set"%' ORDER BY seq"""
        ),
        of_event | {"after": merged.seq if merged else 0},
    )
    for seq, change in changes:
        said = json.loads(change)
        for run in said["runs"].split(","):
            block, _, places = run.partition(":")
            start, _, length = places.partition("-")
            for seat in seats[int(block)][int(start) : int(start) + int(length)]:
                found[seat] = (said["status"], seq)
    return [
        {"event_id": event_id, "seat_id": seat, "status": status, "entry_seq": seq}
        for seat, (status, seq) in found.items()
        if status != "a"
    ]
