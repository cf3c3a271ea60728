"""What a sale with holds does, in plain Python: one dictionary of seats, one of holds, one of purchases."""

from dataclasses import dataclass, field

from seating.domain.purchase import MAX_QUANTITY
from seating.domain.seat_status import AVAILABLE, BLOCKED, BOX_OFFICE, HELD, ORGANISER, SOLD
from seating.domain.seating_plan import SeatingPlan
from tests.inventory.best_place import best_seats


class Refused(Exception):
    """The code of the error that the product has to answer with."""


@dataclass
class ModelHold:
    seats: list[str]
    since_ms: int
    until_ms: int
    holder: str


@dataclass
class SaleModel:
    """Times in ms. Tokens and keys are whatever the test calls them by."""

    plan: SeatingPlan
    ttl_ms: int
    max_ms: int
    step_ms: int
    max_seats: int
    now_ms: int
    state: str = "on_sale"
    seats: dict[str, str] = field(default_factory=dict)
    holds: dict[str, ModelHold] = field(default_factory=dict)
    purchases: dict[str, list[str]] = field(default_factory=dict)
    ended_ms: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.seats = {seat: AVAILABLE for block in self.plan.blocks for row in block for seat in row}

    def maps(self) -> list[str]:
        return ["|".join("".join(self.seats[seat] for seat in row) for row in block) for block in self.plan.blocks]

    def counts(self) -> dict[str, int]:
        statuses = list(self.seats.values())
        return {
            "sold": statuses.count(SOLD) + statuses.count(BOX_OFFICE),
            "held": statuses.count(HELD) + statuses.count(ORGANISER),
            "blocked": statuses.count(BLOCKED),
        }

    def buy(self, key: str, quantity: int = 0, seats: list[str] | None = None, *, together: bool = False) -> list[str]:
        self._require_on_sale()
        self.purchases[key] = chosen = self._choose(quantity, seats, together)
        self._mark(chosen, SOLD)
        return chosen

    def buy_held(self, key: str, token: str) -> list[str]:
        self._require_on_sale()
        hold = self._hold(token)
        self._end(token)
        self.purchases[key] = hold.seats
        self._mark(hold.seats, SOLD)
        return hold.seats

    def hold(self, token: str, holder: str, quantity: int = 0, seats: list[str] | None = None) -> list[str]:
        self._require_on_sale()
        self.release_due()
        held = sum(len(hold.seats) for hold in self.holds.values() if hold.holder == holder)
        if held + (quantity or len(seats or [])) > self.max_seats:
            raise Refused("TOO_MANY_HELD")
        chosen = self._choose(quantity, seats, together=False)
        self.holds[token] = ModelHold(chosen, self.now_ms, self.now_ms + self.ttl_ms, holder)
        self._mark(chosen, HELD)
        return chosen

    def extend(self, token: str) -> int:
        hold = self._hold(token)
        until_ms = min(self.now_ms + self.ttl_ms, hold.since_ms + self.max_ms)
        if until_ms >= hold.until_ms + self.step_ms:
            hold.until_ms = until_ms
        return hold.until_ms

    def change(self, token: str, add: list[str], remove: list[str]) -> list[str]:
        if add:
            self._require_on_sale()
        hold = self._hold(token)
        joining = [seat for seat in add if seat not in hold.seats]
        leaving = [seat for seat in remove if seat in hold.seats]
        seats = [seat for seat in self.seats if (seat in hold.seats or seat in joining) and seat not in leaving]
        if not 1 <= len(seats) <= MAX_QUANTITY:
            raise Refused("VALIDATION_ERROR")
        if hold.holder and len(seats) > len(hold.seats):
            held = sum(len(other.seats) for other in self.holds.values() if other.holder == hold.holder)
            if held + len(seats) - len(hold.seats) > self.max_seats:
                raise Refused("TOO_MANY_HELD")
        if any(self.seats[seat] != AVAILABLE for seat in joining):
            raise Refused("SEAT_UNAVAILABLE")
        if joining or leaving:
            hold.seats = seats
        self._mark(leaving, AVAILABLE)
        self._mark(joining, HELD)
        return hold.seats

    def release(self, token: str) -> None:
        self._mark(self._hold(token).seats, AVAILABLE)
        self._end(token)

    def cancel(self, key: str) -> None:
        self._mark(self.purchases.pop(key), AVAILABLE)

    def cancel_part(self, key: str, seats: set[str]) -> None:
        self._mark([seat for seat in self.purchases[key] if seat in seats], AVAILABLE)
        self.purchases[key] = [seat for seat in self.purchases[key] if seat not in seats]

    def set_seats(self, seats: list[str], status: str) -> None:
        self.release_due()
        for taken, refusal in ((SOLD, "SEAT_SOLD"), (HELD, "SEAT_HELD")):
            if any(self.seats[seat] == taken for seat in seats):
                raise Refused(refusal)
        self._mark(seats, status)

    def forget_holders(self) -> None:
        """What a rebuild cannot know."""
        for hold in self.holds.values():
            hold.holder = ""

    def release_due(self) -> None:
        for token, hold in list(self.holds.items()):
            if hold.until_ms <= self.now_ms:
                self._mark(hold.seats, AVAILABLE)
                self._end(token)

    def _choose(self, quantity: int, seats: list[str] | None, together: bool) -> list[str]:
        self.release_due()
        if seats is not None:
            if any(self.seats[seat] != AVAILABLE for seat in seats):
                raise Refused("SEAT_UNAVAILABLE")
            return self.plan.seats_of(self.plan.runs_of(seats))
        maps = self.maps()
        if sum(seats.count(AVAILABLE) for seats in maps) < quantity:
            raise Refused("SOLD_OUT")
        runs = best_seats(maps, quantity, together=together)
        if runs is None:
            raise Refused("NOT_TOGETHER")
        return self.plan.seats_of(runs)

    def _hold(self, token: str) -> ModelHold:
        self.release_due()
        if token not in self.holds:
            raise Refused("HOLD_EXPIRED")
        return self.holds[token]

    def _end(self, token: str) -> None:
        """`ended_ms` is when at the earliest the product knows it."""
        self.ended_ms[token] = min(self.now_ms, self.holds.pop(token).until_ms)

    def _require_on_sale(self) -> None:
        if self.state != "on_sale":
            raise Refused("NOT_ON_SALE")

    def _mark(self, seats: list[str], status: str) -> None:
        self.seats |= dict.fromkeys(seats, status)
