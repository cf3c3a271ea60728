"""I2: what was acknowledged is recorded exactly once. I10: a buyer who was told that SQL has it was told the truth."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tests.proof.evidence import Breach, Evidence, seq_of, token_id
from tests.proof.final_state import BoughtRow
from tests.proof.history import Operation

_KILLING_WEB: Final = ("web process killed", "web server killed", "launcher killed")
_WRITTEN_WITHIN_NS: Final = 1_000_000_000


def check(evidence: Evidence) -> Iterator[Breach]:
    yield from _purchases(evidence)
    yield from _reported(evidence)
    yield from _other_changes(evidence)
    yield from _waited(evidence)


def _purchases(evidence: Evidence) -> Iterator[Breach]:
    final = evidence.final
    rows = evidence.rows
    told = Counter(row.id for row in final.purchases)
    entries = Counter(change["nonce"] for change in evidence.changes.values() if change["kind"] == "purchased")
    for purchase, answers in evidence.bought.items():
        first, answer = answers[0], answers[0].answer or {}
        row = rows.get(purchase)
        if row is None:
            is_excused = _is_reported(evidence, str(answer.get("position"))) or _died_unwritten(evidence, answers)
            if not (is_excused and evidence.may_be_lost(first)):
                yield Breach("I2", f"{purchase} was acknowledged, and is not in SQL", (first,))
            continue
        if told[purchase] > 1 or (entries[purchase.rpartition(".")[2]] != 1 and not evidence.ledger.merged):
            times = max(told[purchase], entries[purchase.rpartition(".")[2]])
            yield Breach("I2", f"{purchase} was acknowledged, and is in SQL {times} times", (first,))
        said = (answer.get("quantity"), sorted(answer.get("seats") or ()), answer.get("seatsRemaining"))
        if said != (row.quantity, sorted(row.seats), row.seats_left) or answer.get("position") != row.position:
            yield Breach("I2", f"SQL has {purchase} otherwise than was acknowledged: {row}", (first,))


def _is_reported(evidence: Evidence, position: str) -> bool:
    """Whether it is listed as lost, or waits in quarantine for an operator."""
    if any(aside.position == position for aside in evidence.final.quarantine):
        return True
    epoch, seq = position.rpartition("-")[0], seq_of(position)
    ranges = ((first.rpartition("-")[0], seq_of(first), seq_of(last)) for first, last in evidence.final.losses)
    return any(epoch == at and first <= seq <= last for at, first, last in ranges)


def _died_unwritten(evidence: Evidence, answers: Sequence[Operation]) -> bool:
    """Whether all processes that knew of it may have been killed before they wrote down what they had confirmed.

    If Redis has lost it as well, nobody is left who could report it: record 8 says so.
    """
    killed = [fault.begun for fault in evidence.history.faults if fault.fault in _KILLING_WEB]
    return all(any(0 <= begun - (one.returned or 0) <= _WRITTEN_WITHIN_NS for begun in killed) for one in answers)


def _reported(evidence: Evidence) -> Iterator[Breach]:
    """Nothing is called lost, or refused by SQL, unless a fault may have lost something."""
    if not evidence.may_lose:
        for first, last in evidence.final.losses:
            yield Breach("I2", f"{first} to {last} are called lost, and no fault may lose anything")
        for aside in evidence.final.quarantine:
            yield Breach("I2", f"{aside.position} is in quarantine ({aside.reason}), and no fault may lose anything")


def _other_changes(evidence: Evidence) -> Iterator[Breach]:
    """Acknowledged holds, cancellations and acts of the organiser are in the ledger."""
    if evidence.ledger.merged:
        return
    kept = evidence.rows
    held = {change["hold"] for change in evidence.changes.values() if change["kind"] == "held"}
    ended = {change.get("hold") for change in evidence.changes.values() if change["kind"] in ("released", "purchased")}
    for one in evidence.history.operations:
        if one.outcome != "ok" or evidence.may_be_lost(one):
            continue
        if one.op == "release" and token_id(one) in held and token_id(one) not in ended:
            yield Breach("I2", "the release of a hold was acknowledged, and is not in SQL", (one,))
        if one.op == "cancel" and not _is_cancelled(one, kept):
            yield Breach("I2", f"the cancellation of {one.arguments['purchase']} is not in SQL", (one,))
        if one.op == "set_seats" and (one.answer or {}).get("changed") and not evidence.setting_of(one):
            yield Breach("I2", "seats were set by the organiser, and SQL does not have it", (one,))
    for hold, answers in evidence.holds.items():
        if hold not in held and not evidence.may_be_lost(answers[0]):
            yield Breach("I2", "a hold was acknowledged, and is not in SQL", (answers[0],))


def _is_cancelled(one: Operation, kept: Mapping[str, BoughtRow]) -> bool:
    row = kept.get(str(one.arguments["purchase"]))
    if row is None:
        return True  # _purchases says so.
    asked = one.arguments.get("seats")
    if asked:
        return row.cancelled == row.quantity or set(asked) <= set(row.cancelled_seats)
    return row.cancelled >= (one.arguments.get("quantity") or row.quantity)


def _waited(evidence: Evidence) -> Iterator[Breach]:
    """SQL must have what it was said to have, even if Redis then lost everything, but not if both went back."""
    went_back = any(fault.target == "sql" and "restored" in fault.fault for fault in evidence.history.faults)
    waited: dict[str, Operation] = {}
    for purchase, answers in evidence.bought.items():
        for one in answers:
            if one.headers.get("Preference-Applied") == "wait":
                waited.setdefault(purchase, one)
        is_excused = went_back and evidence.may_be_lost(answers[0])
        if purchase in waited and purchase not in evidence.rows and not is_excused:
            yield Breach("I10", f"{purchase} was said to be in SQL, and is not", (waited[purchase],))
    for one in evidence.history.acknowledged("get"):
        before = waited.get(str(one.arguments.get("purchase")))
        is_after = before and before.returned and before.returned < one.invoked
        if before and is_after and not went_back and (one.answer or {}).get("state") == "accepted":
            yield Breach("I10", f"{one.arguments['purchase']} was said to be in SQL before it was", (before, one))
