"""What callers were told, and what must have become of it: the plain model of the promise.

Each promise is one line; a process that told it remembers it for as long as it lives.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from seating.domain.position import Position
from seating.domain.purchase import Order
from seating.domain.receipt import Receipt
from seating.storage.answered import Loss


@dataclass
class Promise:
    """`kind` is bought, cancelled, closed, box office, or other. `by` are the processes that told it.

    `position` is what they noted as answered; `subject` the purchase's id, or the seat.
    """

    kind: str
    position: Position
    by: set[int]
    subject: str = ""
    seats: tuple[str, ...] = ()
    key: str = ""
    order: Order | None = None
    receipt: Receipt | None = None


@dataclass
class Kept:
    """What the stores have in the end. `standing` maps the ids of purchases to whether they stand.

    `aside` has the positions in quarantine, each with its resolution; `seats_aside` the seats of
    box-office sales there; `answered` has the seqs of each epoch that SQL knows to have been told.
    """

    state: str
    box_office: set[str]
    standing: dict[str, bool]
    aside: dict[Position, set[str | None]]
    seats_aside: set[str]
    answered: dict[int, range]
    losses: list[Loss]


@dataclass
class Promises:
    told: list[Promise] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)
    """Ids of purchases whose cancellation was asked for, and seats that the organiser asked to have back."""
    taken_back: set[str] = field(default_factory=set)
    """Ids of purchases that the operator took back in quarantine, where they had no seats; nobody else knows of it."""

    def purchase(self, purchase_id: str) -> Promise | None:
        return next((one for one in self.told if one.kind == "bought" and one.subject == purchase_id), None)

    def broken(self, kept: Kept, alive: set[int]) -> Iterator[str]:
        """What was promised and is neither kept, nor reported, nor waiting, though somebody remembers it."""
        for one in self.told:
            is_kept = self._is_kept(one, kept)
            if is_kept or is_reported(one, kept) or not _is_remembered(one, kept, alive):
                continue
            yield f"{one.kind} {one.subject or one.key} at {one.position} is gone, and nobody says so"
        yield from self._blamed(kept)

    def _is_kept(self, one: Promise, kept: Kept) -> bool:
        match one.kind:
            case "bought" if one.subject in self.taken_back and one.subject not in kept.standing:
                return True
            case "bought" if one.subject in self.withdrawn and "cancelled" in kept.aside.get(one.position, ()):
                return True  # It waited in quarantine, and was taken back there.
            case "bought":
                return kept.standing.get(one.subject, one.subject in self.withdrawn and None) in (
                    {True, False} if one.subject in self.withdrawn else {True}
                )
            case "cancelled":
                return not kept.standing.get(one.subject, True)
            case "closed":
                return kept.state == "closed"
            case "box office":
                return one.subject in kept.box_office or one.subject in self.withdrawn
        return True

    def _blamed(self, kept: Kept) -> Iterator[str]:
        """Losses that are none: all that was told of their positions is kept."""
        for loss in kept.losses:
            inside = [one for one in self.told if loss.first <= one.position <= loss.last]
            if inside and all(one.kind == "bought" and self._is_kept(one, kept) for one in inside):
                yield f"{loss.first} to {loss.last} are called lost, and are not"


def is_reported(one: Promise, kept: Kept) -> bool:
    """Listed as lost, or put aside where the operator sees it or decided upon it."""
    return any(loss.first <= one.position <= loss.last for loss in kept.losses) or _waits(one, kept)


def _waits(one: Promise, kept: Kept) -> bool:
    resolutions = kept.aside.get(one.position, set())
    if one.kind == "box office" and one.subject in kept.seats_aside:
        return True
    if one.kind == "bought":
        return bool(resolutions & {None, "superseded", "settled"})
    return bool(resolutions)


def _is_remembered(one: Promise, kept: Kept, alive: set[int]) -> bool:
    return bool(one.by & alive) or one.position.seq in kept.answered.get(one.position.epoch, ())


def twice(keys_of_standing: Iterable[str]) -> list[str]:
    keys = list(keys_of_standing)
    return sorted({key for key in keys if keys.count(key) > 1})
