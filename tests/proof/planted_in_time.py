"""Planted faults about when seats are held, free or sold: I5, I7, and the order of all that was answered."""

import json

from tests.proof.evidence import MS, purchase_of, seats_of, seq_of
from tests.proof.history import Operation
from tests.proof.planting import RecordedRun, breaks


def _held_and_bought(run: RecordedRun) -> tuple[Operation, Operation]:
    """The quickest: on a slow machine another may have had its answer after the hold's end."""
    pairs = [(run.find("hold", holdToken=one.arguments["holdToken"])[0], one) for one in run.find("hold_purchase")]
    return min(pairs, key=lambda pair: (pair[1].returned or 0) - pair[0].invoked)


@breaks("I5")
def hold_refused_before_its_end(run: RecordedRun) -> None:
    _, bought = _held_and_bought(run)
    run.put(bought, outcome="fail", status=409, answer={"error": "HOLD_EXPIRED"})


@breaks("I5")
def hold_bought_after_its_end(run: RecordedRun) -> None:
    held, bought = _held_and_bought(run)
    late = (held.returned or 0) + ((held.answer or {})["expiresInMs"] + 500) * MS
    run.put(bought, invoked=late, returned=late + MS)


@breaks("I5")
def hold_ended_early(run: RecordedRun) -> None:
    at, change = run.entry("released", expired=True)
    said = (json.loads(line.change) for line in run.hall.ledger[:at])
    until = [one["until"] for one in said if one.get("hold") == change["hold"] and "until" in one][-1]
    run.put_entry(at, change | {"at": until - 500})


@breaks("I5")
def ended_hold_sold(run: RecordedRun) -> None:
    _, bought = _held_and_bought(run)
    seq = seq_of((bought.answer or {})["position"])
    change = json.loads(run.hall.ledger[seq - 1].change)
    run.put_entry(seq - 1, change | {"at": change["at"] + 60_000})


@breaks("I5")
def held_seat_sold_to_another(run: RecordedRun) -> None:
    changes = [json.loads(line.change) for line in run.hall.ledger]
    for at, held in enumerate(changes):
        ends = (later for later, one in enumerate(changes) if one.get("hold") == held.get("hold") and later > at)
        for between in range(at + 1, next(ends, at) if held["kind"] == "held" else at):
            if changes[between]["kind"] == "purchased" and not changes[between]["hold"]:
                taken = {"runs": held["runs"], "quantity": held["quantity"], "at": held["at"]}
                run.put_entry(between, changes[between] | taken)
                return
    raise AssertionError("nothing was sold while seats were held")


@breaks("I5")
def seat_refused_long_after_its_hold(run: RecordedRun) -> None:
    """The hold that was waited for ended earlier than its buyer was told."""
    held, bought = run.find("hold")[-1], run.find("purchase")[-1]
    assert seats_of(bought) == seats_of(held)
    seq = seq_of((held.answer or {})["position"])
    change = json.loads(run.hall.ledger[seq - 1].change)
    run.put_entry(seq - 1, change | {"until": change["until"] - 1_000})
    answer = {"error": "SEAT_UNAVAILABLE", "seats": list(seats_of(held))}
    before = bought.invoked - 500 * MS
    run.add(bought, client=98, key="k", outcome="fail", answer=answer, invoked=before, returned=before + 1)


def _seat_taken_last(run: RecordedRun) -> str:
    """The seat that was available for longest since the beginning."""
    changes = [json.loads(line.change) for line in run.hall.ledger]
    taken = dict.fromkeys(seat for change in changes for seat in run.hall.ids_of(change.get("runs", "")))
    return [*taken][-1]


@breaks("I7")
def free_seat_refused(run: RecordedRun) -> None:
    one = run.find("purchase")[0]
    answer = {"error": "SEAT_UNAVAILABLE", "seats": [_seat_taken_last(run)]}
    run.add(one, key="k", outcome="fail", status=409, answer=answer)


@breaks("I7")
def sold_out_while_seats_are_left(run: RecordedRun) -> None:
    one = run.find("purchase")[0]
    run.add(one, key="k", arguments={"quantity": 1}, outcome="fail", status=409, answer={"error": "SOLD_OUT"})


@breaks("linearizable")
def bought_before_it_was_free(run: RecordedRun) -> None:
    """The second buyer of a cancelled purchase's seat has the answer before the cancellation is asked for."""
    for cancelled in run.find("cancel"):
        for bought in run.find("purchase"):
            mine = next((row for row in run.hall.purchases if row.id == cancelled.arguments["purchase"]), None)
            if mine and set(seats_of(bought)) & set(mine.seats) and bought.invoked > (cancelled.returned or 0):
                early = run.bought(mine)[0].returned or 0
                for one in run.bought(next(row for row in run.hall.purchases if row.id == purchase_of(bought))):
                    run.put(one, invoked=early + 1, returned=early + 2)
                return
    raise AssertionError("no seat was sold again")


@breaks("linearizable")
def refused_before_it_was_bought(run: RecordedRun) -> None:
    """Just before its first buyer asked for it: within the second that I7 allows."""
    taken: set[str] = set()
    first = None
    for line in run.hall.ledger:
        seats = run.hall.ids_of(json.loads(line.change).get("runs", ""))
        its = run.find("purchase", position=line.position)
        if its and seats[0] not in taken:
            first = its[0]
        taken |= set(seats)
    assert first is not None
    answer = {"error": "SEAT_UNAVAILABLE", "seats": [seats_of(first)[0]]}
    before = min(one.invoked for one in run.history.operations if one.key == first.key)
    run.add(first, key="k", outcome="fail", answer=answer, invoked=before - 2, returned=before - 1)


@breaks("linearizable")
def ledger_in_another_order_than_the_answers(run: RecordedRun) -> None:
    first, last = run.bought(run.row(0))[0], run.bought(run.row(-1))[0]
    run.put(last, invoked=first.invoked - 2, returned=first.invoked - 1)


@breaks("linearizable")
def unanswered_buyer_of_a_sold_seat(run: RecordedRun) -> None:
    """Whoever got no answer cannot have taken the seat from its owner."""
    first, second = run.row(0), run.row(1)
    (answered, *_), (asked, *_) = run.bought(first), run.bought(second)
    for one in run.bought(second):
        run.put(one, outcome="unknown", status=None, answer=None, body_sha=None)
    at, change = run.entry("purchased", nonce=second.id.rpartition(".")[2])
    _, other = run.entry("purchased", nonce=first.id.rpartition(".")[2])
    run.put_entry(at, change | {"runs": other["runs"]})
    run.hall.sold_seats = [(seat, second.id if owner == first.id else owner) for seat, owner in run.hall.sold_seats]
    assert answered.invoked != asked.invoked
