"""Acts of operators: what each did to what, and the state before and after."""

from typing import Final, Literal, NamedTuple

from seating.domain import changes
from seating.domain.actor import Actor
from seating.domain.changes import Change
from seating.domain.offer import BOUNDS, CategoryOffer, Offer
from seating.domain.position import Position
from seating.domain.purchase import PurchaseId
from seating.domain.seat_status import WORDS
from seating.domain.timestamps import rfc3339

Action = Literal[
    "event.create",
    "event.state",
    "event.details",
    "event.offer",
    "event.merge",
    "event.rebuild",
    "seat.set",
    "event.erase",
    "event.delete",
    "purchase.cancel",
    "purchase.erase",
    "quarantine.replay",
    "quarantine.cancel",
    "loss.settle",
    "cache.clear",
    "key.add",
    "key.remove",
    "webhook.add",
    "webhook.pause",
    "webhook.resume",
    "webhook.remove",
    "webhook.replay",
    "webhook.rotate",
]


_MOST_SHOWN: Final = 255
"""Characters of what was before and after."""


class Act(NamedTuple):
    """`target` is the part of the event that was changed, None for the event itself; `before` and `after` are short.

    `position` is that of the act's log entry; None without one.
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
    """Return the act in an entry; None if the entry names no actor.

    `target` is the id of the purchase that was cancelled, or names the seats that were set.
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
            before = ", ".join(dict.fromkeys(WORDS.get(was, was) for was in change.was))
            after = WORDS.get(change.status, change.status)
            return Act(change.at_ms, by, "seat.set", event_id, target, before, after, position)
        case changes.StateSet(by=Actor() as by):
            return Act(change.at_ms, by, "event.state", event_id, None, change.was, change.state, position)
        case changes.OfferSet(by=Actor() as by):
            differing = _differing(change.was, change.offer)
            return Act(change.at_ms, by, "event.offer", event_id, None, *differing, position)
        case changes.Opened(by=Actor() as by):
            return Act(change.at_ms, by, "event.create", event_id, None, None, change.state, position)
        case changes.Rebuilt(by=Actor() as by):
            return Act(change.at_ms, by, "event.rebuild", event_id, None, str(change.after), str(position), position)
        case changes.Merged(by=Actor() as by):
            recorded = str(change.after) if change.after else None
            return Act(change.at_ms, by, "event.merge", event_id, str(change.tail), recorded, str(position), position)
    return None


def _differing(was: Offer | None, now: Offer) -> tuple[str | None, str]:
    """What differs of two offers, before and after."""
    before = was or Offer()
    names = {category.name for category in set(now.categories) ^ set(before.categories)}
    bounds = [name for name in BOUNDS if getattr(before, name) != getattr(now, name)]
    shown = [
        "; ".join(
            [*filter(None, [offer.currency if was is None or was.currency != now.currency else ""])]
            + [_shown(category) for category in offer.categories if category.name in names]
            + [_bound(name, getattr(offer, name)) for name in bounds]
        )[:_MOST_SHOWN]
        for offer in (before, now)
    ]
    return shown[0] if was else None, shown[1]


def _bound(name: str, value: int | None) -> str:
    if value is None:
        return f"no {name.removesuffix('_ms')}"
    return f"{name.removesuffix('_ms')} {rfc3339(value) if name.endswith('_ms') else value}"


def _shown(category: CategoryOffer) -> str:
    said = [category.name, "no price" if category.price is None else str(category.price)]
    said += ["on sale" if category.on_sale else "off sale"] + ["on request"] * category.on_request
    return " ".join([*said, *["accessible"] * category.accessible, f"order {category.order}"])
