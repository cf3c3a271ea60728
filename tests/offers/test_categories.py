"""A hall that is sold by categories: who gets which seats, and what is recorded of it."""

import pytest

from seating.domain.errors import InvalidRequest, NotTogether, SaleRunning, SeatUnavailable, SoldOut
from seating.domain.purchase import Order
from seating.domain.sold_as import SoldAs
from seating.redis_store import keys
from seating.storage.tables import events, purchases
from tests.frozen_clock import CLOCK
from tests.offers import buy, change, hall, open_hall, priced
from tests.one_process import OPERATOR, OneProcess, on_sqlite
from tests.redis_store.conftest import proxy
from tests.redis_store.tcp_proxy import TcpProxy

__all__ = ["proxy"]

pytestmark = on_sqlite  # Scripts read an offer. test_random_sales.py and test_histories.py record it in either.


def test_a_purchase_says_what_its_seats_were_sold_as(sale: OneProcess) -> None:
    event = open_hall(sale)
    bought = buy(sale, event, "k", 2)
    assert bought.sold_as == SoldAs(["Gold", "Gold"], [5000, 5000], 10_000, "EUR")
    given = sale.purchases.buy(event, "anonymous", "g", Order(2, seats=("Silver-A-1", "Wheel-B-2")))
    assert dict(zip(given.seats, given.sold_as.categories, strict=True)) == {  # type: ignore[union-attr]
        "Silver-A-1": "Silver",
        "Wheel-B-2": "Wheel",
    }
    assert given.sold_as.total == 5000  # type: ignore[union-attr]
    accepted = sale.purchases.get(given.receipt.id)
    sale.persist(event)
    recorded = sale.purchases.get(given.receipt.id)
    assert accepted.sold_as == recorded.sold_as == given.sold_as
    rows = {row.id: row for row in sale.rows(purchases, event)}
    assert (rows[str(bought.receipt.id)].tariff, rows[str(bought.receipt.id)].total) == ("0:5000", 10_000)
    assert sale.check.reconcile(event) == []


def test_what_sql_has_is_shown_without_redis(sale: OneProcess, proxy: TcpProxy) -> None:
    """By a process that has not seen the event before: SQL has its plan and its categories too."""
    event = open_hall(sale)
    bought = buy(sale, event, "k", 2)
    sale.persist(event)
    fresh = OneProcess.build(proxy.url, sale.database)
    proxy.refuse()
    (listed,) = fresh.purchase_lists.page(event, None, 10).items
    for found in (fresh.purchases.get(bought.receipt.id), listed):
        assert (found.id, list(found.seats), found.sold_as) == (bought.receipt.id, bought.seats, bought.sold_as)


def test_a_plan_from_a_file_is_sold_by_its_categories(sale: OneProcess) -> None:
    event = sale.open(plan=hall())
    assert buy(sale, event, "k", 2, category="Silver").sold_as == SoldAs(["Silver", "Silver"])
    (row,) = [row for row in sale.database.read(lambda c: c.execute(events.select()).all()) if row.id == event]
    assert row.offer


def test_without_an_offer_nothing_is_said_of_categories(sale: OneProcess) -> None:
    event = sale.open(capacity=5)
    bought = buy(sale, event, "k")
    assert bought.sold_as is None
    assert b"tariff" not in sale.calls.command("HGETALL", keys.idempotency(event))[1]
    with pytest.raises(InvalidRequest, match="no categories"):
        buy(sale, event, "c", category="Gold")
    with pytest.raises(InvalidRequest, match="no zones"):
        buy(sale, event, "z", zone="Left")
    with pytest.raises(SoldOut):
        buy(sale, event, "a", accessible=True)


def test_a_category_a_zone_and_accessible_seats_can_be_asked_for(sale: OneProcess) -> None:
    event = open_hall(sale)
    assert buy(sale, event, "c", category="Silver").seats[0].startswith("Silver")
    assert buy(sale, event, "z", zone="Right").seats[0].startswith("Silver")
    assert buy(sale, event, "a", 2, accessible=True).seats == ["Wheel-A-1", "Wheel-A-2"]
    assert buy(sale, event, "w", category="Wheel").seats == ["Wheel-B-1"]
    with pytest.raises(SoldOut) as refused:
        buy(sale, event, "n", category="Silver", zone="Left")
    assert refused.value.facts == {"seats_remaining": 0}
    with pytest.raises(
        InvalidRequest, match="There is no category 'Bronze'; this event has: Gold, Silver, Wheel"
    ) as no:
        buy(sale, event, "u", category="Bronze")
    assert no.value.facts == {"field": "category"}
    with pytest.raises(InvalidRequest, match="There is no zone 'Middle'; this event has: Left, Right"):
        buy(sale, event, "v", zone="Middle")


def test_seats_on_request_are_left_for_those_who_ask(sale: OneProcess) -> None:
    event = open_hall(sale)
    for number in range(6):
        buy(sale, event, f"k{number}", 4)
    left = sale.now(event).counts.remaining
    assert left == 6
    with pytest.raises(SoldOut) as refused:
        buy(sale, event, "none")
    assert refused.value.facts == {"seats_remaining": 0}
    assert buy(sale, event, "asked", 2, category="Wheel").seats == ["Wheel-A-1", "Wheel-A-2"]


def test_a_category_of_lower_order_is_searched_first(sale: OneProcess) -> None:
    event = open_hall(sale, Gold={"order": 2}, Silver={"order": 1}, Wheel={"order": 0})
    assert buy(sale, event, "k").seats == ["Silver-A-1"] or buy(sale, event, "k").seats[0].startswith("Silver")
    assert buy(sale, event, "b", category="Gold").seats[0].startswith("Gold")


def test_a_split_keeps_to_one_category_unless_it_may_mix(sale: OneProcess) -> None:
    event = open_hall(sale, Wheel={"onSale": False})
    for number in range(3):
        buy(sale, event, f"g{number}", 3, category="Gold")
    for number in range(2):
        buy(sale, event, f"s{number}", 4, category="Silver")
    buy(sale, event, "s", 2, category="Silver")  # 3 single seats of Gold and 2 of Silver are left.
    with pytest.raises(NotTogether):
        buy(sale, event, "t", 3, together=True)
    with pytest.raises(SoldOut) as refused:
        buy(sale, event, "n", 4)
    assert refused.value.facts == {"seats_remaining": 3}
    split = buy(sale, event, "k", 3)
    assert split.sold_as == SoldAs(["Gold"] * 3, [5000] * 3, 15_000, "EUR")
    sale.cancel(split.receipt.id)
    mixed = buy(sale, event, "m", 5, mix=True)
    assert sorted(mixed.sold_as.categories) == ["Gold"] * 3 + ["Silver"] * 2  # type: ignore[union-attr]
    assert mixed.sold_as.total == 21_000  # type: ignore[union-attr]


def test_off_sale_seats_are_blocked_until_their_category_is_on_sale(sale: OneProcess) -> None:
    event = open_hall(sale, Gold={"onSale": False})
    assert sale.now(event).counts.blocked == 12
    assert sale.statuses(event)["Gold-A-1"] == "reserved"
    with pytest.raises(SeatUnavailable):
        sale.buy_seats(event, "g", "Gold-A-1")
    with pytest.raises(SoldOut):
        buy(sale, event, "c", category="Gold")
    assert buy(sale, event, "k").seats[0].startswith("Silver")
    change(sale, event, Gold={"onSale": True})
    assert sale.now(event).counts.blocked == 0
    assert buy(sale, event, "now", category="Gold").seats[0].startswith("Gold")
    assert sale.check.reconcile(event) == []


def test_what_returns_to_a_category_off_sale_is_blocked(moved: OneProcess) -> None:
    sale = moved
    event = open_hall(sale)
    cancelled = sale.buy_seats(event, "c", "Gold-A-1", "Silver-A-1")
    released = sale.hold(event, "Gold-A-2")
    sale.hold(event, "Gold-A-3", "Silver-A-3")
    sale.seats.set(event, "Gold-A-4", "reserved", OPERATOR)
    change(sale, event, Gold={"onSale": False})
    assert sale.now(event).counts.blocked == 9  # 8 that were available, 1 that the organiser blocks.
    sale.cancel(cancelled.id)
    sale.holds.release(event, released.token)
    sale.seats.set(event, "Gold-A-4", "available", OPERATOR)
    assert sale.now(event).counts.blocked == 11
    sale.calls.command("INCRBY", CLOCK, 601_000)
    assert sale.statuses(event)["Gold-A-3"] == "reserved"
    assert sale.statuses(event)["Silver-A-3"] == "available"
    assert sale.events.counts(event).remaining == sale.events.counts(event).capacity - 12
    sale.hold_store.expire(event)
    counts = sale.now(event).counts
    assert (counts.sold, counts.held, counts.blocked) == (0, 0, 12)
    sale.persist(event)
    assert sale.check.reconcile(event) == []
    change(sale, event, Gold={"onSale": True})
    assert sale.now(event).counts.remaining == counts.capacity


def test_the_organiser_may_sell_and_block_what_is_off_sale(sale: OneProcess) -> None:
    event = open_hall(sale, Gold={"onSale": False})
    sale.seats.set(event, "Gold-A-1", "sold", OPERATOR)
    sale.seats.set(event, "Gold-A-2", "reserved", OPERATOR)
    counts = sale.now(event).counts
    assert (counts.sold, counts.blocked) == (1, 11)
    sale.seats.set(event, "Gold-A-1", "available", OPERATOR)
    counts = sale.now(event).counts
    assert (counts.sold, counts.blocked) == (0, 12)
    change(sale, event, Gold={"onSale": True})
    assert sale.now(event).counts.blocked == 1
    sale.persist(event)
    assert sale.check.reconcile(event) == []


def test_a_price_that_changes_is_not_that_of_what_was_sold(sale: OneProcess) -> None:
    event = open_hall(sale)
    before = buy(sale, event, "k", 2)
    change(sale, event, "CHF", Gold={"price": 9900})
    after = buy(sale, event, "l", 2)
    again = buy(sale, event, "k", 2)
    assert again.sold_as == before.sold_as == SoldAs(["Gold"] * 2, [5000] * 2, 10_000, "EUR")
    assert after.sold_as == SoldAs(["Gold"] * 2, [9900] * 2, 19_800, "CHF")
    sale.persist(event)
    assert sale.purchases.get(before.receipt.id).sold_as == before.sold_as
    sale.rebuild.run(event, "a test", claimable="any")
    sale.persist(event)
    assert buy(sale, event, "k", 2) == again
    assert sale.check.reconcile(event) == []


def test_a_hold_keeps_seats_and_tells_what_they_cost_now(sale: OneProcess) -> None:
    event = open_hall(sale)
    held = sale.hold(event, "Gold-A-1", "Silver-A-1", key="k")
    assert held.sold_as == SoldAs(["Gold", "Silver"], [5000, 3000], 8000, "EUR")
    change(sale, event, Silver={"price": 3500, "onSale": False})
    assert sale.hold(event, "Gold-A-1", "Silver-A-1", key="k").sold_as.total == 8500  # type: ignore[union-attr]
    assert sale.holds.extend(event, held.token).sold_as.total == 8500  # type: ignore[union-attr]
    bought = sale.purchases.buy(event, "anonymous", "b", Order(0, hold_token=held.token))
    assert bought.sold_as == SoldAs(["Gold", "Silver"], [5000, 3500], 8500, "EUR")


def test_a_hall_that_lost_its_longest_runs_is_still_a_hall(sale: OneProcess) -> None:
    event, intact = open_hall(sale), open_hall(sale)
    sale.calls.command("DEL", keys.longest_runs(event))
    held = sale.hold(event, quantity=2).seats
    assert len(held) == 2
    assert held == sale.hold(intact, quantity=2).seats
    sale.calls.command("DEL", keys.longest_runs(event))
    bought = buy(sale, event, "k", 3).seats
    assert len(bought) == 3
    assert bought == buy(sale, intact, "k", 3).seats
    sale.persist(event)
    assert sale.now(event).counts.sold == 3


def test_an_offer_is_changed_while_the_sale_is_paused_only(sale: OneProcess) -> None:
    event = open_hall(sale)
    offer = priced(hall(), Gold={"price": 1})
    with pytest.raises(SaleRunning):
        sale.events.set_offer(event, lambda _: offer, OPERATOR)
    sale.events.set_state(event, "paused", OPERATOR)
    sale.events.set_offer(event, lambda _: offer, OPERATOR)
    assert sale.events.get(event).event.offer == offer
    entries = len(sale.calls.command("XRANGE", keys.log(event), "-", "+"))
    sale.events.set_offer(event, lambda _: offer, OPERATOR)
    assert len(sale.calls.command("XRANGE", keys.log(event), "-", "+")) == entries
    sale.persist(event)
    assert sale.events.get(event).event.offer == offer


def test_an_event_from_before_offers_gets_one_of_its_plan(sale: OneProcess) -> None:
    event = sale.open(plan=hall())
    sale.calls.command("HDEL", keys.inventory(event), "offer", "offered")
    change(sale, event, "EUR", Gold={"price": 1}, Silver={"price": 2}, Wheel={"price": 3})
    assert buy(sale, event, "k", category="Silver").sold_as == SoldAs(["Silver"], [2], 2, "EUR")


def test_an_offer_that_cannot_be_read_is_written_anew(sale: OneProcess) -> None:
    event = open_hall(sale)
    sale.persist(event)
    sale.calls.command("HSET", keys.inventory(event), "offer", "rubbish")
    assert sale.check.reconcile(event) != []
    sale.rebuild.run(event, "a test", claimable="any")
    sale.persist(event)
    assert buy(sale, event, "k").sold_as.total == 5000  # type: ignore[union-attr]
    assert sale.check.reconcile(event) == []
