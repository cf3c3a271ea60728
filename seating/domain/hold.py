"""A hold: seats that are kept for a buyer for a while. Whoever knows its token may buy them."""

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
"""Version of the answer that a held record is rendered to."""


class Hold(NamedTuple):
    """Times are in ms since 1970: it is honoured before `until_ms`, and due from then on."""

    since_ms: int
    until_ms: int
    quantity: int
    runs: list[SeatRange]

    @classmethod
    def parse(cls, kept: str) -> Self:
        """Reads what scripts keep: since|until|quantity|runs|holder."""
        since, until, quantity, runs, _holder = kept.split("|")
        return cls(int(since), int(until), int(quantity), SeatRange.parse_all(runs))

    def __str__(self) -> str:
        """As scripts keep it, but for its holder, whom the log does not know."""
        return f"{self.since_ms}|{self.until_ms}|{self.quantity}|{runs_text(self.runs)}|"


@dataclass(frozen=True, slots=True)
class HoldOrder:
    """What a buyer wants to hold: given seats, or the best ones for a quantity."""

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
        """Never that of a purchase: one key cannot be used for both."""
        asked = ["hold", str(self.quantity), str(self.together), *sorted(self.seats)]
        if self.category is not None or self.zone is not None or self.accessible or self.mix:
            asked.append(json.dumps([self.category, self.zone, self.accessible, self.mix]))
        return short_hash(*asked)


class HeldRecord(NamedTuple):
    """What is answered to whoever holds seats; kept under an idempotency key, if there was one.

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
        """Reads the text that hold.lua wrote: rendering|fingerprint|position|until|quantity|runs."""
        _rendering, _fingerprint, position, until_ms, quantity, runs = record.split("|")
        return cls(Position.parse(position), int(until_ms), int(quantity), SeatRange.parse_all(runs))


def new_token() -> str:
    """128 random bits."""
    return secrets.token_urlsafe(16)


def token_of_key(event_id: str, caller: str, key: str) -> str:
    """The token of a hold that was asked for with an idempotency key, so that a repetition can be told it again.

    As secret as the key, whose owner is told the token anyway; and nothing that is kept leads to either.
    """
    return short_hash("hold token", event_id, caller, key)


def hold_id(token: str) -> str:
    """What the token is kept as. Nothing leads back."""
    return short_hash("hold id", token)
