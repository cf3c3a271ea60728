"""What a part of a purchase costs is told with it, and adds up wherever one looks."""

from seating.redis_store import keys
from tests.offers import areas, buy, open_areas, open_hall
from tests.one_process import OPERATOR, OneProcess


def test_the_prices_of_what_stands_and_of_what_is_cancelled_add_up(sale: OneProcess) -> None:
    event = open_hall(sale)
    bought = [buy(sale, event, f"k{number}", 3, mix=True) for number in range(3)]
    cancelled = [
        sale.purchases.cancel(one.receipt.id, OPERATOR, seats=one.seats[number]) for number, one in enumerate(bought)
    ]
    assert [one.cancelled_quantity for one in cancelled] == [1, 1, 1]

    def assert_adds_up() -> None:
        for one in bought:
            found = sale.purchases.get(one.receipt.id)
            assert found.sold_as
            assert found.sold_as.prices
            prices = dict(zip(found.seats, found.sold_as.prices, strict=True))
            assert found.sold_as.total == sum(price or 0 for price in prices.values())
            assert found.cancelled_total == sum(prices[seat] or 0 for seat in found.cancelled_seats)

    assert_adds_up()
    sale.persist(event)
    assert_adds_up()
    sale.calls.command("UNLINK", *keys.all_of(event))
    sale.persist(event)
    assert_adds_up()
    statuses = sale.statuses(event)
    assert all(statuses[seat] == "available" for one in cancelled for seat in one.cancelled_seats)
    assert sale.check.reconcile(event) == []


def test_places_of_areas_are_cancelled_by_their_number(sale: OneProcess) -> None:
    event = open_areas(sale, areas(Floor={"totalSeats": 2, "price": 3000}, Box={"totalSeats": 4, "price": 3000}))
    bought = buy(sale, event, "k", 3, mix=True)
    total = bought.sold_as.total if bought.sold_as else 0
    left = sale.events.counts(event).remaining
    for quantity, gone in ((1, 1), (1, 1), (2, 2), (3, 3)):
        found = sale.purchases.cancel(bought.receipt.id, OPERATOR, quantity=quantity)
        assert (found.cancelled_quantity, found.cancelled_seats) == (gone, ())
        assert found.cancelled_total == total * gone // 3
        assert sale.events.counts(event).remaining == left + gone
        sale.persist(event)
        assert sale.purchases.get(bought.receipt.id).cancelled_total == total * gone // 3
        assert sale.check.reconcile(event) == []
    assert found.state == "cancelled"
