"""The bodies of webhook messages: what the routes show, in an envelope of type, time and data."""

import orjson
from pydantic import AliasPath, BaseModel, Field

from seating.domain.offer import Offer
from seating.domain.purchase import Purchase
from seating.domain.timestamps import rfc3339
from seating.domain.webhook import MessageType
from seating.domain.webhook_message import ChangedEvent, ExpiredHold
from seating.services.events import EventOnSale
from seating.storage.answered import Loss
from seating.web.event_views import EventView, view
from seating.web.purchase_views import PurchaseView
from seating.web.recovery import loss_view
from seating.web.schemas import Answer, AsText, Moment


class ExpiredHoldView(Answer):
    """A hold that expired. The record has no token, only its hash."""

    hold_id: str = Field(validation_alias="id", description="hash of the hold's token")
    event_id: str
    quantity: int
    seats: list[str] = Field(description="seat ids, none in general admission")
    expired_at: Moment = Field(validation_alias=AliasPath("at_ms"))
    position: AsText


def render_message(message_type: MessageType, at_ms: int, data: Purchase | ChangedEvent | ExpiredHold | Loss) -> bytes:
    """Return a message as JSON: the same values always give the same bytes. `at_ms` is in ms since 1970."""
    shown = _shown(data).model_dump(mode="json", by_alias=True)
    return orjson.dumps({"type": message_type, "timestamp": rfc3339(at_ms), "data": shown})


def _shown(data: Purchase | ChangedEvent | ExpiredHold | Loss) -> BaseModel:
    match data:
        case Loss():
            return loss_view(data)
        case ExpiredHold():
            return ExpiredHoldView.model_validate(data)
        case ChangedEvent():
            return _event_view(data)
    return PurchaseView.model_validate(data)


def _event_view(found: ChangedEvent) -> EventView:
    """Return the event without counts, as while its inventory is unavailable: only Redis has these."""
    event, at_ms = found
    selling = event.state == "on_sale" and (event.offer or Offer()).times.is_open(at_ms)
    shown = view(EventOnSale(event, None, at_ms))
    return shown.model_copy(update={"state": event.state, "selling": selling})
