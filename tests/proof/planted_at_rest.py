"""Planted faults about what is there in the end, and who was told of it: I6, and I8 to I11."""

from dataclasses import replace

from tests.proof.evidence import MS, purchase_of
from tests.proof.final_state import LedgerLine
from tests.proof.history import InjectedFault, Operation, ViewerMap
from tests.proof.planting import RecordedRun, breaks


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
def inventory_that_does_not_sell(run: RecordedRun) -> None:
    run.hall.inventory["server"] = ""


@breaks("I6")
def something_the_product_finds(run: RecordedRun) -> None:
    run.hall.findings.append("the longest runs of its blocks do not match their seats")


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
    _fault(run, last.invoked - 61_000 * MS)


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
