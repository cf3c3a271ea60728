"""What sockets are told, as JSON."""

import json
from typing import Any

from seating.domain.changes import Change
from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.domain.seat_changes import seat_changes
from seating.domain.seating_plan import SeatingPlan


def connected(event_id: str, position: Position) -> str:
    text = "Connected to seat updates"
    return _json({"type": "CONNECTED", "message": text, "eventId": event_id, "position": str(position)})


def seat_updates(event_id: str, plan: SeatingPlan, entry: LogEntry, change: Change) -> list[str]:
    """A message a changed seat."""
    return [
        _json(
            {
                "type": "SEAT_UPDATE",
                "seatId": seat_id,
                "newStatus": word,
                "eventId": event_id,
                "position": str(entry.position),
            }
        )
        for word, runs in seat_changes(change)
        for seat_id in plan.seats_of(runs)
    ]


def seats(_event_id: str, plan: SeatingPlan, entry: LogEntry, change: Change) -> list[str]:
    """One message an entry; seats that became one thing are told as `status` and `seats`, several as `groups`."""
    groups = [{"status": word, "seats": plan.seats_of(runs)} for word, runs in seat_changes(change)]
    told: dict[str, Any] = {"status": None, "seats": []}
    if groups:
        told = groups[0] if len(groups) == 1 else {"groups": groups}
    return [_json({"type": "SEATS", "position": str(entry.position), **told})]


def snapshot_needed(position: Position) -> str:
    """What comes after `position` follows; what was before it is in a snapshot."""
    return _json({"type": "SNAPSHOT_NEEDED", "position": str(position)})


def availability(position: Position, remaining: int) -> str:
    return _json({"type": "AVAILABILITY", "position": str(position), "seatsRemaining": remaining})


def _json(fields: dict[str, Any]) -> str:
    return json.dumps(fields, separators=(",", ":"))
