"""Many seats at once as the organiser wants them: all or none, on record with who did it, and never a buyer's seat."""

import threading
from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import delete, insert

from seating.domain.actor import Actor
from seating.domain.errors import (
    HoldExpired,
    InvalidRequest,
    SeatHeld,
    SeatNotFound,
    SeatSold,
    SeatUnavailable,
    SoldOut,
)
from seating.domain.offer import CategoryOffer, Offer
from seating.domain.plan_file import read
from seating.domain.plan_format import PlanFile
from seating.domain.recovery_errors import NotReplayable
from seating.domain.seat_selection import SeatSelection
from seating.domain.seat_status import AVAILABLE, BOX_OFFICE
from seating.domain.seating_plan import GeneratedPlan, SeatingPlan, generate
from seating.redis_store import keys
from seating.redis_store.calls import Scripts
from seating.storage import audit as audit_record
from seating.storage import organiser
from seating.storage.tables import quarantine, sold_seats
from tests.one_process import OPERATOR, OneProcess, on_sqlite
from tests.seating_plan_file import theatre
from tests.terms.backups import backup, restore, trim

HALL = SeatingPlan([[["A1", "A2", "A3", "A4"], ["B1", "B2", "B3", "B4"]], [["C1", "C2"]]])


def _chosen(*seats: str) -> SeatSelection:
    return SeatSelection(seats)


def _set(sale: OneProcess, event: str, status: str, *seats: str, by: Actor = OPERATOR) -> int:
    return sale.seats.set_all(event, _chosen(*seats), status, by).changed


def _listed(sale: OneProcess, event: str, status: str | None = None) -> list[tuple[str, str]]:
    return [(seat.seat_id, seat.status) for seat in sale.seats.set_by_organiser(event, "", 100, status).page.items]


def test_seats_of_several_statuses_become_one(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    _set(sale, event, "held", "A2", "B1")
    _set(sale, event, "sold", "C2")
    assert _set(sale, event, "reserved", "C2", "A1", "A2", "A3", "B1") == 5
    counts = sale.now(event).counts
    assert (counts.sold, counts.held, counts.blocked, counts.remaining) == (0, 0, 5, 5)
    assert Counter(sale.statuses(event).values()) == {"reserved": 5, "available": 5}
    sale.persist(event)
    assert sale.check.reconcile(event) == []


def test_what_is_so_already_is_not_counted_and_not_logged(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    assert _set(sale, event, "reserved", "A1", "A2") == 2
    assert _set(sale, event, "reserved", "A1", "A2", "A3") == 1
    assert _set(sale, event, "reserved", "A1", "A3") == 0
    sale.persist(event)
    assert sale.told(event) == ["opened", "trusted", "seat_set", "seat_set"]


@on_sqlite
@pytest.mark.parametrize(("take", "refusal"), [("buy", SeatSold), ("hold", SeatHeld)])
def test_a_seat_that_a_buyer_has_refuses_them_all_and_is_named(
    sale: OneProcess, take: str, refusal: type[SeatSold]
) -> None:
    event = sale.open(plan=HALL)
    if take == "buy":
        sale.buy_seats(event, "key", "A2", "C1")
    else:
        sale.hold(event, "A2", "C1")
    before = sale.now(event)
    with pytest.raises(refusal) as refused:
        _set(sale, event, "reserved", "A1", "A2", "C1", "C2")
    assert refused.value.facts["seats"] == ["A2", "C1"]
    assert sale.now(event)._replace(now_ms=0) == before._replace(now_ms=0)


@on_sqlite
def test_those_that_buyers_own_and_those_that_they_hold_are_named(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    sale.buy_seats(event, "key", "B1")
    sale.hold(event, "A1")
    with pytest.raises(SeatSold) as refused:
        _set(sale, event, "reserved", "A1", "A2", "B1")
    assert refused.value.facts["seats"] == ["A1", "B1"]


def test_a_poisoned_change_does_not_undo_a_later_one(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    taken = {"event_id": event, "seat_id": "B4", "purchase_id": None}
    sale.database.write(lambda connection: connection.execute(insert(sold_seats).values(taken)))
    _set(sale, event, "sold", "B3", "B4")
    _set(sale, event, "available", "B3")
    sale.persist(event)
    (aside,) = sale.rows(quarantine, event)
    sale.database.write(lambda connection: connection.execute(delete(sold_seats).where(sold_seats.c.seat_id == "B4")))
    with pytest.raises(NotReplayable, match="set again since then"):
        sale.quarantine.replay(event, f"{aside.epoch}-{aside.seq}", OPERATOR)
    assert _listed(sale, event) == []


@on_sqlite
def test_an_unknown_seat_and_one_given_twice_are_named(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    with pytest.raises(SeatNotFound) as unknown:
        _set(sale, event, "reserved", "A1", "Z9")
    assert unknown.value.facts["seats"] == ["Z9"]
    with pytest.raises(InvalidRequest, match="A1 is given twice"):
        _set(sale, event, "reserved", "A1", "A1")


@on_sqlite
def test_a_category_and_a_zone_are_all_of_their_seats(sale: OneProcess) -> None:
    event = sale.open(plan=read(PlanFile.model_validate(theatre())))
    assert sale.seats.set_all(event, SeatSelection(zone="Balcony"), "reserved", OPERATOR).changed == 6
    assert sale.seats.set_all(event, SeatSelection(category="Stalls"), "held", OPERATOR).changed == 7
    statuses = sale.statuses(event)
    assert statuses["b-1-3"] == statuses["g-A-1"] == "held"
    assert {statuses[seat] for seat in ("b-1-1", "b-2-3")} == {"reserved"}
    with pytest.raises(InvalidRequest, match="no zone 'Roof'; this event has: ") as unknown:
        sale.seats.set_all(event, SeatSelection(zone="Roof"), "reserved", OPERATOR)
    assert unknown.value.facts["field"] == "zone"


def test_ten_thousand_seats_one_by_one_apart(sale: OneProcess) -> None:
    """The costliest: no two of them side by side. More of a hall than that has to be named in parts."""
    plan = generate(GeneratedPlan(sections=10, rows=20, seatsPerRow=100))
    event = sale.open(plan=plan)
    seats = [seat for block in plan.blocks for row in block for seat in row[::2]]
    assert _set(sale, event, "reserved", *seats) == 10_000
    assert sale.now(event).counts.blocked == 10_000
    sale.persist(event)
    assert len(sale.database.read(organiser.seat_statuses, event)) == 10_000
    assert sale.check.reconcile(event) == []


def test_who_did_it_and_why_is_listed(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    _set(sale, event, "reserved", "A1", "A2", by=Actor("anna", why="the mixing desk"))
    _set(sale, event, "sold", "B1", by=Actor("ben"))
    _set(sale, event, "available", "A2", by=Actor("ben"))
    sale.persist(event)
    first, second = sale.seats.set_by_organiser(event, "", 10, None).page.items
    assert (first.seat_id, first.by, first.at_ms) == ("A1", Actor("anna", why="the mixing desk"), first.at_ms)
    assert (second.seat_id, second.by) == ("B1", Actor("ben"))
    assert _listed(sale, event, "sold") == [("B1", "b")]
    assert sale.seats.set_by_organiser(event, "", 1, None).page.next == "A1"


def test_a_rebuild_keeps_all_of_it(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    _set(sale, event, "held", "A1", "B2")
    _set(sale, event, "sold", "A1", "A2", "C1")
    before = (sale.statuses(event), sale.now(event).counts)
    sale.persist(event)
    sale.calls.command("UNLINK", *keys.all_of(event))
    sale.persist(event)
    counts = sale.now(event).counts
    assert (sale.statuses(event), (counts.sold, counts.held, counts.blocked)) == (before[0], (3, 1, 0))
    assert sale.check.reconcile(event) == []


def test_a_merge_keeps_who_set_what_stayed_so(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    _set(sale, event, "reserved", "A1", by=Actor("anna"))
    sale.persist(event)
    kept = backup(sale.database)
    _set(sale, event, "sold", "C1", "C2", by=Actor("ben"))
    _set(sale, event, "available", "C2", by=Actor("ben"))
    sale.persist(event)
    trim(sale, event)
    restore(sale.database, kept)
    sale.persist(event)
    sale.merge.run(event, "redis", OPERATOR)
    found = {seat.seat_id: seat.by for seat in sale.seats.set_by_organiser(event, "", 10, None).page.items}
    assert found == {"A1": Actor("anna"), "C1": None}
    assert sale.check.reconcile(event) == []


def _fight(sale: OneProcess, organiser: OneProcess) -> tuple[set[str], set[str], str]:
    """Seats that the organiser blocked, and those that buyers bought or held, while both wanted them; and the event."""
    plan = generate(GeneratedPlan(sections=2, rows=10, seatsPerRow=20))
    event = sale.open(plan=plan)
    seats = [seat for block in plan.blocks for row in block for seat in row]
    parts = [seats[first : first + 4] for first in range(0, len(seats), 4)]
    blocked: list[str] = []
    taken: list[str] = []

    def organise() -> None:
        for part in parts:
            try:
                organiser.seats.set_all(event, _chosen(*part), "reserved", OPERATOR)
                blocked.extend(part)
            except (SeatSold, SeatHeld):
                continue

    def buy(process: OneProcess, number: int) -> None:
        for part in reversed(parts):
            try:
                if number:
                    held = process.hold(event, *part[:2], holder=f"{number} {part[0]}")
                    process.buy_held(event, f"{number}-{part[0]}", held.token)
                    taken.extend(held.seats)
                else:
                    bought = process.buy(event, f"{number}-{part[0]}", 2)
                    taken.extend(plan.seats_of(bought.runs))
            except (HoldExpired, SeatUnavailable, SoldOut):
                continue

    processes = [sale.another() for _ in range(3)]
    buyers = [threading.Thread(target=buy, args=(process, number)) for number, process in enumerate(processes)]
    work = [threading.Thread(target=organise), *buyers]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in work)
    return set(blocked), set(taken), event


@on_sqlite
def test_buyers_and_the_organiser_want_the_same_seats(sale: OneProcess) -> None:
    """By quantity, and from holds, against blocks of four: each seat ends with one owner, wherever one looks."""
    blocked, taken, event = _fight(sale, sale.another())
    assert blocked
    assert taken
    assert not blocked & taken
    statuses = sale.statuses(event)
    assert {seat for seat, status in statuses.items() if status == "reserved"} == blocked
    assert {seat for seat, status in statuses.items() if status == "sold"} == taken
    sale.persist(event)
    assert sale.check.reconcile(event) == []


@on_sqlite
def test_without_the_guard_the_organiser_blocks_what_buyers_own(sale: OneProcess) -> None:
    """The twin."""
    guard = "if runs.s or runs.h then"
    source = Scripts().sources["set_seats"].replace("KNOWN = 'aborx'", "KNOWN = 'aborxsh'")
    assert guard in source
    careless = OneProcess.build(
        sale.redis_url, sale.database, Scripts({"set_seats": source.replace(guard, "if false then")})
    )
    blocked, taken, _ = _fight(sale, careless)
    assert blocked & taken


def test_places_of_an_area_are_counted(sale: OneProcess) -> None:
    floor = CategoryOffer("Floor", capacity=10, blocks=((0, 0),))
    offer = Offer((floor, CategoryOffer("Box", capacity=4, blocks=((1, 1),))))
    event = sale.event_creation.create("Open air", 14, None, OPERATOR, offer).event.id

    def change(status: str, quantity: int, places_are: str = AVAILABLE) -> int:
        chosen = SeatSelection(category="Floor", quantity=quantity, places_are=places_are)
        return sale.seats.set_all(event, chosen, status, OPERATOR).changed

    assert [change("reserved", 3), change("sold", 2), change("held", 1)] == [3, 2, 1]
    counts = sale.now(event).counts
    assert (counts.sold, counts.held, counts.blocked, counts.remaining) == (2, 1, 3, 8)
    with pytest.raises(SoldOut) as too_many:
        change("reserved", 5)
    assert too_many.value.facts["seats_remaining"] == 4
    with pytest.raises(SoldOut):
        change("available", 3, BOX_OFFICE)
    assert change("available", 2, BOX_OFFICE) == 2
    sale.persist(event)
    sale.calls.command("UNLINK", *keys.all_of(event))
    sale.persist(event)
    counts = sale.now(event).counts
    assert (counts.sold, counts.held, counts.blocked, counts.remaining) == (0, 1, 3, 10)
    assert sale.check.reconcile(event) == []
    acts = sale.database.read(audit_record.page, None, 10, event, None)
    assert acts[1].act.target == "1 of Floor"


@on_sqlite
@pytest.mark.parametrize(
    ("chosen", "field"),
    [
        (SeatSelection(seats=("A",)), "quantity"),
        (SeatSelection(zone="Floor"), "quantity"),
        (SeatSelection(quantity=3), "category"),
        (SeatSelection(category="Roof", quantity=3), "category"),
    ],
)
def test_places_need_a_category_and_a_quantity(sale: OneProcess, chosen: SeatSelection, field: str) -> None:
    offer = Offer((CategoryOffer("Floor", capacity=10, blocks=((0, 0),)),))
    event = sale.event_creation.create("Open air", 10, None, OPERATOR, offer).event.id
    with pytest.raises(InvalidRequest) as refused:
        sale.seats.set_all(event, chosen, "reserved", OPERATOR)
    assert refused.value.facts["field"] == field


def test_what_returns_to_a_category_off_sale_stays_blocked(sale: OneProcess) -> None:
    event = sale.open(plan=read(PlanFile.model_validate(theatre())))
    sale.seats.set_all(event, SeatSelection(zone="Balcony"), "held", OPERATOR)
    sale.events.set_state(event, "paused", OPERATOR)
    sale.events.set_offer(event, _with_cheap_off_sale, OPERATOR)
    changed = sale.seats.set_all(event, SeatSelection(zone="Balcony"), "available", OPERATOR).changed
    statuses = sale.statuses(event)
    assert (changed, statuses["b-1-1"], statuses["b-1-3"]) == (6, "reserved", "available")
    sale.persist(event)
    assert sale.check.reconcile(event) == []
    assert _listed(sale, event) == []


def _with_cheap_off_sale(offer: Offer) -> Offer:
    return replace(offer, categories=tuple(each._replace(on_sale=each.name != "Cheap") for each in offer.categories))
