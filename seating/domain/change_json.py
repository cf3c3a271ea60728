"""The JSON text of a change: what the scripts write to the log, and what the product writes in their place."""

import json
from collections.abc import Callable
from dataclasses import fields
from typing import Any, assert_never

import orjson

from seating.domain.actor import Actor
from seating.domain.changes import (
    Cancelled,
    Change,
    Extended,
    Held,
    HoldChanged,
    Merged,
    OfferSet,
    Opened,
    Purchased,
    Rebuilt,
    Released,
    SeatSet,
    StateSet,
    Trusted,
)
from seating.domain.offer import Offer
from seating.domain.position import Position
from seating.domain.seating_plan import SeatRange, runs_text

Written = Opened | Purchased | HoldChanged | Released | SeatSet | Cancelled | OfferSet | Merged | Rebuilt
"""The changes that not only scripts write."""


class UnknownChange(ValueError):
    """The text is not a change that this version knows."""


def parse_change(text: str) -> Change:
    """Parse a text, without the fields that this version does not know. Raises UnknownChange with the reason."""
    try:
        said = orjson.loads(text)
        kind = _KINDS[said["kind"]]
        known = {name: said[short] for name, short in _FIELDS[kind] if short in said}
        for name in _TO_PARSE[kind]:
            if known.get(name) is not None:
                known[name] = _PARSED[name](known[name])
        change: Change = kind(**known)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnknownChange(f"{type(error).__name__}: {error}") from error
    return change


def change_json(change: Written) -> str:
    """Return the text, as the script of such a change writes it: purchase.lua for a buyer, set_seats.lua, and so on."""
    said: dict[str, Any]
    match change:
        case Opened():
            said = {"kind": "opened", "at": change.at_ms, "capacity": change.capacity}
            said |= {} if change.state == "on_sale" else {"state": change.state}
            said |= _by(change.by) | ({"offer": change.offer.to_fields()} if change.offer else {})
        case Purchased():
            said = _purchased(change)
        case HoldChanged():
            said = {"kind": "hold_changed", "at": change.at_ms, "hold": change.hold, "quantity": change.quantity}
            said |= {"left": change.left, "runs": runs_text(change.runs)}
            said |= {"added": runs_text(change.added), "removed": runs_text(change.removed)}
            said |= _off_sale(change.off_sale)
        case Released():
            said = {"kind": "released", "at": change.at_ms, "hold": change.hold, "quantity": change.quantity}
            said |= {"left": change.left, "runs": runs_text(change.runs), "expired": change.expired}
            said |= _off_sale(change.off_sale)
        case SeatSet():
            said = {"kind": "seat_set", "at": change.at_ms, "was": change.was, "status": change.status}
            said |= {"left": change.left, "runs": runs_text(change.runs)}
            said |= {"quantity": change.quantity} if change.quantity else {}
            said |= _by(change.by) | _off_sale(change.off_sale)
        case Cancelled():
            said = {"kind": "cancelled", "at": change.at_ms, "purchase": str(change.purchase)}
            said |= {"quantity": change.quantity, "left": change.left, "runs": runs_text(change.runs)}
            said |= {"remaining": change.remaining} if change.remaining else {}
            said |= _by(change.by) | _off_sale(change.off_sale)
        case OfferSet():
            said = {"kind": "offer", "at": change.at_ms, "offer": change.offer.to_fields()}
            said |= {"was": change.was.to_fields() if change.was else None, "left": change.left}
            said |= {"blocked": change.blocked, "returned": change.returned} | _by(change.by)
        case Merged():
            said = {"kind": "merged", "at": change.at_ms, "after": change.after and str(change.after)}
            said |= {"tail": str(change.tail), "digest": change.digest} | _by(change.by)
        case Rebuilt():
            said = {"kind": "rebuilt", "at": change.at_ms, "after": str(change.after), "reason": change.reason}
            said |= _by(change.by)
        case _:
            assert_never(change)
    return json.dumps(said, separators=(",", ":"))


def _purchased(change: Purchased) -> dict[str, Any]:
    said = {field.name: getattr(change, field.name) for field in fields(change) if field.name not in _OPERATORS}
    said |= {"runs": runs_text(change.runs), "original": change.original and str(change.original)}
    for name in ("tariff", "currency", "private"):
        if not said[name]:
            del said[name]
    return {"kind": "purchased", "at": said.pop("at_ms")} | said


def _by(actor: Actor | None) -> dict[str, Any]:
    return {"by": actor.fields()} if actor else {}


def _off_sale(runs: list[SeatRange]) -> dict[str, Any]:
    return {"off_sale": runs_text(runs)} if runs else {}


def _was(said: Any) -> Any:
    """Return an offer for an offer's `was`; that of a seat or a sale is a text."""
    return Offer.from_fields(said) if isinstance(said, dict) else said


_KINDS: dict[str, type[Change]] = {
    "opened": Opened,
    "purchased": Purchased,
    "held": Held,
    "hold_changed": HoldChanged,
    "extended": Extended,
    "released": Released,
    "seat_set": SeatSet,
    "cancelled": Cancelled,
    "state": StateSet,
    "offer": OfferSet,
    "trusted": Trusted,
    "merged": Merged,
    "rebuilt": Rebuilt,
}
_SHORT = {"at_ms": "at", "until_ms": "until", "replayed_ms": "replayed", "note_ms": "note"}
_OPERATORS = ("replayed_ms", "by")
_FIELDS = {
    kind: [(field.name, _SHORT.get(field.name, field.name)) for field in fields(kind)] for kind in _KINDS.values()
}
_PARSED: dict[str, Callable[[Any], object]] = {
    "by": Actor.parse,
    "offer": Offer.from_fields,
    "was": _was,
    "runs": SeatRange.parse_all,
    "off_sale": SeatRange.parse_all,
    "added": SeatRange.parse_all,
    "removed": SeatRange.parse_all,
    "purchase": Position.parse,
    "after": Position.parse,
    "tail": Position.parse,
    "original": Position.parse,
}
_TO_PARSE = {kind: [name for name, _ in named if name in _PARSED] for kind, named in _FIELDS.items()}
