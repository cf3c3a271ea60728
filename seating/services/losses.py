"""Confirmed changes that are recorded nowhere: list them, and settle them on an operator's request."""

from dataclasses import dataclass

from sqlalchemy import Connection

from seating.domain.actor import Actor
from seating.domain.page import Page, first_of
from seating.domain.recovery_errors import NoSuchLoss
from seating.services import purchase_log
from seating.services.audit import act_now
from seating.storage import answered, audit, quarantine, watermarks, webhook_notices
from seating.storage.answered import Loss
from seating.storage.database import Database


@dataclass(frozen=True, slots=True)
class Losses:
    """Raises RecordUnavailable."""

    database: Database

    def all(self, event_id: str | None = None) -> list[Loss]:
        """Return all unsettled losses, of one event or of all."""
        return self.database.read(answered.losses, event_id)

    def page(self, offset: int, count: int) -> Page[Loss, int]:
        """Return at most `count` unsettled losses after the first `offset`."""
        return first_of(self.all()[offset : offset + count + 1], count, lambda _: offset + count)

    def settle(self, event_id: str, epoch: int, by: Actor) -> None:
        """Settle the loss of a term, with its purchases in quarantine. Raises NoSuchLoss.

        The reason in `by` is stored with it.
        """

        def write(connection: Connection) -> list[str]:
            # Numbering the notice takes this lock too; taken last, it could deadlock with persistence.
            watermarks.lock(connection, event_id)
            act = act_now(by, "loss.settle", event_id)
            # Read before they are settled, after which they no longer count as lost.
            known = quarantine.lost(connection, event_id, epoch)
            loss = answered.settle(connection, event_id, epoch, act.at_ms, by.name, by.why or "")
            if loss is None:
                raise NoSuchLoss
            lost = f"{loss.lost} changes from {loss.first} to {loss.last}"
            webhook_notices.note_loss(connection, loss, act.at_ms)
            audit.add(connection, [act._replace(target=str(epoch), before=lost, after="settled")])
            return [str(aside.purchase_id) for aside in known if aside.entry.position <= loss.last]

        purchase_log.happened("purchases settled", event_id, self.database.write(write))
