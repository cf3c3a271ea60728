"""A hold: seats reserved for a buyer for a limited time. Anyone who knows its token may buy them."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from seating.domain.idempotency import short_hash
from seating.domain.offer import BlockRange, wish_text
from seating.domain.position import Position
from seating.domain.seating_plan import SeatRange, runs_text

HOLD_RENDERING: Final = 1
"""Version of the response that is rendered from a HeldRecord."""


class Hold(NamedTuple):
    """Times are in ms since 1970. It is valid before `until_ms` and expired from then on."""

    since_ms: int
    until_ms: int
    quantity: int
    runs: list[SeatRange]

    @classmethod
    def parse(cls, kept: str) -> Self:
        """Parse the text that scripts store: since|until|quantity|runs|holder."""
        since, until, quantity, runs, _holder = kept.split("|")
        return cls(int(since), int(until), int(quantity), SeatRange.parse_all(runs))

    def __str__(self) -> str:
        """Return the text that scripts store, without the holder, whom the log does not know."""
        return f"{self.since_ms}|{self.until_ms}|{self.quantity}|{runs_text(self.runs)}|"


@dataclass(frozen=True, slots=True)
class HoldOrder:
    """A request to hold given seats, or the best ones for a quantity."""

    quantity: int
    seats: tuple[str, ...] = ()
    together: bool = False
    category: str | None = None
    zone: str | None = None
    accessible: bool = False
    mix: bool = False

    def wish(self, within: Sequence[BlockRange] = ()) -> str:
        """As that of an Order."""
        return wish_text(
            together=self.together,
            mix=self.mix,
            accessible=self.accessible,
            asked=self.category is not None,
            within=within,
        )

    def fingerprint(self) -> str:
        """Return the fingerprint. It never equals a purchase's, so one key cannot be used for both."""
        asked = ["hold", str(self.quantity), str(self.together), *sorted(self.seats)]
        if self.category is not None or self.zone is not None or self.accessible or self.mix:
            asked.append(json.dumps([self.category, self.zone, self.accessible, self.mix]))
        return short_hash(*asked)


class HeldRecord(NamedTuple):
    """What the response to a hold needs; stored under the idempotency key, if there is one.

    `tariff` and `currency` are what each run would be sold as now: a hold keeps seats, not their price.
    """

    position: Position
    until_ms: int
    quantity: int
    runs: list[SeatRange]
    tariff: str = ""
    currency: str | None = None

    @classmethod
    def parse(cls, record: str) -> Self:
        """Parse the text that hold.lua stores: rendering|fingerprint|position|until|quantity|runs."""
        _rendering, _fingerprint, position, until_ms, quantity, runs = record.split("|")
        return cls(Position.parse(position), int(until_ms), int(quantity), SeatRange.parse_all(runs))


def new_token() -> str:
    """Return 128 random bits as text."""
    return secrets.token_urlsafe(16)


def token_of_key(event_id: str, caller: str, key: str) -> str:
    """Derive a hold's token from an idempotency key, so that a repeated request gets the same token.

    It is as secret as the key, whose owner gets the token anyway. Neither can be derived from what is stored.
    """
    return short_hash("hold token", event_id, caller, key)


def hold_id(token: str) -> str:
    """Return the id under which a token's hold is stored. The token cannot be derived from it."""
    return short_hash("hold id", token)
