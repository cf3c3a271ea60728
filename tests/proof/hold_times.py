"""I5: holds last to their last millisecond, and are over within a second. I7: what is released can be sold at once."""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from tests.proof.evidence import CLOCK_SLACK_MS, MS, Breach, Evidence
from tests.proof.history import Operation

FREE_WITHIN_MS = 1_000.0


class Lasting(NamedTuple):
    """When a hold ends, on the monotonic clock in ms, if nobody ends it: at the earliest, and at the latest."""

    least: float
    most: float


def check(evidence: Evidence) -> Iterator[Breach]:
    yield from evidence.breaches_in_ledger("I5")
    if evidence.clock_was_stepped:
        return  # Only the ledger says when a hold was over.
    yield from _honoured(evidence)
    yield from _refusals(evidence)
    yield from _sold_out(evidence)


def _honoured(evidence: Evidence) -> Iterator[Breach]:
    """Its buyer gets the seats until the hold is over, and not later."""
    ends = evidence.on_hold("release", "hold_purchase")
    for hold, answers in evidence.holds.items():
        if evidence.may_be_lost(answers[0]):
            continue
        for one in [*evidence.extensions.get(hold, ()), *ends.get(hold, ())]:
            lasting = _lasting(answers, evidence.extensions.get(hold, []), one)
            others = [end for end in ends.get(hold, ()) if end is not one and end.may_have_happened]
            may_have_ended = any(one.returned is None or end.invoked <= one.returned for end in others)
            if (
                _is_refused(one)
                and one.returned
                and one.returned / MS < lasting.least - CLOCK_SLACK_MS
                and not may_have_ended
            ):
                early_ms = lasting.least - one.returned / MS
                yield Breach("I5", f"a hold was refused {early_ms:.0f} ms before its end", (*answers, one))
            is_new = one.op != "release" and "Idempotent-Replayed" not in one.headers
            if one.outcome == "ok" and is_new and one.invoked / MS > lasting.most + CLOCK_SLACK_MS:
                late_ms = one.invoked / MS - lasting.most
                yield Breach("I5", f"a hold was honoured {late_ms:.0f} ms after its end", (*answers, one))


def _is_refused(one: Operation) -> bool:
    return one.outcome == "fail" and (one.answer or {}).get("code", (one.answer or {}).get("error")) == "HOLD_EXPIRED"


def _lasting(answers: list[Operation], extensions: list[Operation], by: Operation) -> Lasting:
    """When the hold ends, as far as its answers and extensions before `by` tell."""
    least, most = float("-inf"), float("-inf")
    for one in [*answers, *extensions]:
        if one is by:
            continue
        left_ms = (one.answer or {}).get("expiresInMs")
        if one.outcome == "ok" and left_ms is not None and one.returned:
            most = max(most, one.returned / MS + left_ms)
            if one.returned <= by.invoked:
                least = max(least, one.invoked / MS + left_ms)
        elif one.may_have_happened:
            most = float("inf")
    return Lasting(least, most)


def _refusals(evidence: Evidence) -> Iterator[Breach]:
    """Whoever is refused a seat is refused it for somebody who has it, or had it within the last second."""
    offset = evidence.clock_offset_ms
    ledger = evidence.ledger
    if offset is None or ledger.had_off_sale or ledger.merged:
        return
    for one in evidence.history.operations:
        answer = one.answer or {}
        if one.outcome != "fail" or answer.get("error") != "SEAT_UNAVAILABLE" or one.returned is None:
            continue
        if evidence.may_be_lost(one):  # And nobody may know who had the seat.
            continue
        from_ms = one.invoked / MS + offset[0] - FREE_WITHIN_MS
        until_ms = one.returned / MS + offset[1]
        for seat in answer.get("seats") or ():
            times = ledger.occupied.get(seat, [])
            if not any(time.from_ms <= until_ms and time.until_ms >= from_ms for time in times):
                past = [time for time in times if time.until_ms < from_ms]
                was_held = bool(past) and past[-1].by in evidence.holds
                what = (
                    f"{seat} was refused, {from_ms + FREE_WITHIN_MS - past[-1].until_ms:.0f} ms after " if past else ""
                )
                what += (
                    "its last hold ended" if was_held else "it was released" if past else f"{seat} was refused unsold"
                )
                holder = evidence.holds[past[-1].by][:1] if was_held else []
                yield Breach("I5" if was_held else "I7", what, (*holder, one))


def _sold_out(evidence: Evidence) -> Iterator[Breach]:
    """Whoever asks for a number of seats and is refused, is refused at a moment at which fewer were left."""
    offset, ledger = evidence.clock_offset_ms, evidence.ledger
    if offset is None or ledger.merged or ledger.has_categories:
        return
    seqs = list(evidence.changes)
    times = list(accumulate((change["at"] for change in evidence.changes.values()), max))
    for one in evidence.history.operations:
        wanted = one.arguments.get("quantity")
        if (one.answer or {}).get("error") != "SOLD_OUT" or one.returned is None or not wanted:
            continue
        if evidence.may_be_lost(one):
            continue
        before = bisect_right(times, one.invoked / MS + offset[0] - FREE_WITHIN_MS) - 1
        after = bisect_right(times, one.returned / MS + offset[1])
        left = [ledger.left[seq] for seq in seqs[max(before, 0) : after]]
        if left and min(left) >= wanted:
            yield Breach("I7", f"{wanted} seats were refused, and at least {min(left)} were left", (one,))
