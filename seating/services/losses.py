"""What was answered and is recorded nowhere: listed, and put to rest by a person."""

from dataclasses import dataclass

from sqlalchemy import Connection

from seating.domain.actor import Actor
from seating.domain.errors import NoSuchLoss
from seating.domain.page import Page, first_of
from seating.services.audit import act_now
from seating.storage import answered, audit
from seating.storage.answered import Loss
from seating.storage.database import Database


@dataclass(frozen=True, slots=True)
class Losses:
    """Raises RecordUnavailable."""

    database: Database

    def all(self, event_id: str | None = None) -> list[Loss]:
        """Those that nobody has settled, of one event or of all."""
        return self.database.read(answered.losses, event_id)

    def page(self, offset: int, count: int) -> Page[Loss, int]:
        """At most `count` of those that nobody has settled, after the first `offset`."""
        return first_of(self.all()[offset : offset + count + 1], count, lambda _: offset + count)

    def settle(self, event_id: str, epoch: int, by: Actor) -> None:
        """Puts the losses of a term to rest, with its purchases that wait in quarantine. Raises NoSuchLoss.

        Why, as `by` says, is kept with them.
        """

        def write(connection: Connection) -> None:
            act = act_now(by, "loss.settle", event_id)
            loss = answered.settle(connection, event_id, epoch, act.at_ms, by.name, by.why or "")
            if loss is None:
                raise NoSuchLoss
            lost = f"{loss.lost} changes from {loss.first} to {loss.last}"
            audit.add(connection, [act._replace(target=str(epoch), before=lost, after="settled")])

        self.database.write(write)
