"""The changes that a log entry can tell of.

`by` is who asked for a change as an operator; None where nobody did, or a version before wrote it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from seating.domain.actor import Actor
from seating.domain.offer import Offer
from seating.domain.personal_data import PersonalData, hash_of
from seating.domain.position import Position
from seating.domain.seating_plan import SeatRange


@dataclass(frozen=True, slots=True)
class Opened:
    """The event began with `capacity` seats, as a draft or on sale."""

    at_ms: int
    capacity: int
    by: Actor | None = None
    state: str = "on_sale"
    offer: Offer | None = None


@dataclass(frozen=True, slots=True)
class Purchased:
    """`quantity` seats were sold; `left` remained after that. `runs` are empty in general admission.

    `hold` is the id of the hold that they were bought from, None for what was available. `original` is the position
    that the buyer was answered with, where the entry stands for one of a history that was lost; `replayed_ms` is when
    an operator had it sold again. `tariff` is what each run was sold as, `category:price,…`, in `currency`. `private`
    is the hash of the personal data beside the entry, None for none; `reference` is that of an entry of a version that
    wrote it here.
    """

    at_ms: int
    quantity: int
    left: int
    runs: list[SeatRange]
    nonce: str
    idempotency: str
    fingerprint: str
    rendering: int
    reference: str | None
    hold: str | None = None
    caller: str = "anonymous"
    private: str | None = None
    original: Position | None = None
    replayed_ms: int | None = None
    by: Actor | None = None
    tariff: str = ""
    currency: str | None = None

    def vouches_for(self, private: str | None) -> bool:
        """Whether `private`, which stands beside the entry, is what was written with it, or has been erased."""
        return private is None or hash_of(private) == self.private

    def personal_data(self, private: str | None) -> PersonalData:
        """What is known of it; `private` is what stands beside the entry."""
        if private is None or not self.vouches_for(private):
            return PersonalData(reference=self.reference)
        return PersonalData.parse(private)


@dataclass(frozen=True, slots=True)
class Held:
    """A buyer holds `quantity` seats until `until_ms`. `idempotency` is empty for one without a key.

    `sealed` is its token, sealed with the key; `note_ms` is how long a note of the key stays when it has ended.
    """

    at_ms: int
    hold: str
    until_ms: int
    quantity: int
    left: int
    runs: list[SeatRange]
    idempotency: str
    fingerprint: str
    rendering: int
    sealed: str = ""
    note_ms: int = 0
    original: Position | None = None


@dataclass(frozen=True, slots=True)
class HoldChanged:
    """A hold took in `added` and gave back `removed`; it has `quantity` seats then, `runs`, and `left` remained.

    Those `off_sale` of the removed ones cannot be had since then.
    """

    at_ms: int
    hold: str
    quantity: int
    left: int
    runs: list[SeatRange]
    added: list[SeatRange]
    removed: list[SeatRange]
    off_sale: list[SeatRange] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Extended:
    """A hold lasts longer: until `until_ms`."""

    at_ms: int
    hold: str
    until_ms: int


@dataclass(frozen=True, slots=True)
class Released:
    """A hold's seats returned: it `expired`, or else was given back. Those `off_sale` cannot be had since then."""

    at_ms: int
    hold: str
    quantity: int
    left: int
    runs: list[SeatRange]
    expired: bool
    off_sale: list[SeatRange] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SeatSet:
    """The organiser set seats to `status`, as a map has it. `was` is what they were: a letter for all, or one a run.

    Those `off_sale` were to be available, and cannot be had while their category is off sale. `quantity` is the number
    of places in general admission without categories, which has no runs.
    """

    at_ms: int
    was: str
    status: str
    left: int
    runs: list[SeatRange]
    by: Actor | None = None
    off_sale: list[SeatRange] = field(default_factory=list)
    quantity: int = 0

    def parts(self) -> Iterator[tuple[SeatRange, str]]:
        """Each run, and what its seats were."""
        return zip(self.runs, self.was if len(self.was) == len(self.runs) else self.was * len(self.runs), strict=True)


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The operator cancelled a purchase: `quantity` seats of it returned, and `left` remained after that.

    `remaining` is how many seats the purchase still has, 0 if all of it is cancelled. Those `off_sale` cannot be had.
    """

    at_ms: int
    purchase: Position
    quantity: int
    left: int
    runs: list[SeatRange]
    remaining: int = 0
    by: Actor | None = None
    off_sale: list[SeatRange] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StateSet:
    """The sale was paused, put on sale again, or closed for good. `was` is None where a version before wrote it."""

    at_ms: int
    state: str
    was: str | None = None
    by: Actor | None = None


@dataclass(frozen=True, slots=True)
class OfferSet:
    """The event is sold on other conditions from now on. `was` is the offer before, None for none.

    `blocked` seats went off sale with their categories, and `returned` ones came back; `left` remained after that.
    """

    at_ms: int
    offer: Offer
    left: int
    blocked: int
    returned: int
    was: Offer | None = None
    by: Actor | None = None


@dataclass(frozen=True, slots=True)
class Trusted:
    """A term began: `server` may sell, once SQL has this entry. `nonce` tells two terms of one server apart."""

    at_ms: int
    server: str
    nonce: str
    database: str


@dataclass(frozen=True, slots=True)
class Merged:
    """Two histories were made one: SQL's, which ended at `after`, and Redis's, which ended at `tail`.

    `digest` is the SHA-256 of the merged state, which SQL keeps. Seqs between `after` and this entry may be missing.
    """

    at_ms: int
    after: Position | None
    tail: Position
    digest: str
    by: Actor | None = None


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The inventory was made again of what SQL had, which ended at `after`. Nothing is sold in its epoch."""

    at_ms: int
    after: Position
    reason: str
    by: Actor | None = None


Change = (
    Opened
    | Purchased
    | Held
    | HoldChanged
    | Extended
    | Released
    | SeatSet
    | Cancelled
    | StateSet
    | OfferSet
    | Trusted
    | Merged
    | Rebuilt
)
