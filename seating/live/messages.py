"""The messages of the live feed, as JSON."""

import json
from typing import Any

from seating.domain.changes import Change, StateSet
from seating.domain.log_entry import Checkpoint, LogEntry, ResumePoint
from seating.domain.offer import SaleTimes
from seating.domain.position import Position
from seating.domain.seat_changes import seat_changes
from seating.domain.seating_plan import SeatingPlan
from seating.domain.timestamps import rfc3339


def connected(event_id: str, checkpoint: Checkpoint) -> str:
    text = "Connected to seat updates"
    return _json({"type": "CONNECTED", "message": text, "eventId": event_id, **_reached(checkpoint)})


def seat_updates(event_id: str, plan: SeatingPlan, entry: LogEntry, change: Change) -> list[str]:
    """Return one message per changed seat."""
    reached = _reached(Checkpoint.of(entry))
    return [
        _json(
            {
                "type": "SEAT_UPDATE",
                "seatId": seat_id,
                "newStatus": word,
                "eventId": event_id,
                **reached,
            }
        )
        for word, runs in seat_changes(change)
        for seat_id in plan.seats_of(runs)
    ]


def state_changes(entry: LogEntry, change: Change) -> list[str]:
    """Return the message for a change of the event's state; nothing for other changes."""
    return [state(Checkpoint.of(entry), change.state)] if isinstance(change, StateSet) else []


def state(checkpoint: Checkpoint, word: str) -> str:
    return _json({"type": "STATE", **_reached(checkpoint), "state": word})


def seats(_event_id: str, plan: SeatingPlan, entry: LogEntry, change: Change) -> list[str]:
    """Return one message per entry: with `status` and `seats` if all seats changed alike, else with `groups`."""
    if isinstance(change, StateSet):
        return state_changes(entry, change)
    groups = [{"status": word, "seats": plan.seats_of(runs)} for word, runs in seat_changes(change)]
    told: dict[str, Any] = {"status": None, "seats": []}
    if groups:
        told = groups[0] if len(groups) == 1 else {"groups": groups}
    return [_json({"type": "SEATS", **_reached(Checkpoint.of(entry)), **told})]


def snapshot_needed(checkpoint: Checkpoint) -> str:
    """Tell the client to load a snapshot: messages resume after `checkpoint`."""
    return _json({"type": "SNAPSHOT_NEEDED", **_reached(checkpoint)})


def availability(followed: Checkpoint, position: Position, remaining: int) -> str:
    """Tell what remains at `position`. The client resumes from `followed`: a STATE may lie between the two."""
    reached = {**_reached(followed), "position": str(position)}
    return _json({"type": "AVAILABILITY", **reached, "seatsRemaining": remaining})


def opening(checkpoint: Checkpoint, times: SaleTimes, *, is_open: bool) -> str:
    """Tell when the sale opens and closes, and whether it is open by that, whatever its state."""
    opens_at, closes_at = (None if moment_ms is None else rfc3339(moment_ms) for moment_ms in times)
    told = {"isOpen": is_open, "opensAt": opens_at, "closesAt": closes_at}
    return _json({"type": "OPENING", **_reached(checkpoint), **told})


def _reached(checkpoint: Checkpoint) -> dict[str, str]:
    """`since` is what a client sends to resume from here."""
    return {"position": str(checkpoint.position), "since": str(ResumePoint.of(checkpoint))}


def _json(fields: dict[str, Any]) -> str:
    return json.dumps(fields, separators=(",", ":"))
