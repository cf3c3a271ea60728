"""The changes that a log entry can tell of, read from the JSON that the scripts write."""

import json
from dataclasses import dataclass

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
    """`quantity` seats were sold; `left` remained after that. `runs` are empty in general admission."""

    at_ms: int
    quantity: int
    left: int
    runs: list[Run]
    nonce: str
    idempotency: str
    fingerprint: str
    rendering: int
    reference: str | None


Change = Opened | Purchased


class UnknownChange(ValueError):
    """The text is not a change that this version knows."""


def parse_change(text: str) -> Change:
    """Raises UnknownChange with the reason."""
    try:
        fields = json.loads(text)
        kind, at_ms = fields.pop("kind"), fields.pop("at")
        if kind == "purchased":
            return Purchased(at_ms=at_ms, runs=Run.parse_all(fields.pop("runs")), **fields)
        if kind == "opened":
            return Opened(at_ms=at_ms, **fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnknownChange(f"{type(error).__name__}: {error}") from error
    raise UnknownChange(f"kind {kind!r}")
