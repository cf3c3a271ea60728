"""Planted faults about who bought and asked for what: I1 to I4."""

from tests.proof.evidence import seats_of
from tests.proof.final_state import AsideRow
from tests.proof.history import InjectedFault, Operation
from tests.proof.planting import RecordedRun, breaks


@breaks("I1")
def seat_sold_twice_in_sql(run: RecordedRun) -> None:
    run.hall.sold_seats.append((run.hall.sold_seats[0][0], run.row(1).id))


@breaks("I1")
def two_purchases_with_one_seat(run: RecordedRun) -> None:
    first, second = run.row(0), run.row(1)
    run.put_row(second, seats=(first.seats[0], *second.seats[1:]))


@breaks("I1")
def seat_sold_to_somebody_else(run: RecordedRun) -> None:
    at = next(at for at, sold in enumerate(run.hall.sold_seats) if sold[1] == run.row(0).id)
    run.hall.sold_seats[at] = (run.hall.sold_seats[at][0], run.row(1).id)


@breaks("I1")
def seat_of_a_purchase_not_sold(run: RecordedRun) -> None:
    run.hall.sold_seats.remove((run.row(0).seats[0], run.row(0).id))


@breaks("I1")
def two_buyers_told_the_same_seat(run: RecordedRun) -> None:
    first, second = run.bought(run.row(0))[0], run.bought(run.row(1))[0]
    run.answer(second, seats=[seats_of(first)[0], *seats_of(second)[1:]])


@breaks("I1")
def more_sold_than_there_is_in_redis(run: RecordedRun) -> None:
    run.floor.inventory["sold"] = str(run.floor.capacity + 1)


@breaks("I1")
def more_sold_than_there_is_in_sql(run: RecordedRun) -> None:
    row = run.floor.purchases[-1]
    run.floor.purchases[-1] = row._replace(quantity=run.floor.capacity + 1)


@breaks("I1")
def ledger_sells_a_sold_seat(run: RecordedRun) -> None:
    (_, first), (at, second) = run.entry("purchased", 0), run.entry("purchased", 1)
    run.put_entry(at, second | {"runs": first["runs"], "quantity": first["quantity"]})


@breaks("I2")
def confirmed_purchase_not_in_sql(run: RecordedRun) -> None:
    run.remove(run.row())


@breaks("I2")
def confirmed_purchase_twice_in_sql(run: RecordedRun) -> None:
    run.hall.purchases.append(run.row())


@breaks("I2")
def confirmed_purchase_twice_in_the_ledger(run: RecordedRun) -> None:
    at, _ = run.entry("purchased")
    epoch, seq = run.hall.ledger[-1].position.split("-")
    run.hall.ledger.append(run.hall.ledger[at]._replace(position=f"{epoch}-{int(seq) + 1}"))


@breaks("I2")
def confirmed_purchase_recorded_otherwise(run: RecordedRun) -> None:
    run.put_row(run.row(), quantity=run.row().quantity + 1)


@breaks("I2")
def confirmed_purchase_at_another_position(run: RecordedRun) -> None:
    run.put_row(run.row(), position=f"{run.row().position}9")


@breaks("I2")
def quarantine_without_a_fault(run: RecordedRun) -> None:
    line = run.hall.ledger[-1]
    run.hall.quarantine.append(AsideRow(line.position, line.change, "poison", None))


@breaks("I2")
def loss_without_a_fault(run: RecordedRun) -> None:
    run.hall.losses.append((run.row().position, run.row().position))


@breaks("I2")
def loss_that_is_not_reported(run: RecordedRun) -> None:
    end = run.end()
    run.history.faults.append(InjectedFault("emptied", end, end, may_lose=True, target="redis"))
    run.remove(run.row())


@breaks("I2")
def cancellation_not_in_sql(run: RecordedRun) -> None:
    cancelled = next(row for row in run.hall.purchases if row.cancelled)
    run.put_row(cancelled, cancelled=0, cancelled_seats=())


@breaks("I2")
def hold_not_in_the_ledger(run: RecordedRun) -> None:
    at, change = run.entry("held")
    run.put_entry(at, change | {"hold": "somebody_else's_hold.."})


@breaks("I2")
def organiser_not_in_the_ledger(run: RecordedRun) -> None:
    at, change = run.entry("seat_set")
    run.put_entry(at, {"kind": "extended", "at": change["at"], "hold": "", "until": 0})


@breaks("I3")
def purchase_of_a_refused_request(run: RecordedRun) -> None:
    for one in run.bought(run.row()):
        run.put(one, outcome="fail", status=409, answer={"error": "SOLD_OUT"})


@breaks("I3")
def purchase_that_nobody_asked_for(run: RecordedRun) -> None:
    run.forget(*run.bought(run.row()))


@breaks("I3")
def purchase_of_something_else(run: RecordedRun) -> None:
    for one in run.bought(next(row for row in run.hall.purchases if "quantity" in run.bought(row)[0].arguments)):
        run.put(one, arguments={"quantity": 10})


@breaks("I3")
def hold_that_nobody_asked_for(run: RecordedRun) -> None:
    run.forget(run.find("hold")[0])


@breaks("I3")
def cancellation_that_nobody_asked_for(run: RecordedRun) -> None:
    run.forget(*run.find("cancel"))


@breaks("I3")
def seats_set_by_nobody(run: RecordedRun) -> None:
    run.forget(*run.find("set_seats"))


@breaks("I3")
def row_without_an_entry(run: RecordedRun) -> None:
    row = run.row()
    run.hall.purchases.append(row._replace(id=f"{row.id[:-4]}0000", seats=()))


def _repeated(run: RecordedRun) -> Operation:
    return next(one for one in run.find("purchase") if "Idempotent-Replayed" in one.headers)


@breaks("I4")
def repetition_with_other_bytes(run: RecordedRun) -> None:
    run.put(_repeated(run), body_sha="0" * 64)


@breaks("I4")
def repetition_that_bought_again(run: RecordedRun) -> None:
    run.answer(_repeated(run), purchaseId=run.row().id)


@breaks("I4")
def repetition_that_is_not_called_one(run: RecordedRun) -> None:
    run.put(_repeated(run), headers={})


@breaks("I4")
def key_that_bought_something_else(run: RecordedRun) -> None:
    run.put(_repeated(run), arguments={"quantity": 9})


@breaks("I4")
def key_with_two_holds(run: RecordedRun) -> None:
    held = next(one for one in run.find("hold") if one.key)
    run.add(held, answer={**(held.answer or {}), "holdToken": "another"})


@breaks("I4")
def key_with_two_entries(run: RecordedRun) -> None:
    (_, first), (at, second) = run.entry("purchased", 0), run.entry("purchased", 1)
    run.put_entry(at, second | {"idempotency": first["idempotency"]})
