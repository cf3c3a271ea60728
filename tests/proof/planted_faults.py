"""Small lies about a clean run, each of which the checker must see through: an invariant, and how it is broken."""

import json
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from tests.proof.evidence import MS, purchase_of, seats_of, seq_of
from tests.proof.final_state import AsideRow, BoughtRow, FinalState, LedgerLine
from tests.proof.history import InjectedFault, Operation, RecordedHistory, ViewerMap


@dataclass
class RecordedRun:
    """A copy of a recorded run, to be changed."""

    history: RecordedHistory
    finals: list[FinalState]

    @property
    def hall(self) -> FinalState:
        return self.finals[0]

    @property
    def floor(self) -> FinalState:
        return self.finals[1]

    def copy(self) -> "RecordedRun":
        """What lists and dicts hold is not changed, so it may be shared."""
        return RecordedRun(_copied(self.history), [_copied(final) for final in self.finals])

    def find(self, *ops: str, outcome: str = "ok", **wanted: Any) -> list[Operation]:
        """Return operations on the hall, by answer's fields."""
        return [
            one
            for one in self.history.operations
            if one.event == self.hall.event and one.op in ops and one.outcome == outcome
            if all((one.answer or {}).get(name) == value for name, value in wanted.items())
        ]

    def put(self, old: Operation, **new: Any) -> Operation:
        """Replace an operation by one that differs from it."""
        changed = replace(old, **new)
        self.history.operations[self.history.operations.index(old)] = changed
        self.history.operations.sort(key=lambda one: one.invoked)
        return changed

    def answer(self, old: Operation, **fields: Any) -> Operation:
        return self.put(old, answer={**(old.answer or {}), **fields})

    def add(self, like: Operation, **new: Any) -> Operation:
        added = replace(like, **new)
        self.history.operations.append(added)
        self.history.operations.sort(key=lambda one: one.invoked)
        return added

    def forget(self, *ops: Operation) -> None:
        self.history.operations = [one for one in self.history.operations if one not in ops]

    def end(self) -> int:
        return max(one.returned or one.invoked for one in self.history.operations)

    def row(self, number: int = 0) -> BoughtRow:
        """A recorded purchase of the hall that is not cancelled."""
        return [row for row in self.hall.purchases if not row.cancelled][number]

    def put_row(self, old: BoughtRow, **new: Any) -> None:
        rows = self.hall.purchases
        rows[rows.index(old)] = old._replace(**new)

    def bought(self, row: BoughtRow) -> list[Operation]:
        return [one for one in self.find("purchase", "hold_purchase") if purchase_of(one) == row.id]

    def remove(self, row: BoughtRow) -> None:
        """From the tables; the ledger keeps it."""
        self.hall.purchases.remove(row)
        self.hall.sold_seats = [sold for sold in self.hall.sold_seats if sold[1] != row.id]

    def entry(self, kind: str, number: int = 0, **wanted: Any) -> tuple[int, dict[str, Any]]:
        """The index and the change of one in the hall's ledger."""
        changes = [(at, json.loads(line.change)) for at, line in enumerate(self.hall.ledger)]
        is_it = [(at, one) for at, one in changes if one["kind"] == kind and wanted.items() <= one.items()]
        return is_it[number]

    def put_entry(self, at: int, change: dict[str, Any]) -> None:
        """Without making the chain right."""
        line = self.hall.ledger[at]
        self.hall.ledger[at] = line._replace(change=json.dumps(change, separators=(",", ":")))


def _copied(of: Any) -> Any:
    return type(of)(*(copy(getattr(of, field.name)) for field in fields(of)))


Plant = Callable[[RecordedRun], None]
PLANTED: Final[list[tuple[str, Plant]]] = []


def breaks(invariant: str) -> Callable[[Plant], Plant]:
    def note(plant: Plant) -> Plant:
        PLANTED.append((invariant, plant))
        return plant

    return note


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


def _held_and_bought(run: RecordedRun) -> tuple[Operation, Operation]:
    bought = run.find("hold_purchase")[0]
    token = bought.arguments["holdToken"]
    return run.find("hold", holdToken=token)[0], bought


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
    run.put_entry(at, change | {"at": change["at"] - 500})


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
    """The one that was waited for, when nobody else had it since."""
    held = run.find("hold")[-1]
    over = (held.returned or 0) + ((held.answer or {})["expiresInMs"] + 1_200) * MS
    bought = run.find("purchase")[-1]
    assert set(seats_of(bought)) == set(seats_of(held))
    answer = {"error": "SEAT_UNAVAILABLE", "seats": list(seats_of(held))}
    earlier = bought.invoked - 2 * MS
    assert over > held.invoked
    run.add(bought, client=98, key="k", outcome="fail", answer=answer, invoked=earlier, returned=earlier + MS)


@breaks("I6")
def altered_entry(run: RecordedRun) -> None:
    at, change = run.entry("purchased")
    run.put_entry(at, change | {"at": change["at"] + 1})


@breaks("I6")
def missing_entry(run: RecordedRun) -> None:
    at, _ = run.entry("released")
    del run.hall.ledger[at]


@breaks("I6")
def wrong_map(run: RecordedRun) -> None:
    seats = run.hall.maps["0"]
    run.hall.maps["0"] = ("a" if seats[0] != "a" else "s") + seats[1:]


@breaks("I6")
def watermark_behind(run: RecordedRun) -> None:
    line = run.hall.ledger[-2]
    run.hall.watermark = f"{line.position} {line.link}"


@breaks("I6")
def act_missing_in_the_audit_log(run: RecordedRun) -> None:
    run.hall.audit.pop()


@breaks("I6")
def act_twice_in_the_audit_log(run: RecordedRun) -> None:
    run.hall.audit.append(run.hall.audit[-1])


@breaks("I6")
def log_that_differs_from_the_ledger(run: RecordedRun) -> None:
    line = run.hall.log[-1]
    run.hall.log[-1] = LedgerLine(line.position, line.change.replace('"at":1', '"at":2', 1), line.link)


@breaks("I6")
def wrong_count_of_held_seats(run: RecordedRun) -> None:
    run.floor.inventory["held"] = "1"


@breaks("I6")
def wrong_count_of_seats_left(run: RecordedRun) -> None:
    at, change = run.entry("purchased")
    run.put_entry(at, change | {"left": change["left"] + 1})


@breaks("I6")
def organisers_seat_missing(run: RecordedRun) -> None:
    run.hall.organiser_seats.pop()


@breaks("I6")
def sale_in_a_term_that_was_not_begun(run: RecordedRun) -> None:
    at, _ = run.entry("purchased")
    epoch, _, seq = run.hall.ledger[at].position.partition("-")
    run.hall.ledger[at] = run.hall.ledger[at]._replace(position=f"{int(epoch) + 1}-{seq}")


@breaks("I6")
def something_the_product_finds(run: RecordedRun) -> None:
    run.hall.findings.append("the longest runs of its blocks do not match their seats")


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


@breaks("I8")
def viewer_with_a_wrong_seat(run: RecordedRun) -> None:
    shown = run.history.maps[0]
    letter = "a" if shown.seats[0] != "a" else "s"
    run.history.maps[0] = replace(shown, seats=letter + shown.seats[1:])


@breaks("I8")
def viewer_that_stopped(run: RecordedRun) -> None:
    run.history.maps[0] = replace(run.history.maps[0], position=run.hall.ledger[-2].position)


@breaks("I8")
def wrong_snapshot(run: RecordedRun) -> None:
    at, shown = next((at, one) for at, one in enumerate(run.history.maps) if one.client < 0)
    run.history.maps[at] = ViewerMap(-1, shown.event, shown.position, "h" * len(shown.seats))


def _fault(run: RecordedRun, ended: int) -> None:
    run.history.faults.append(InjectedFault("killed", ended - MS, ended, may_lose=False, target="worker"))


@breaks("I9")
def lag_not_seen_to_end(run: RecordedRun) -> None:
    _fault(run, run.end())


@breaks("I9")
def lag_ends_late(run: RecordedRun) -> None:
    last = max(run.find("get", lag=0), key=lambda one: one.returned or 0)
    run.forget(*(one for one in run.find("get", lag=0) if one is not last))
    _fault(run, last.invoked)
    run.put(last, returned=last.invoked + 61_000 * MS)


@breaks("I9")
def entries_not_in_sql(run: RecordedRun) -> None:
    run.hall.inventory["persisted"] = str(int(run.hall.inventory["persisted"]) - 1)


def _waited(run: RecordedRun) -> Operation:
    return next(one for one in run.find("purchase") if one.headers.get("Preference-Applied") == "wait")


@breaks("I10")
def said_to_be_in_sql_and_is_not(run: RecordedRun) -> None:
    run.remove(next(row for row in run.hall.purchases if row.id == purchase_of(_waited(run))))


@breaks("I10")
def said_to_be_in_sql_before_it_was(run: RecordedRun) -> None:
    bought = purchase_of(_waited(run))
    run.answer(next(one for one in run.find("get") if one.arguments.get("purchase") == bought), state="accepted")


@breaks("I11")
def message_that_never_came(run: RecordedRun) -> None:
    came = run.find("webhook")[3]
    run.forget(*(one for one in run.history.operations if one.op == "webhook" and one.key == came.key))


@breaks("I11")
def messages_out_of_order(run: RecordedRun) -> None:
    first, second = run.find("webhook")[:2]
    run.put(first, key=second.key)
    run.put(second, key=first.key)


@breaks("I11")
def repetition_of_a_message_with_other_bytes(run: RecordedRun) -> None:
    came = run.find("webhook")[5]
    run.add(came, body_sha="0" * 64)


@breaks("I11")
def message_of_nothing(run: RecordedRun) -> None:
    run.add(run.find("webhook")[5], key=f"msg_{run.hall.event}.1-1")


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
