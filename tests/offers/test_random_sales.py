"""Random sales by categories: Redis has what the fold of the log has, and prices add up, whatever happens."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from seating.domain import seat_map
from seating.domain.errors import SeatingError
from seating.domain.purchase import PurchaseId
from seating.domain.seat_selection import SeatSelection
from seating.domain.seat_status import AVAILABLE, BLOCKED, BOX_OFFICE
from seating.redis_store import keys
from seating.services.purchases import AcceptedPurchase
from seating.storage.tables import purchases
from tests.frozen_clock import CLOCK
from tests.fuzz_runs import fuzz_runs, over_both_if_long, takes_long
from tests.offers import areas, buy, change, open_areas, open_hall
from tests.one_process import OPERATOR, OneProcess

NAMES = st.sampled_from(["Gold", "Silver", "Wheel"])
WISHES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {}, optional={"category": NAMES, "mix": st.booleans(), "accessible": st.booleans(), "together": st.booleans()}
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("buy"), st.integers(1, 6), WISHES),
        st.tuples(st.just("hold"), st.integers(1, 6), st.just(None)),
        st.tuples(st.sampled_from(["cancel", "give back", "buy held", "repeat"]), st.integers(0, 30), st.just(None)),
        st.tuples(st.just("expire"), st.integers(1, 700_000), st.just(None)),
        st.tuples(
            st.just("offer"), NAMES, st.fixed_dictionaries({"onSale": st.booleans(), "price": st.integers(0, 99)})
        ),
        st.tuples(st.just("set"), NAMES, st.sampled_from(["available", "reserved", "sold", "held"])),
        st.tuples(st.sampled_from(["persist", "rebuild"]), st.just(0), st.just(None)),
    ),
    max_size=25,
)


@pytest.mark.parametrize("seated", [True, False])
@takes_long
@over_both_if_long
@settings(
    max_examples=fuzz_runs(10),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_every_step_leaves_the_books_right(moved: OneProcess, seated: bool, steps: list[Any]) -> None:
    sale = moved
    event = open_hall(sale) if seated else open_areas(sale, _areas())
    bought: list[tuple[str, int, dict[str, Any], AcceptedPurchase]] = []
    cancelled: set[PurchaseId] = set()
    tokens: list[str] = []
    for number, (step, what, how) in enumerate(steps):
        with suppress(SeatingError):
            match step:
                case "buy":
                    bought.append((f"k{number}", what, how, buy(sale, event, f"k{number}", what, **how)))
                case "hold":
                    tokens.append(sale.hold(event, quantity=what).token)
                case "cancel" if what < len(bought):
                    sale.cancel(bought[what][3].receipt.id)
                    cancelled.add(bought[what][3].receipt.id)
                case "give back" if what < len(tokens):
                    sale.holds.release(event, tokens[what])
                case "buy held" if what < len(tokens):
                    bought.append(
                        (f"k{number}", 0, {"hold_token": tokens[what]}, _buy_held(sale, event, number, tokens[what]))
                    )
                case "repeat" if what < len(bought):
                    key, quantity, wishes, first = bought[what]
                    again = buy(sale, event, key, quantity, **wishes)
                    assert again == first._replace(replayed=True)
                case "expire":
                    sale.calls.command("INCRBY", CLOCK, what)
                case "offer":
                    change(sale, event, **{what: how})
                case "set" if seated:
                    sale.seats.set(event, f"{what}-A-1", how, OPERATOR)
                case "set":
                    are = BLOCKED if how == "available" else AVAILABLE
                    sale.seats.set_all(event, SeatSelection(category=what, quantity=2, places_are=are), how, OPERATOR)
                case "persist":
                    sale.persist(event)
                case "rebuild":
                    sale.persist(event)
                    sale.rebuild.run(event, "a test", claimable="any")
                    sale.persist(event)
    sale.hold_store.expire(event)  # A rebuild would.
    _assert_right(sale, event, bought, cancelled)
    before = _inventory(sale, event)
    sale.rebuild.run(event, "a test", claimable="any")
    sale.persist(event)
    assert _inventory(sale, event) == before
    for key, quantity, wishes, first in bought:
        assert buy(sale, event, key, quantity, **wishes) == first._replace(replayed=True)
    _assert_right(sale, event, bought, cancelled)


def _buy_held(sale: OneProcess, event: str, number: int, token: str) -> AcceptedPurchase:
    return buy(sale, event, f"k{number}", 0, hold_token=token)


def _areas() -> Any:
    return areas(
        Gold={"totalSeats": 9, "price": 50},
        Silver={"totalSeats": 9, "price": 30},
        Wheel={"totalSeats": 4, "price": 20, "onRequest": True, "accessible": True},
    )


def _assert_right(
    sale: OneProcess,
    event: str,
    bought: list[tuple[str, int, dict[str, Any], AcceptedPurchase]],
    cancelled: set[PurchaseId],
) -> None:
    sale.persist(event)
    assert sale.check.reconcile(event) == []
    standing = [one for *_, one in bought if one.receipt.id not in cancelled]
    assert sale.now(event).counts.sold - _at_box_office(sale, event) == sum(one.receipt.quantity for one in standing)
    total = select(func.coalesce(func.sum(purchases.c.total), 0)).where(
        purchases.c.event_id == event, purchases.c.cancelled_ms.is_(None)
    )
    recorded = sale.database.read(lambda connection: connection.execute(total).scalar_one())
    assert recorded == sum(one.sold_as.total or 0 for one in standing if one.sold_as)
    for one in standing:
        assert one.sold_as
        assert sum(price or 0 for price in one.sold_as.prices or ()) == one.sold_as.total
        assert sale.purchases.get(one.receipt.id).sold_as == one.sold_as


def _at_box_office(sale: OneProcess, event: str) -> int:
    maps = sale.calls.command("HVALS", keys.seats(event))
    return sum(seat_map.count(seats.decode(), BOX_OFFICE) for seats in maps)


def _inventory(sale: OneProcess, event: str) -> dict[bytes, bytes]:
    """But for what every rebuild makes new."""
    names = ("capacity", "sold", "held", "blocked", "offer", "currency", "offered", "bounds", "state")
    values = dict(zip(names, sale.calls.command("HMGET", keys.inventory(event), *names), strict=True))
    for key in (keys.seats(event), keys.idempotency(event), keys.cancelled(event)):
        found = sale.calls.command("HGETALL", key)
        values |= {key + name.decode(): value for name, value in zip(found[::2], found[1::2], strict=True)}
    return values
