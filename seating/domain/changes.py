"""The changes that a log entry can tell of, read from the JSON that the scripts write."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from seating.domain.position import Position
from seating.domain.seating_plan import Run


@dataclass(frozen=True, slots=True)
class Opened:
    """The event went on sale with `capacity` seats."""

    at_ms: int
    capacity: int

    def to_json(self) -> str:
        return json.dumps({"kind": "opened", "at": self.at_ms, "capacity": self.capacity}, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Purchased:
    """`quantity` seats were sold; `left` remained after that. `runs` are empty in general admission.

    `hold` is the id of the hold that they were bought from, None for what was available.
    """

    at_ms: int
    quantity: int
    left: int
    runs: list[Run]
    nonce: str
    idempotency: str
    fingerprint: str
    rendering: int
    reference: str | None
    hold: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A buyer holds `quantity` seats until `until_ms`. `idempotency` is empty for one without a key."""

    at_ms: int
    hold: str
    until_ms: int
    quantity: int
    left: int
    runs: list[Run]
    idempotency: str
    fingerprint: str
    rendering: int


@dataclass(frozen=True, slots=True)
class Extended:
    """A hold lasts longer: until `until_ms`."""

    at_ms: int
    hold: str
    until_ms: int


@dataclass(frozen=True, slots=True)
class Released:
    """A hold's seats returned: it `expired`, or else was given back."""

    at_ms: int
    hold: str
    quantity: int
    left: int
    runs: list[Run]
    expired: bool


@dataclass(frozen=True, slots=True)
class SeatSet:
    """The organiser set one seat from status `was` to `status`, both as a map has them."""

    at_ms: int
    was: str
    status: str
    left: int
    runs: list[Run]


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The operator took a purchase back, and its seats were returned; `left` remained after that."""

    at_ms: int
    purchase: Position
    quantity: int
    left: int
    runs: list[Run]


@dataclass(frozen=True, slots=True)
class StateSet:
    """The sale was paused, put on sale again, or closed for good."""

    at_ms: int
    state: str


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A new epoch began: the inventory was made again of what SQL had, which ended at `after`."""

    at_ms: int
    after: Position
    reason: str

    def to_json(self) -> str:
        fields = {"kind": "rebuilt", "at": self.at_ms, "after": str(self.after), "reason": self.reason}
        return json.dumps(fields, separators=(",", ":"))


Change = Opened | Purchased | Held | Extended | Released | SeatSet | Cancelled | StateSet | Rebuilt


class UnknownChange(ValueError):
    """The text is not a change that this version knows."""


def parse_change(text: str) -> Change:
    """Raises UnknownChange with the reason."""
    try:
        fields = json.loads(text)
        kind = _KINDS[fields.pop("kind")]
        for name, parse in _PARSED.items():
            if name in fields:
                fields[name] = parse(fields[name])
        if "until" in fields:
            fields["until_ms"] = fields.pop("until")
        change: Change = kind(at_ms=fields.pop("at"), **fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnknownChange(f"{type(error).__name__}: {error}") from error
    return change


_KINDS: dict[str, type[Change]] = {
    "opened": Opened,
    "purchased": Purchased,
    "held": Held,
    "extended": Extended,
    "released": Released,
    "seat_set": SeatSet,
    "cancelled": Cancelled,
    "state": StateSet,
    "rebuilt": Rebuilt,
}
_PARSED: dict[str, Callable[[str], object]] = {
    "runs": Run.parse_all,
    "purchase": Position.parse,
    "after": Position.parse,
}
