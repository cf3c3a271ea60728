"""General admission with several categories: areas whose places nobody tells apart."""

import pytest

from seating.domain.errors import InvalidRequest, SeatNotFound, SoldOut
from seating.domain.purchase import Order
from seating.domain.sold_as import SoldAs
from seating.redis_store import keys
from seating.storage.tables import purchases
from tests.frozen_clock import CLOCK
from tests.offers import areas, buy, change, open_areas
from tests.one_process import OPERATOR, OneProcess

FIELD = {"Floor": {"totalSeats": 5, "price": 6900}, "Balcony": {"totalSeats": 3, "price": 8900, "order": 1}}


def counts(sale: OneProcess, event: str) -> list[str]:
    found = sale.calls.command("HGETALL", keys.seats(event))
    return [text.decode() for _, text in sorted(zip(found[::2], found[1::2], strict=True))]


def test_places_are_sold_by_area(sale: OneProcess) -> None:
    event = open_areas(sale, areas(**FIELD))
    assert sale.now(event).counts.remaining == 8
    bought = buy(sale, event, "k", 2)
    assert (bought.seats, bought.sold_as) == ([], SoldAs(["Floor"] * 2, [6900] * 2, 13_800, "EUR"))
    assert buy(sale, event, "b", 3, category="Balcony").sold_as == SoldAs(["Balcony"] * 3, [8900] * 3, 26_700, "EUR")
    assert counts(sale, event) == ["a3b0h0o0r0s2x0", "a0b0h0o0r0s3x0"]
    with pytest.raises(SoldOut) as refused:
        buy(sale, event, "c", category="Balcony")
    assert refused.value.facts == {"seats_remaining": 0}
    sale.persist(event)
    (row,) = [row for row in sale.rows(purchases, event) if row.id == str(bought.receipt.id)]
    assert (row.runs, row.tariff, row.currency, row.total) == ("0:0-2", "0:6900", "EUR", 13_800)
    assert sale.purchases.get(bought.receipt.id).sold_as == bought.sold_as
    assert sale.check.reconcile(event) == []
    assert sale.seat_maps.of(event).seats == ""
    with pytest.raises(SeatNotFound):
        sale.buy_seats(event, "s", "Floor")


def test_a_party_is_not_split_over_areas_unless_it_may_mix(sale: OneProcess) -> None:
    event = open_areas(sale, areas(**FIELD))
    buy(sale, event, "k", 2)
    with pytest.raises(SoldOut) as refused:
        buy(sale, event, "n", 4)
    assert refused.value.facts == {"seats_remaining": 3}
    mixed = buy(sale, event, "m", 4, mix=True)
    assert mixed.sold_as == SoldAs(["Floor"] * 3 + ["Balcony"], [6900] * 3 + [8900], 29_600, "EUR")
    assert mixed.receipt.left == 2
    assert sale.cancel(mixed.receipt.id) == "cancelled"
    assert counts(sale, event) == ["a3b0h0o0r0s2x0", "a3b0h0o0r0s0x0"]


def test_holds_of_places_end_as_those_of_seats_do(moved: OneProcess) -> None:
    sale = moved
    event = open_areas(sale, areas(**FIELD))
    bought = sale.hold(event, quantity=2)
    assert sale.purchases.buy(event, "anonymous", "k", Order(0, hold_token=bought.token)).sold_as == bought.sold_as
    given_back = sale.hold(event, quantity=1)
    sale.holds.release(event, given_back.token)
    sale.hold(event, quantity=3)
    assert counts(sale, event)[0] == "a0b0h3o0r0s2x0"
    sale.calls.command("INCRBY", CLOCK, 601_000)
    assert sale.events.counts(event).remaining == 6
    assert buy(sale, event, "l", 3).sold_as.categories == ["Floor"] * 3  # type: ignore[union-attr]
    sale.persist(event)
    assert sale.check.reconcile(event) == []


def test_an_area_off_sale_is_blocked_and_takes_back_what_returns(sale: OneProcess) -> None:
    event = open_areas(sale, areas(**FIELD))
    bought, held = buy(sale, event, "k", 2), sale.hold(event, quantity=2)
    change(sale, event, Floor={"onSale": False})
    assert counts(sale, event)[0] == "a0b0h2o0r0s2x1"
    assert sale.now(event).counts.blocked == 1
    assert buy(sale, event, "b").sold_as.categories == ["Balcony"]  # type: ignore[union-attr]
    sale.cancel(bought.receipt.id)
    sale.holds.release(event, held.token)
    assert counts(sale, event)[0] == "a0b0h0o0r0s0x5"
    assert sale.now(event).counts.blocked == 5
    sale.persist(event)
    before = counts(sale, event)
    assert sale.check.reconcile(event) == []
    sale.rebuild.run(event, "a test", claimable="any")
    assert counts(sale, event) == before
    sale.persist(event)
    change(sale, event, Floor={"onSale": True})
    assert counts(sale, event)[0] == "a5b0h0o0r0s0x0"
    assert sale.check.reconcile(event) == []


def test_what_categories_of_general_admission_must_say() -> None:
    with pytest.raises(InvalidRequest, match="'Floor' needs totalSeats"):
        areas(Floor={"price": 1})
    with pytest.raises(InvalidRequest, match="Prices need a currency"):
        areas(None, Floor={"price": 1, "totalSeats": 2})
    with pytest.raises(InvalidRequest, match="'Floor' has no price"):
        areas(Floor={"totalSeats": 2})
    assert areas(None, Floor={"totalSeats": 2}).currency is None
    assert areas(Floor={"totalSeats": 2, "onSale": False}).currency == "EUR"


def test_the_size_of_an_area_never_changes(sale: OneProcess) -> None:
    event = open_areas(sale, areas(**FIELD))
    with pytest.raises(InvalidRequest, match="never change") as refused:
        change(sale, event, Floor={"totalSeats": 6})
    assert refused.value.facts == {"field": "categories.Floor.totalSeats"}
    plain = sale.open(capacity=5)
    sale.events.set_state(plain, "paused", OPERATOR)
    with pytest.raises(InvalidRequest, match="no categories"):
        change(sale, plain, Floor={"price": 6})
