"""The record of purchases."""

from typing import NamedTuple

from sqlalchemy import Connection, select

from seating.domain.position import Position
from seating.domain.purchase import PurchaseId
from seating.storage.tables import purchases, quarantine


class PurchaseRow(NamedTuple):
    at_ms: int
    quantity: int
    runs: str
    reference: str | None


def find(connection: Connection, purchase_id: PurchaseId) -> PurchaseRow | None:
    row = connection.execute(
        select(purchases.c.at_ms, purchases.c.quantity, purchases.c.runs, purchases.c.reference).where(
            purchases.c.id == str(purchase_id)
        )
    ).one_or_none()
    return PurchaseRow(*row) if row else None


def find_quarantined(connection: Connection, event_id: str, position: Position) -> str | None:
    """The raw change of the entry at `position`, if it is in quarantine."""
    return connection.execute(
        select(quarantine.c.change).where(
            quarantine.c.event_id == event_id,
            quarantine.c.epoch == position.epoch,
            quarantine.c.seq == position.seq,
        )
    ).scalar_one_or_none()
