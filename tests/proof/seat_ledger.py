"""A plain second reading of the ledger: who has each seat after each entry, and which entries could not be.

It shares no code with the product's fold but the reading of runs and offers.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from seating.domain.offer import Offer
from seating.domain.seating_plan import SeatRange
from tests.proof.final_state import FinalState, LedgerLine

Place = str | int
"""The id of a seat; or the number of an area, whose places are counted; or 0 in general admission without areas."""


class Occupied(NamedTuple):
    """By whom, and from when until when, in ms by Redis's clock."""

    by: str
    from_ms: int
    until_ms: float


@dataclass(slots=True)
class LedgerHold:
    runs: str
    until_ms: int


@dataclass
class SeatLedger:
    """`wrong` has the invariant that an entry breaks, how, and what positions and holds it is about.

    `left` is what can be had after each seq, `status` the letter of each seat that ever changed, `owner` what it is
    sold or held as. `occupied` has all times at which a seat could not be had, but for categories off sale. `standing`
    has how many places of a purchase are not cancelled.
    """

    final: FinalState
    wrong: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    left: dict[int, int] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    owner: dict[str, str] = field(default_factory=dict)
    counted: Counter[str] = field(default_factory=Counter)
    occupied: dict[str, list[Occupied]] = field(default_factory=dict)
    standing: dict[str, int] = field(default_factory=dict)
    holds: dict[str, LedgerHold] = field(default_factory=dict)
    state: str = "on_sale"
    merged: bool = False
    had_off_sale: bool = False
    has_categories: bool = False
    _areas: dict[int, Counter[str]] = field(default_factory=dict)
    _term: str = ""
    _rebuilding: str = ""

    @classmethod
    def walk(cls, final: FinalState) -> "SeatLedger":
        ledger = cls(final)
        for line in final.ledger:
            change = json.loads(line.change)
            if change["kind"] == "merged":  # What it took in is not in the ledger.
                return replace(ledger, merged=True)
            if change["kind"] in _STEPS:
                _STEPS[change["kind"]](ledger, line, change)
            ledger._check(line, change)
        return ledger

    def _check(self, line: LedgerLine, change: dict[str, Any]) -> None:
        epoch, _, seq = line.position.rpartition("-")
        is_replayed = epoch == self._rebuilding or "original" in change
        self.left[int(seq)] = left = self.counted["a"]
        counts = [self.counted, *self._areas.values()]
        if min(number for counted in counts for number in counted.values()) < 0:
            self._refuse("I1", line, f"leaves {dict(self.counted)} of {self.final.capacity}")
        if "left" in change and change["left"] != left and not is_replayed:
            self._refuse("I6", line, f"says that {change['left']} are left, not {left}")
        if change["kind"] == "trusted":
            self._term = epoch
        elif change["kind"] == "rebuilt":
            self._rebuilding = epoch
        elif epoch not in (self._term, self._rebuilding) and change["kind"] in ("purchased", "held", "extended"):
            self._refuse("I6", line, "belongs to a term that was not begun")

    def _refuse(self, invariant: str, line: LedgerLine, why: str, other: str = "") -> None:
        change = json.loads(line.change)
        about = (line.position, str(change.get("hold")), str(change.get("purchase")), other)
        self.wrong.append((invariant, f"entry {line.position}, {change['kind']}, {why}", about))

    def _opened(self, line: LedgerLine, change: dict[str, Any]) -> None:
        self.state = change.get("state", "on_sale")
        self.counted["a"] = change["capacity"]
        if change.get("offer"):
            self.has_categories = bool(change["offer"]["categories"])
            if not self.final.seats:
                categories = enumerate(Offer.from_fields(change["offer"]).categories)
                self._areas = {number: Counter(a=category.capacity or 0) for number, category in categories}
            self._offer_set(line, change)

    def _offer_set(self, _line: LedgerLine, change: dict[str, Any]) -> None:
        """Block what can be had of categories off sale, and give back that of the others."""
        offer = Offer.from_fields(change["offer"])
        for block, seats in enumerate(self.final.seats):
            was, now = ("a", "x") if offer.is_off_sale(block) else ("x", "a")
            for seat in filter(None, seats):
                if self.status.get(seat, "a") == was:
                    self._turn(seat, was, now)
        for area, places in self._areas.items():
            was, now = ("a", "x") if offer.is_off_sale(area) else ("x", "a")
            self._turn(area, was, now, places[was])

    def _turn(self, place: Place, was: str, now: str, number: int = 1) -> None:
        self.counted[was] -= number
        self.counted[now] += number
        self.had_off_sale |= now == "x" and number > 0
        if isinstance(place, str):
            self.status[place] = now
        elif place in self._areas:
            self._areas[place][was] -= number
            self._areas[place][now] += number

    def _places(self, runs: str, quantity: int) -> Iterator[tuple[Place, int]]:
        """Yield each seat, or each area and how many of its places."""
        if not self.final.seats and not self._areas:
            yield 0, quantity
        for run in SeatRange.parse_all(runs):
            if self.final.seats:
                yield from ((seat, 1) for seat in self.final.ids_of(str(run)))
            else:
                yield run.block, run.length

    def _take(self, line: LedgerLine, change: dict[str, Any], was: str, now: str, by: str, until: float) -> None:
        """Give what `was` available or held by `by` to `by`."""
        for place, number in self._places(change["runs"], change.get("quantity", 0)):
            if isinstance(place, str):
                self._check_taken(line, change, place, was, by)
                self._leave(place, change["at"])
                self.occupied.setdefault(place, []).append(Occupied(by, change["at"], until))
                self.owner[place] = by
                self._turn(place, self.status.get(place, "a"), now)
            else:
                self._turn(place, was, now, number)

    def _check_taken(self, line: LedgerLine, change: dict[str, Any], seat: str, was: str, by: str) -> None:
        found = self.status.get(seat, "a")
        if found == was and (was == "a" or self.owner.get(seat) == by):
            return
        owner = self.owner.get(seat, "")
        hold = self.holds.get(owner)
        if found == "h" and hold and hold.until_ms > change["at"]:
            left_ms = hold.until_ms - change["at"]
            self._refuse("I5", line, f"takes {seat}, which is held for another {left_ms} ms", owner)
        else:
            self._refuse("I1", line, f"takes {seat}, which is {found} by {owner or 'the organiser'}", owner)

    def _leave(self, seat: str, at_ms: int) -> None:
        times = self.occupied.get(seat)
        if times:
            times[-1] = times[-1]._replace(until_ms=min(times[-1].until_ms, at_ms))

    def _give_back(self, change: dict[str, Any], was: str, runs: str, quantity: int = 0) -> None:
        off_sale = change["off_sale"].split(",") if "off_sale" in change else []
        found = SeatRange.parse_all(runs)
        for run in map(str, found) if found else [""] * bool(quantity):
            now = "x" if run in off_sale else "a"
            for place, number in self._places(run, quantity):
                if isinstance(place, str):
                    self._leave(place, change["at"])
                    self.owner.pop(place, None)
                    was = self.status.get(place, "a")
                self._turn(place, was, now, number)

    def _purchased(self, line: LedgerLine, change: dict[str, Any]) -> None:
        bought = change.get("original") or line.position
        hold = self.holds.pop(change["hold"], None) if change.get("hold") else None
        if change.get("hold") and hold is None and "original" not in change:
            self._refuse("I5", line, f"sells hold {change['hold']}, which has ended")
        if hold and hold.until_ms <= change["at"] and "original" not in change:
            self._refuse("I5", line, f"sells a hold that is over since {change['at'] - hold.until_ms} ms")
        if self.state != "on_sale" and "by" not in change and "original" not in change:
            self._refuse("I6", line, f"sells while the sale is {self.state}")
        by = change["hold"] if hold else bought
        self._take(line, change, "h" if hold else "a", "s", by, float("inf"))
        self.owner |= dict.fromkeys(self.final.ids_of(change["runs"]), bought)
        self.standing[bought] = change["quantity"]

    def _held(self, line: LedgerLine, change: dict[str, Any]) -> None:
        self._take(line, change, "a", "h", change["hold"], change["until"])
        self.holds[change["hold"]] = LedgerHold(change["runs"], change["until"])

    def _open_hold(self, line: LedgerLine, change: dict[str, Any]) -> LedgerHold | None:
        hold = self.holds.get(change["hold"])
        if hold is None or hold.until_ms <= change["at"]:
            self._refuse("I5", line, f"is about hold {change['hold']}, which has ended")
            return None
        return hold

    def _hold_changed(self, line: LedgerLine, change: dict[str, Any]) -> None:
        if hold := self._open_hold(line, change):
            self._give_back(change, "h", change["removed"])
            self._take(line, change | {"runs": change["added"]}, "a", "h", change["hold"], hold.until_ms)
            hold.runs = change["runs"]

    def _extended(self, line: LedgerLine, change: dict[str, Any]) -> None:
        if hold := self._open_hold(line, change):
            hold.until_ms = change["until"]
            for seat in self.final.ids_of(hold.runs):
                self.occupied[seat][-1] = self.occupied[seat][-1]._replace(until_ms=change["until"])

    def _released(self, line: LedgerLine, change: dict[str, Any]) -> None:
        hold = self.holds.pop(change["hold"], None)
        if hold is None:
            self._refuse("I5", line, f"releases hold {change['hold']}, which has ended")
            return
        if change["expired"] and change["at"] < hold.until_ms:
            self._refuse("I5", line, f"ends a hold {hold.until_ms - change['at']} ms early")
        self._give_back(change, "h", change["runs"], change["quantity"])

    def _seat_set(self, line: LedgerLine, change: dict[str, Any]) -> None:
        runs = [str(run) for run in SeatRange.parse_all(change["runs"])]
        letters = change["was"] if len(change["was"]) == len(runs) else change["was"] * len(runs)
        for run, was in zip(runs, letters, strict=True):
            if change["status"] == "a":
                self._give_back(change, was, run)
            else:
                self._take(line, change | {"runs": run}, was, change["status"], "", float("inf"))
        if not runs:
            self._turn(0, change["was"], change["status"], change.get("quantity", 0))

    def _cancelled(self, line: LedgerLine, change: dict[str, Any]) -> None:
        bought = change["purchase"]
        if bought not in self.standing:
            return  # It waits in quarantine, which confirmed.py looks at.
        self.standing[bought] -= change["quantity"]
        strange = [seat for seat in self.final.ids_of(change["runs"]) if self.owner.get(seat) != bought]
        if strange or self.standing[bought] < 0:
            self._refuse("I1", line, f"gives back what {bought} does not have: {strange or change['quantity']}")
        self._give_back(change, "s", change["runs"], change["quantity"])

    def _state(self, _line: LedgerLine, change: dict[str, Any]) -> None:
        self.state = change["state"]


_STEPS = {
    "opened": SeatLedger._opened,
    "offer": SeatLedger._offer_set,
    "purchased": SeatLedger._purchased,
    "held": SeatLedger._held,
    "hold_changed": SeatLedger._hold_changed,
    "extended": SeatLedger._extended,
    "released": SeatLedger._released,
    "seat_set": SeatLedger._seat_set,
    "cancelled": SeatLedger._cancelled,
    "state": SeatLedger._state,
}
