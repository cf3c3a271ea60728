"""Organisers who change categories while crowds buy, and each other's changes."""

import threading
from collections import Counter
from collections.abc import Callable

import pytest

from seating.domain.change_json import parse_change
from seating.domain.changes import OfferSet, Opened, Purchased
from seating.domain.errors import NotOnSale, SeatingError, SoldOut
from seating.domain.offer import Offer
from seating.domain.sold_as import charges
from seating.redis_store import keys
from seating.redis_store.calls import Scripts
from seating.services import persistence
from seating.storage.tables import ledger
from tests.offers import areas, buy, change, open_areas, open_hall
from tests.one_process import OPERATOR, OneProcess, on_sqlite

pytestmark = on_sqlite  # What is tested here is the same over each database.

BUYERS, CHANGES = 4, 12


def in_crowd(sale: OneProcess, event: str, organise: Callable[[int], object], quantity: int) -> None:
    """`BUYERS` who buy and hold what they get, cancel some of it and ask again, while `organise` is done many times."""
    over = threading.Event()
    failed: list[BaseException] = []

    def shop(buyer: int) -> None:
        one, number = sale.another(), 0
        try:
            while not over.is_set():
                number += 1
                try:
                    bought = buy(one, event, f"{buyer}-{number}", 1 + number % quantity, mix=number % 2 == 0)
                    if number % 3 == 0:
                        one.cancel(bought.receipt.id)
                    one.holds.release(event, one.hold(event, quantity=1).token)
                except (SoldOut, NotOnSale, SeatingError):
                    continue
        except BaseException as error:
            failed.append(error)
            raise
        finally:
            one.database.close()

    crowd = [threading.Thread(target=shop, args=(buyer,)) for buyer in range(BUYERS)]
    for buyer in crowd:
        buyer.start()
    try:
        with pytest.MonkeyPatch.context() as short:
            # A run goes on while buyers buy, and each change would wait for all of it.
            short.setattr(persistence, "RUN_S", 0.2)
            for number in range(CHANGES):
                organise(number)
    finally:
        over.set()
        for buyer in crowd:
            buyer.join()
    assert failed == []


def offers_and_sales(sale: OneProcess, event: str) -> list[tuple[Offer, Purchased]]:
    """Each purchase of the log with the offer that was in force at its place in it."""
    found, offer = [], Offer()
    for row in sale.rows(ledger, event):
        told = parse_change(row.change)
        if isinstance(told, Opened | OfferSet) and told.offer:
            offer = told.offer
        elif isinstance(told, Purchased):
            found.append((offer, told))
    return found


def assert_sold_as_offered(sale: OneProcess, event: str) -> None:
    sold = offers_and_sales(sale, event)
    assert sold
    for offer, purchase in sold:
        for charge in charges(purchase.tariff, purchase.runs):
            category = offer.categories[charge.category]
            assert category.on_sale
            assert charge.price == category.price


def test_nobody_buys_what_is_off_sale_or_at_another_price(sale: OneProcess) -> None:
    event = open_hall(sale)

    def organise(number: int) -> None:
        change(sale, event, Gold={"onSale": number % 2 == 0, "price": 5000 + number}, Silver={"onSale": number % 3 > 0})
        sale.persist(event)

    in_crowd(sale, event, organise, 4)
    sale.persist(event)
    assert sale.check.reconcile(event) == []
    assert_sold_as_offered(sale, event)
    maps = b"".join(sale.calls.command("HVALS", keys.seats(event)))
    counts, letters = sale.now(event).counts, Counter(maps.decode())
    assert (counts.sold, counts.held, counts.blocked) == (letters["s"], letters["h"], letters["x"])


def test_areas_never_sell_more_than_they_have(sale: OneProcess) -> None:
    event = open_areas(sale, areas(Floor={"totalSeats": 25, "price": 1}, Balcony={"totalSeats": 15, "price": 2}))

    def organise(number: int) -> None:
        change(sale, event, Floor={"onSale": number % 2 == 0, "price": number})
        found = sale.calls.command("HGETALL", keys.seats(event))
        for area, text in zip(found[::2], found[1::2], strict=True):
            letters = text.decode().translate(str.maketrans("abhorsx", " " * 7)).split()
            assert sum(map(int, letters)) == {b"0": 25, b"1": 15}[area]
        sale.persist(event)

    in_crowd(sale, event, organise, 6)
    sale.persist(event)
    assert sale.check.reconcile(event) == []
    assert_sold_as_offered(sale, event)


def test_two_operators_lose_nothing_of_each_other(sale: OneProcess) -> None:
    assert _prices_after_both(sale) == [1, 2]


def test_without_the_comparison_one_change_is_lost(sale: OneProcess) -> None:
    """The twin: the same script, which does not look whether the offer is as it was read."""
    reckless = _without(sale, "set_offer", "(redis.call('HGET', KEYS[1], 'offered') or '') ~= was", "false")
    assert _prices_after_both(reckless) == [1, 3000]


def _prices_after_both(sale: OneProcess) -> list[int | None]:
    """Gold's and Silver's, after one operator has changed Silver's while another was about to change Gold's."""
    event = open_hall(sale)
    sale.events.set_state(event, "paused", OPERATOR)
    others = [2]

    def amend(number: int, price: int) -> Callable[[Offer], Offer]:
        def amended(offer: Offer) -> Offer:
            if number == 0 and others:
                sale.events.set_offer(event, amend(1, others.pop()), OPERATOR)
            categories = list(offer.categories)
            categories[number] = categories[number]._replace(price=price)
            return Offer(tuple(categories), offer.currency)

        return amended

    sale.events.set_offer(event, amend(0, 1), OPERATOR)
    found = sale.events.get(event).event.offer
    assert found
    return [category.price for category in found.categories[:2]]


def test_an_area_oversells_without_its_check(sale: OneProcess) -> None:
    """The twin of the crowd's: the same scripts, which believe that an area has as many places as are asked for."""
    reckless = _without(sale, "purchase", "math.min(places(map_of(area), 'a'), remaining)", "remaining")
    event = open_areas(reckless, areas(None, Floor={"totalSeats": 1}, Balcony={"totalSeats": 9}))
    sold = [buy(reckless, event, f"k{number}").receipt.runs[0].block for number in range(3)]
    assert sold == [0, 0, 0]


def _without(sale: OneProcess, script: str, guard: str, instead: str) -> OneProcess:
    """The same sale, by a script that has something else for its guard."""
    source = Scripts().sources[script]
    assert guard in source
    return OneProcess.build(sale.redis_url, sale.database, Scripts(replaced={script: source.replace(guard, instead)}))
