"""Acts of operators: what each did to what, and how that was before and after."""

from typing import Literal, NamedTuple

from seating.domain import changes
from seating.domain.actor import Actor
from seating.domain.changes import Change
from seating.domain.position import Position
from seating.domain.purchase import PurchaseId
from seating.domain.seat_status import WORDS

Action = Literal[
    "event.create",
    "event.state",
    "event.merge",
    "event.rebuild",
    "seat.set",
    "purchase.cancel",
    "quarantine.replay",
    "quarantine.cancel",
    "loss.settle",
    "cache.clear",
    "key.add",
    "key.remove",
]


class Act(NamedTuple):
    """`target` is what of the event was changed, None for the event itself; `before` and `after` are short texts.

    `position` is that of the log entry that the act made, None for an act that made none.
    """

    at_ms: int
    actor: Actor
    action: Action
    event_id: str | None = None
    target: str | None = None
    before: str | None = None
    after: str | None = None
    position: Position | None = None


def act_of(event_id: str, position: Position, change: Change, target: str | None = None) -> Act | None:
    """The act that an entry tells of; None for one that names no actor.

    `target` is the id of the seat that the entry set, or of the purchase that it cancelled.
    """
    match change:
        case changes.Purchased(by=Actor() as by):
            at_ms = change.at_ms if change.replayed_ms is None else change.replayed_ms
            purchase_id = str(PurchaseId(event_id, change.original or position, change.nonce))
            return Act(at_ms, by, "quarantine.replay", event_id, purchase_id, "quarantined", "sold", position)
        case changes.Cancelled(by=Actor() as by):
            after = "partly cancelled" if change.remaining else "cancelled"
            return Act(change.at_ms, by, "purchase.cancel", event_id, target, "sold", after, position)
        case changes.SeatSet(by=Actor() as by):
            before, after = (WORDS.get(status, status) for status in (change.was, change.status))
            return Act(change.at_ms, by, "seat.set", event_id, target, before, after, position)
        case changes.StateSet(by=Actor() as by):
            return Act(change.at_ms, by, "event.state", event_id, None, change.was, change.state, position)
        case changes.Opened(by=Actor() as by):
            return Act(change.at_ms, by, "event.create", event_id, None, None, "on_sale", position)
        case changes.Rebuilt(by=Actor() as by):
            return Act(change.at_ms, by, "event.rebuild", event_id, None, str(change.after), str(position), position)
        case changes.Merged(by=Actor() as by):
            recorded = str(change.after) if change.after else None
            return Act(change.at_ms, by, "event.merge", event_id, str(change.tail), recorded, str(position), position)
    return None
