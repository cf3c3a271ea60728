"""A run as calls on each of its seats: what each may do to the seat, and between which moments."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from seating.domain.hold import hold_id
from seating.domain.seat_status import SETTABLE
from tests.proof.evidence import MS, Evidence, field_of, seats_of, seq_of, token_id
from tests.proof.final_state import FinalState
from tests.proof.history import Operation
from tests.proof.seat_register import AVAILABLE, INFINITE, SeatCall, SeatStatus


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
    for seat, calls in found.items():
        found[seat] = [*calls, *_losses(evidence, calls)]
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


def _losses(evidence: Evidence, calls: Sequence[SeatCall]) -> Iterable[SeatCall]:
    for fault in evidence.history.faults:
        if fault.may_lose:
            made = {call.made for call in calls if call.invoked <= fault.ended and call.made is not None}
            yield SeatCall("loss", fault.begun, fault.ended, before=(AVAILABLE, *(made - {AVAILABLE})))


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
        yield seats_of(answers[0]), SeatCall(kind, *_span([*begun, *answers]), purchase, held, operations=shown)
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
        if evidence.clock_was_stepped:
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
    for one in releases:
        if one.may_have_happened:
            yield seats, SeatCall("release", *_span([one]), call.by, operations=(one,))


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
    # SQL knows those without an answer; answers tell of those that SQL has lost.
    seats = {purchase: seats_of(answers[0]) for purchase, answers in evidence.bought.items()}
    seats |= {row.id: row.seats for row in evidence.final.purchases}
    asked: dict[tuple[str, str], list[Operation]] = defaultdict(list)
    for one in evidence.history.operations:
        if one.op == "cancel" and one.may_have_happened:
            purchase = str(one.arguments.get("purchase"))
            for seat in one.arguments.get("seats") or seats.get(purchase, ()):
                asked[purchase, seat].append(one)
    for (purchase, seat), ops in asked.items():
        if not evidence.may_lose:
            yield [seat], SeatCall("cancel", *_span(ops), purchase, operations=(ops[0],))
            continue
        for one in ops:  # What was lost may be cancelled again.
            yield [seat], SeatCall("cancel_again", *_span([one]), purchase, operations=(one,))


def _settings(evidence: Evidence) -> _Calls:
    """Only the ledger tells which seats of a category were changed, and which of those asked for were so already."""
    by_seq: dict[int, Operation] = {}
    unknown = []
    for one in evidence.history.operations:
        if one.op == "set_seats" and one.outcome == "ok" and evidence.setting_of(one):
            by_seq[seq_of(str((one.answer or {})["position"]))] = one
        elif one.op == "set_seats" and one.outcome == "unknown":
            unknown.append(one)
        if (
            one.op == "set_seats"
            and one.may_have_happened
            and evidence.may_be_lost(one)
            and not evidence.setting_of(one)
        ):
            letter = SETTABLE.get(one.arguments.get("status", ""), "a")
            call = SeatCall("set", one.invoked, INFINITE, letter=letter, operations=(one,))
            yield one.arguments.get("seats", ()), call
    for seq, change in evidence.changes.items():
        if change["kind"] == "seat_set":
            ops = [by_seq[seq]] if seq in by_seq else unknown
            invoked, end = _span(ops)
            call = SeatCall("set", invoked, end, letter=change["status"], operations=tuple(ops[:1]))
            yield evidence.final.ids_of(change["runs"]), call
