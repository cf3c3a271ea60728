"""Describes the live feeds in the OpenAPI document's `x-websockets`: OpenAPI itself has no WebSockets.

docs/live.md explains them; seating/live/messages.py creates the messages.
"""

from typing import Any, Final, Literal

from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from seating.domain.errors import EventNotFound, InvalidRequest, InventoryUnavailable, NotOnSale
from seating.web.errors import STATUS
from seating.web.handshake import close_code
from seating.web.request_errors import LiveFeedFull, OriginNotAllowed, TooManyConnections
from seating.web.schemas import Answer, examples

_REACHED: Final = {"position": "217907169-42", "since": "217907169-42.0f3a9c5e"}


class _Message(Answer):
    position: str = Field(description="`<epoch>-<seq>` in the event's log")
    since: str = Field(description="send this to resume on a new connection")


class ConnectedMessage(_Message):
    """The first message."""

    model_config = examples(
        {"type": "CONNECTED", "message": "Connected to seat updates", "eventId": "demo", **_REACHED},
    )

    type: Literal["CONNECTED"]
    message: str
    event_id: str


class SeatUpdateMessage(_Message):
    """One seat has changed."""

    model_config = examples(
        {
            "type": "SEAT_UPDATE",
            "seatId": "sec-1-row-A-seat-1",
            "newStatus": "sold",
            "eventId": "demo",
            **_REACHED,
        }
    )

    type: Literal["SEAT_UPDATE"]
    seat_id: str
    new_status: Literal["available", "held", "reserved", "sold"]
    event_id: str


class SeatGroup(Answer):
    """Seats that now have the same status."""

    status: Literal["available", "held", "reserved", "sold"]
    seats: list[str]


class SeatsMessage(_Message):
    """One log entry of a seated event: these seats now have this status. If it changed none, `status` is null."""

    model_config = examples(
        {"type": "SEATS", **_REACHED, "status": "sold", "seats": ["sec-1-row-A-seat-1", "sec-1-row-A-seat-2"]},
        {"type": "SEATS", **_REACHED, "status": None, "seats": []},
    )

    type: Literal["SEATS"]
    status: Literal["available", "held", "reserved", "sold"] | None
    seats: list[str]


class SeatGroupsMessage(_Message):
    """One log entry of a seated event that gives several statuses."""

    model_config = examples(
        {
            "type": "SEATS",
            **_REACHED,
            "groups": [
                {"status": "available", "seats": ["sec-1-row-A-seat-1"]},
                {"status": "sold", "seats": ["sec-1-row-A-seat-2"]},
            ],
        }
    )

    type: Literal["SEATS"]
    groups: list[SeatGroup]


class StateMessage(_Message):
    """A draft was put on sale, or the sale was paused, resumed or closed for good."""

    model_config = examples({"type": "STATE", **_REACHED, "state": "paused"})

    type: Literal["STATE"]
    state: Literal["on_sale", "paused", "closed"]


class OpeningMessage(_Message):
    """When the sale opens and closes: told when that changes, and when one of the times has come."""

    model_config = examples(
        {"type": "OPENING", **_REACHED, "isOpen": False, "opensAt": "2026-11-01T09:00:00.000Z", "closesAt": None}
    )

    type: Literal["OPENING"]
    is_open: bool = Field(description="by Redis's clock; buyers are served if `state` is `on_sale` too")
    opens_at: str | None
    closes_at: str | None


class SnapshotNeededMessage(_Message):
    """The feed continues after `position`, but not from where the client was: get a new snapshot, then the event."""

    model_config = examples({"type": "SNAPSHOT_NEEDED", **_REACHED})

    type: Literal["SNAPSHOT_NEEDED"]


class AvailabilityMessage(_Message):
    """General admission: the number of seats that can be bought now."""

    model_config = examples({"type": "AVAILABILITY", **_REACHED, "seatsRemaining": 4848})

    type: Literal["AVAILABILITY"]
    seats_remaining: int


_DEFAULT_FEED: Final = (ConnectedMessage, SeatUpdateMessage)
_EVENT_FEED: Final = (
    *(SeatsMessage, SeatGroupsMessage, StateMessage, OpeningMessage),
    *(SnapshotNeededMessage, AvailabilityMessage),
)

_CLOSE_CODES: Final = {
    "1001": "the server restarts or stops: reconnect",
    "1002": "the client sent something that is not a WebSocket message",
    "1007": "the client sent a text that is not UTF-8",
    "1009": "the client sent more than 64 KB",
    "1011": "a server error",
    "1013": "the client was too slow, the feed at `/` has a gap, or seats are temporarily unavailable: reconnect",
}
_REFUSALS: Final = (
    InvalidRequest,
    OriginNotAllowed,
    EventNotFound,
    NotOnSale,
    TooManyConnections,
    LiveFeedFull,
    InventoryUnavailable,
)


def describe(schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the feeds by address, and add their messages to `schemas`."""
    messages: tuple[type[BaseModel], ...] = (*_DEFAULT_FEED, *_EVENT_FEED)
    _, found = models_json_schema(
        [(message, "serialization") for message in messages], ref_template="#/components/schemas/{model}"
    )
    schemas |= found["$defs"]
    event_id = {"name": "event_id", "in": "path", "required": True, "schema": {"type": "string"}}
    since = {
        "name": "since",
        "in": "query",
        "required": False,
        "description": "that of the last message or snapshot; the feed continues from there",
        "schema": {"type": "string"},
    }
    return {
        "/": _feed("watchDefaultEvent", "Seats of the default event, one by one", [], _DEFAULT_FEED),
        "/api/v1/events/{event_id}/live": _feed(
            "watchEvent", "Every change of an event, in order", [event_id, since], _EVENT_FEED
        ),
    }


def _feed(
    operation_id: str, summary: str, parameters: list[dict[str, Any]], messages: tuple[type[BaseModel], ...]
) -> dict[str, Any]:
    return {
        "operationId": operation_id,
        "summary": summary,
        "parameters": parameters,
        "messages": {"oneOf": [{"$ref": f"#/components/schemas/{message.__name__}"} for message in messages]},
        "closeCodes": _close_codes(),
    }


def _close_codes() -> dict[str, str]:
    """Return the close codes and their meaning, those of refused feeds among them."""
    sentences = {code: [meaning] for code, meaning in _CLOSE_CODES.items()}
    for kind in _REFUSALS:
        sentences.setdefault(str(close_code(STATUS[kind])), []).append(f"{kind.code}: {kind.sentence}")
    return {code: "; ".join(of_code) for code, of_code in sentences.items()}
