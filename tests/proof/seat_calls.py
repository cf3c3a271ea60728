"""A run as calls on each of its seats: what each may do to the seat, and between which moments."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from seating.domain.hold import hold_id
from tests.proof.evidence import MS, Evidence, field_of, seats_of, seq_of, token_id
from tests.proof.final_state import FinalState
from tests.proof.history import Operation

_FREE_WITHIN_NS = 1_000_000_000
INFINITE = float("inf")


class SeatStatus(NamedTuple):
    """A letter as in the maps, and the purchase or hold that has the seat."""

    letter: str = "a"
    by: str = ""

    def __str__(self) -> str:
        words = {"a": "available", "h": "held", "s": "sold to", "o": "held by the organiser", "r": "blocked"}
        return f"{words.get(self.letter, 'sold at the box office')} {self.by[-16:]}".strip()


AVAILABLE = SeatStatus()


@dataclass(frozen=True, slots=True)
class SeatCall:
    """`kind` is buy, hold, buy_held, release, expire, cancel, lost, restored, set, refused, or final.

    `by` is whose the seat is then or was, `hold` the hold that is bought, `letter` what a seat is set to. `end` is
    infinite for what may take effect at any later time, or never. `over` is by when holds were surely over, in ns.
    """

    kind: str
    invoked: float
    end: float
    by: str = ""
    hold: str = ""
    letter: str = ""
    over: dict[str, float] | None = None
    operations: tuple[Operation, ...] = ()

    @classmethod
    def final(cls, status: SeatStatus) -> "SeatCall":
        """Return a look at the seat after all else."""
        latest = 2**63
        return cls("final", latest, latest + 1, status.by, letter=status.letter)

    @property
    def is_read(self) -> bool:
        return self.kind in ("refused", "final")

    @property
    def ends_it(self) -> bool:
        """Whether it may end a hold or purchase at any later time."""
        return self.kind in ("release", "expire", "cancel", "lost") and self.end == INFINITE

    def after(self, status: SeatStatus) -> SeatStatus | None:
        """Return what the seat is after this call; None if the call cannot have been answered as it was."""
        match self.kind, status.letter:
            case "buy", "a":
                return SeatStatus("s", self.by)
            case "hold", "a":
                return SeatStatus("h", self.by)
            case "buy_held", "h" if status.by == self.hold:
                return SeatStatus("s", self.by)
            case "release" | "expire", "h" if status.by == self.by:
                return AVAILABLE
            case "cancel" | "lost", "s" if status.by == self.by:
                return AVAILABLE
            case "restored", "a":
                return SeatStatus("s", self.by)
            case "set", "a" | "o" | "r" | "b":
                return SeatStatus(self.letter)
            case "refused", letter if letter != "a" and self._is_in_time(status):
                return status
            case "final", letter if letter == self.letter and self.by in ("", status.by):
                return status
        return None

    def _is_in_time(self, status: SeatStatus) -> bool:
        """A hold that was over a second before the call is no reason to refuse the seat."""
        is_hold = status.letter == "h" and self.over is not None
        return not is_hold or self.invoked <= (self.over or {}).get(status.by, INFINITE) + _FREE_WITHIN_NS


def final_statuses(final: FinalState) -> dict[str, SeatStatus]:
    """Return each seat as Redis has it, with the purchase that SQL has."""
    owners = dict(final.sold_seats)
    letters = {
        seat: final.maps.get(str(block), "").ljust(len(seats), "?")[at]
        for block, seats in enumerate(final.seats)
        for at, seat in enumerate(seats)
        if seat
    }
    return {
        seat: SeatStatus(letter, (owners.get(seat) or "") if letter == "s" else "") for seat, letter in letters.items()
    }


def calls_by_seat(evidence: Evidence) -> dict[str, list[SeatCall]]:
    """Return the calls on each seat of a hall."""
    found: dict[str, list[SeatCall]] = defaultdict(list)
    for seats, call in [*_purchases(evidence), *_holds(evidence), *_cancellations(evidence), *_settings(evidence)]:
        for seat in seats:
            found[seat].append(call)
    over = {hold: _over(evidence, answers) for hold, answers in evidence.holds.items()}
    for one in evidence.history.operations:
        answer = one.answer or {}
        if evidence.may_be_lost(one):  # And nobody may know who had the seat that was refused.
            continue
        if one.outcome == "fail" and answer.get("error") == "SEAT_UNAVAILABLE" and one.returned:
            for seat in answer.get("seats") or ():
                call = SeatCall("refused", one.invoked, one.returned, over=over, operations=(one,))
                found[seat].append(call)
    return found


_Calls = Iterable[tuple[Sequence[str], SeatCall]]


def _span(ops: Sequence[Operation]) -> tuple[float, float]:
    """From the first request that may have done it to the first answer that says that it is done."""
    possible = [one for one in ops if one.may_have_happened]
    ends = [one.returned for one in possible if one.outcome == "ok" and one.returned]
    return min((one.invoked for one in possible), default=-INFINITE), min(ends, default=INFINITE)


def _purchases(evidence: Evidence) -> _Calls:
    by_field: dict[str, list[Operation]] = defaultdict(list)
    for one in evidence.history.operations:
        if one.key and one.op in ("purchase", "hold_purchase"):
            by_field[field_of(one)].append(one)
    for purchase, answers in evidence.bought.items():
        # Who had no answer before may have bought it.
        begun = [one for one in by_field[field_of(answers[0])] if one.outcome == "unknown"]
        hold = answers[0].arguments.get("holdToken")
        kind, held = ("buy_held", token_id(answers[0])) if hold else ("buy", "")
        shown = (*begun[:1], answers[0])
        call = SeatCall(kind, *_span([*begun, *answers]), purchase, held, operations=shown)
        yield seats_of(answers[0]), call
        if purchase not in evidence.rows:  # Then it was lost, at any later moment.
            yield seats_of(answers[0]), SeatCall("lost", call.invoked, INFINITE, purchase)
    known = {purchase.rpartition(".")[2] for purchase in evidence.bought}
    for seq, change in evidence.changes.items():
        if change["kind"] == "purchased" and change["nonce"] not in known:
            asked = by_field.get(change["idempotency"], [])
            kind, held = ("buy_held", change["hold"]) if change.get("hold") else ("buy", "")
            position = change.get("original") or evidence.positions[seq]
            purchase = f"{evidence.final.event}.{position}.{change['nonce']}"
            invoked, _ = _span(asked)
            call = SeatCall(kind, invoked, INFINITE, purchase, held, operations=tuple(asked[:1]))
            yield evidence.final.ids_of(change["runs"]), call


def _holds(evidence: Evidence) -> _Calls:
    releases = evidence.on_hold("release")
    unknown = [one for one in evidence.history.operations if one.op == "hold" and one.outcome == "unknown"]
    for hold, answers in evidence.holds.items():
        begun = [one for one in unknown if one.key and one.key == answers[0].key]
        call = SeatCall("hold", *_span([*begun, *answers]), hold, operations=(*begun[:1], answers[0]))
        least: float = min(one.invoked + int((one.answer or {})["expiresInMs"]) * MS for one in answers)
        if evidence.may_be_lost(answers[0]) or evidence.clock_was_stepped:
            least = -INFINITE
        yield from _of_hold(seats_of(answers[0]), call, least, releases.get(hold, []))
    earliest, _ = _span(unknown)
    for change in evidence.changes.values():
        if change["kind"] == "held" and change["hold"] not in evidence.holds:
            call = SeatCall("hold", earliest, INFINITE, change["hold"])
            seats = evidence.final.ids_of(change["runs"])
            yield from _of_hold(seats, call, -INFINITE, releases.get(change["hold"], []))


def _of_hold(seats: Sequence[str], call: SeatCall, least: float, releases: Sequence[Operation]) -> _Calls:
    yield seats, call
    yield seats, SeatCall("expire", least, INFINITE, call.by)
    if any(one.may_have_happened for one in releases):
        invoked, end = _span(releases)
        if least == -INFINITE:  # The release may be lost, or the hold before it.
            end = INFINITE
        yield seats, SeatCall("release", invoked, end, call.by, operations=(releases[0],))


def _over(evidence: Evidence, answers: Sequence[Operation]) -> float:
    """By when a hold is surely over, in ns."""
    hold = hold_id(str((answers[0].answer or {}).get("holdToken")))
    extensions = [one for one in evidence.extensions.get(hold, ()) if one.may_have_happened]
    ends = []
    for one in [*answers, *extensions]:
        left_ms = (one.answer or {}).get("expiresInMs")
        is_known = one.returned is not None and left_ms is not None and not evidence.clock_was_stepped
        ends.append(one.returned + left_ms * MS if is_known else INFINITE)
    return max(ends)


def _cancellations(evidence: Evidence) -> _Calls:
    seats = {row.id: row.seats for row in evidence.final.purchases}
    asked: dict[tuple[str, str], list[Operation]] = defaultdict(list)
    for one in evidence.history.operations:
        if one.op == "cancel" and one.may_have_happened:
            purchase = str(one.arguments.get("purchase"))
            for seat in one.arguments.get("seats") or seats.get(purchase, ()):
                asked[purchase, seat].append(one)
    for (purchase, seat), ops in asked.items():
        invoked, end = _span(ops)
        if evidence.may_be_lost(ops[0]):
            end = INFINITE
            # Of a cancellation that is lost the purchase stands again; whoever got the seat meanwhile has lost it too.
            if purchase in evidence.rows and seat in evidence.rows[purchase].standing_seats:
                yield [seat], SeatCall("restored", invoked, INFINITE, purchase)
        yield [seat], SeatCall("cancel", invoked, end, purchase, operations=(ops[0],))


def _settings(evidence: Evidence) -> _Calls:
    """Only the ledger tells which seats of a category were changed, and which of those asked for were so already."""
    by_seq: dict[int, Operation] = {}
    unknown = []
    for one in evidence.history.operations:
        if one.op == "set_seats" and one.outcome == "ok" and evidence.setting_of(one):
            by_seq[seq_of(str((one.answer or {})["position"]))] = one
        elif one.op == "set_seats" and one.outcome == "unknown":
            unknown.append(one)
    for seq, change in evidence.changes.items():
        if change["kind"] == "seat_set":
            ops = [by_seq[seq]] if seq in by_seq else unknown
            invoked, end = _span(ops)
            call = SeatCall("set", invoked, end, letter=change["status"], operations=tuple(ops[:1]))
            yield evidence.final.ids_of(change["runs"]), call
