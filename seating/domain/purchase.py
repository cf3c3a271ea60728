"""A purchase: what is asked for, what identifies it, what is remembered of an accepted one, what to cancel of it."""

import json
import re
import secrets
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple, Self

from seating.domain.caller import ANONYMOUS
from seating.domain.cancellation import ALL, Bought, Cancellation, Part
from seating.domain.errors import InvalidRequest, PurchaseNotFound, SeatNotFound
from seating.domain.event import is_event_id
from seating.domain.idempotency import short_hash
from seating.domain.offer import BlockRange
from seating.domain.personal_data import PersonalData
from seating.domain.position import Position
from seating.domain.seating_plan import SeatRange, places
from seating.domain.sold_as import SoldAs

# `run:{e}` has one character for a block's longest run, and their alphabet ends at ten.
MAX_QUANTITY = 10

NO_WISH: Final = "|"
"""The text of an order that wishes nothing."""

_NONCE = re.compile(r"[0-9a-f]{16}")


class PurchaseId(NamedTuple):
    """`<event>.<position>.<64 random bits>`: it can be found before SQL has it, and cannot be guessed."""

    event_id: str
    position: Position
    nonce: str

    def __str__(self) -> str:
        return f"{self.event_id}.{self.position}.{self.nonce}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises PurchaseNotFound for anything that no purchase was ever called."""
        event_id, _, rest = text.partition(".")
        position, _, nonce = rest.partition(".")
        if not is_event_id(event_id) or _NONCE.fullmatch(nonce) is None:
            raise PurchaseNotFound
        try:
            return cls(event_id, Position.parse(position), nonce)
        except ValueError:
            raise PurchaseNotFound from None


class PurchaseState(StrEnum):
    ACCEPTED = "accepted"
    PERSISTED = "persisted"
    QUARANTINED = "quarantined"
    CANCELLED = "cancelled"


class Purchase(NamedTuple):
    """A purchase as it stands. `at_ms` is when it was made, in ms since 1970; `seats` are the ids of `runs`,
    `entry_seq` is where the ledger has it, 0 if that is not known. `tariff` is what each run was sold as, in
    `currency`. `cancelled` is what was cancelled of it, `why` the operator's reason where SQL has it, `cancelled_seats`
    are the ids and `cancelled_total` their prices together.

    Nobody but services names seats and categories: until then there are none.
    """

    id: PurchaseId
    state: PurchaseState
    at_ms: int
    quantity: int
    runs: list[SeatRange]
    personal: PersonalData = PersonalData()
    seats: Sequence[str] = ()
    entry_seq: int = 0
    tariff: str = ""
    currency: str | None = None
    sold_as: SoldAs | None = None
    cancelled: Cancellation | None = None
    cancelled_seats: Sequence[str] = ()
    cancelled_total: int | None = None
    why: str | None = None
    caller: str = ANONYMOUS.name

    @property
    def bought(self) -> Bought:
        return Bought(self.quantity, self.runs)

    @property
    def cancelled_ms(self) -> int | None:
        """When seats of it were last cancelled, in ms since 1970."""
        return self.cancelled.at_ms if self.cancelled else None

    @property
    def gone(self) -> Bought:
        """What of it is cancelled. Of one that was cancelled in quarantine, its state may be all that tells."""
        return self.bought if self.state is PurchaseState.CANCELLED else self.bought.cancelled(self.cancelled)

    @property
    def cancelled_quantity(self) -> int:
        return self.gone.quantity

    def with_cancellation(self, found: Cancellation | None) -> "Purchase":
        """As it stands once `found` is known too; another may know more."""
        # What is cancelled only grows, so of two readings the greater is the later one. Not `gone`: where only the
        # state tells that all is cancelled, `found` tells when.
        if found is None or self.bought.cancelled(found).quantity <= self.bought.cancelled(self.cancelled).quantity:
            return self
        state = PurchaseState.CANCELLED if found.is_whole else self.state
        return self._replace(state=state, cancelled=found, why=None)


def part_of(purchase: Purchase, seats: str, quantity: int | None) -> Part:
    """Return what is to be cancelled: given seats, so many places in all, or everything.

    Raises SeatNotFound, InvalidRequest.
    """
    if seats and quantity is not None:
        raise InvalidRequest("Give only one of seats and quantity", "quantity")
    if seats:
        own = dict(zip(purchase.seats, _singles(purchase.runs), strict=True)) if purchase.seats else {}
        # The longest first: an id may have commas, so one may be the beginning of another.
        named = dict.fromkeys(_listed(seats, sorted(own, key=len, reverse=True)))
        return Part(runs=[own[seat] for seat in named])
    if quantity is None:
        return ALL
    if purchase.seats:
        raise InvalidRequest("Quantity is for general admission: name the seats to cancel", "quantity")
    if quantity > purchase.quantity:
        raise InvalidRequest(f"Quantity cannot exceed the {purchase.quantity} places of this purchase", "quantity")
    return Part(quantity)


def _singles(runs: Sequence[SeatRange]) -> list[SeatRange]:
    return [SeatRange(*place, 1) for place in places(runs)]


def _listed(text: str, own: Sequence[str]) -> list[str]:
    """The ids of seats in `text`, with commas between them; an id may have commas too. `own` are the longest first."""
    found: list[str] = []
    rest = text
    while rest:
        seat = next((seat for seat in own if rest == seat or rest.startswith(f"{seat},")), None)
        if seat is None:
            raise SeatNotFound(seats=[rest.partition(",")[0]])
        found.append(seat)
        rest = rest[len(seat) + 1 :]
    return found


def buyer_hash(caller: str, buyer: str | None) -> str:
    """What a shop's buyer is counted by, while the event is open; "" for none."""
    return short_hash(caller, buyer) if buyer is not None else ""


def new_nonce() -> str:
    return secrets.token_hex(8)


class Order(NamedTuple):
    """What a buyer asks for, to buy or to hold: the best seats for a quantity, given seats, or what a hold has, whose
    token is given.

    `quantity` is the number of `seats` where they are given, and 0 where a `hold_token` is. `together` refuses a split,
    `mix` takes seats of several categories. The best seats are those of a `category` or a `zone`, or `accessible` ones,
    where that is asked for. `reference`, `buyer` and `note` are personal data.
    """

    quantity: int
    together: bool = False
    reference: str | None = None
    seats: tuple[str, ...] = ()
    hold_token: str | None = None
    category: str | None = None
    zone: str | None = None
    accessible: bool = False
    mix: bool = False
    buyer: str | None = None
    note: str | None = None

    @property
    def field(self) -> str:
        """What says how many seats are wanted, as bodies call it."""
        return "holdToken" if self.hold_token else "seats" if self.seats else "quantity"

    @property
    def personal(self) -> PersonalData:
        return PersonalData(self.buyer, self.reference, self.note)

    def fingerprint(self) -> str:
        """The same for every spelling of the same order, different for different ones.

        Nothing personal is in it, since the log keeps it for good: scripts compare that by itself.
        """
        return _fingerprint(self._replace(reference=None, buyer=None, note=None))

    def former_fingerprint(self) -> str | None:
        """What versions before personal data had a text of its own made of the same order; None where it is equal."""
        if self.reference is None or self.buyer is not None or self.note is not None:
            return None
        return _fingerprint(self)

    def hold_fingerprint(self) -> str:
        """Return the fingerprint as a hold, which never equals a purchase's. The log keeps it too."""
        asked = ["hold", str(self.quantity), str(self.together), *sorted(self.seats)]
        if wishes := self._wishes():
            asked.append(json.dumps(wishes))
        return short_hash(*asked)

    def wish_text(self, within: Sequence[BlockRange] = ()) -> str:
        """Return what the order wishes, as offer.lua reads it: `flags|first-last,…`.

        `within` are the blocks that are searched, all if there are none.
        """
        flags = (("t", self.together), ("m", self.mix), ("a", self.accessible), ("c", self.category is not None))
        wished, blocks = (flag for flag, is_set in flags if is_set), (f"{first}-{last}" for first, last in within)
        return f"{''.join(wished)}|{','.join(blocks)}"

    def _wishes(self) -> list[object]:
        """Return what fingerprints say of the best seats; empty if nothing is wished, as before wishes existed."""
        wishes: list[object] = [self.category, self.zone, self.accessible, self.mix]
        return wishes if wishes != [None, None, False, False] else []


@lru_cache(maxsize=256)
def _fingerprint(order: Order) -> str:
    """Most orders are for a quantity, and there are few of these."""
    asked: list[object] = [order.quantity, order.together, order.reference]
    if order.seats or order.hold_token:
        asked += [sorted(order.seats), order.hold_token]
    if wishes := order._wishes():
        asked.append(wishes)
    return short_hash(json.dumps(asked))
