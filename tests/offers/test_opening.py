"""When an event opens and closes, and how much it sells at once: decided by the script, by Redis's clock."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
import pytest

from seating import redis_store
from seating.domain.errors import InvalidRequest, NotOnSale, NotOpenYet
from seating.domain.offer import Offer
from seating.domain.purchase import Order
from seating.domain.replay import Replay
from seating.domain.replay_decision import Outcome
from seating.redis_store import keys
from seating.redis_store.auto_pipeline import AutoPipeline
from seating.redis_store.calls import Scripts
from seating.redis_store.inventory import Inventory
from seating.services import recorded_state
from seating.services.events import EventOnSale
from seating.storage.tables import audit
from seating.storage.tables import events as events_table
from tests.frozen_clock import CLOCK, CLOCK_LUA, NOON_MS
from tests.offers import buy, open_hall
from tests.one_process import OPERATOR, OneProcess, on_sqlite
from tests.processes import client, process

pytestmark = on_sqlite  # Redis's clock decides.

__all__ = ["client", "process"]

OPENS, CLOSES = NOON_MS + 10_001, NOON_MS + 60_000
BOUNDS = Offer(on_sale_at_ms=OPENS, off_sale_at_ms=CLOSES)


def bound(sale: OneProcess, event: str, **bounds: int | None) -> EventOnSale:
    def amend(offer: Offer) -> Offer:
        return replace(offer, **bounds)  # type: ignore[arg-type]

    sale.events.set_offer(event, amend, OPERATOR, by_category=False)
    return sale.events.get(event)


def at(sale: OneProcess, ms: int) -> None:
    sale.calls.command("SET", CLOCK, ms)


def refusal(ask: Callable[[], object]) -> Any:
    with pytest.raises((NotOnSale, InvalidRequest)) as refused:
        ask()
    return refused.value


class TestByTheClock:
    def test_nothing_is_sold_before_it_opens_nor_from_when_it_closes(self, moved: OneProcess) -> None:
        event = moved.event_creation.create("Test", 10, None, OPERATOR, BOUNDS).event.id
        for before in (NOON_MS, OPENS - 1):
            at(moved, before)
            for ask in (lambda: moved.buy(event, "k"), lambda: moved.hold(event, quantity=1)):
                refused = refusal(ask)
                assert isinstance(refused, NotOpenYet)
                assert refused.facts == {"state": "on_sale", "opens_at": "2023-11-14T22:13:30.001Z"}
                assert refused.retry_after_s == -(-(OPENS - before) // 1000)
            assert moved.events.get(event).selling is False
        at(moved, OPENS)
        assert moved.events.get(event).selling is True
        first = moved.buy(event, "k")
        held = moved.hold(event, quantity=1).token
        at(moved, CLOSES - 1)
        moved.buy(event, "the last")
        at(moved, CLOSES)
        for ask in (lambda: moved.buy(event, "new"), lambda: moved.buy_held(event, "held", held)):
            refused = refusal(ask)
            assert (refused.facts, refused.retry_after_s) == (
                {"state": "on_sale", "closes_at": "2023-11-14T22:14:20.000Z"},
                None,
            )
        assert moved.events.get(event).selling is False
        assert moved.buy(event, "k") == first
        moved.persist(event)
        assert moved.check.reconcile(event) == []

    def test_it_can_be_moved_while_it_is_on_sale(self, moved: OneProcess) -> None:
        """What is sold and for how much cannot; a pause stands above both."""
        event = open_hall(moved)
        assert bound(moved, event, on_sale_at_ms=OPENS).selling is False
        assert isinstance(refusal(lambda: buy(moved, event, "k")), NotOpenYet)
        moved.events.set_state(event, "paused", OPERATOR)
        assert refusal(lambda: buy(moved, event, "k")).facts == {"state": "paused"}
        moved.events.set_state(event, "on_sale", OPERATOR)
        assert bound(moved, event, on_sale_at_ms=NOON_MS).selling is True
        before = moved.now(event).backlog.position
        bound(moved, event, on_sale_at_ms=NOON_MS)
        assert moved.now(event).backlog.position == before
        buy(moved, event, "k")
        bound(moved, event, on_sale_at_ms=None)
        moved.events.set_state(event, "closed", OPERATOR)
        assert refusal(lambda: bound(moved, event, on_sale_at_ms=OPENS)).facts == {"state": "closed"}
        moved.persist(event)
        assert moved.check.reconcile(event) == []
        acts = [(row.before, row.after) for row in moved.rows(audit, event) if row.action == "event.offer"]
        assert acts == [
            ("no on_sale_at", "on_sale_at 2023-11-14T22:13:30.001Z"),
            ("on_sale_at 2023-11-14T22:13:30.001Z", "on_sale_at 2023-11-14T22:13:20.000Z"),
            ("on_sale_at 2023-11-14T22:13:20.000Z", "no on_sale_at"),
        ]

    @pytest.mark.parametrize("way", ["rebuild", "lost"])
    def test_a_rebuild_keeps_it(self, moved: OneProcess, way: str) -> None:
        event = moved.event_creation.create("Test", 10, None, OPERATOR, replace(BOUNDS, max_per_purchase=2)).event.id
        bound(moved, event, off_sale_at_ms=None, max_per_purchase=3)
        moved.persist(event)
        kept = moved.calls.command("HMGET", keys.inventory(event), "bounds", "offered", "state")
        assert kept[0] == f"{OPENS}::3:".encode()
        (row,) = moved.database.read(lambda connection: connection.execute(events_table.select()).all())
        assert json.loads(row.offer) == json.loads(kept[1])
        if way == "lost":
            moved.calls.command("DEL", *keys.all_of(event))
        else:
            moved.rebuild.run(event, "a drill", claimable="any")
        moved.persist(event)
        assert moved.calls.command("HMGET", keys.inventory(event), "bounds", "offered", "state") == kept
        assert isinstance(refusal(lambda: moved.buy(event, "k")), NotOpenYet)

    def test_a_fork_is_replayed_with_it(self, moved: OneProcess) -> None:
        event = moved.open(10)
        moved.persist(event)
        recorded = moved.database.read(recorded_state.fold, event)
        bound(moved, event, on_sale_at_ms=OPENS, max_per_purchase=2)
        fork = moved.persistence.log.entries_from(event, recorded.checkpoint.position, 10)[1:]
        replay = Replay(recorded.state, recorded.checkpoint, NOON_MS)
        assert [replayed.outcome for replayed in replay.run(fork)] == [Outcome.REPLAYED]
        assert replay.state.offer == Offer(on_sale_at_ms=OPENS, max_per_purchase=2)


class TestMostAPurchase:
    def test_of_a_quantity_of_seats_and_of_a_hold(self, moved: OneProcess) -> None:
        event = open_hall(moved)
        seats = ("Gold-A-1", "Gold-A-2", "Gold-A-3")
        held = moved.hold(event, *seats).token
        bound(moved, event, max_per_purchase=2)
        asked = {
            "quantity": lambda: moved.buy(event, "k", 3),
            "seats": lambda: moved.buy_seats(event, "k", "Gold-B-1", "Gold-B-2", "Gold-B-3"),
        }
        for field, ask in asked.items():
            refused = refusal(ask)
            assert (refused.code, refused.facts) == ("VALIDATION_ERROR", {"field": field})
            assert refused.message == f"{field.capitalize()} cannot exceed 2 in one purchase"
        refused = refusal(lambda: moved.buy_held(event, "k", held))
        assert (refused.code, refused.facts) == ("VALIDATION_ERROR", {"field": "holdToken"})
        assert refused.message.startswith("This hold has more than the 2 seats that one purchase may have")
        assert refusal(lambda: moved.hold(event, quantity=3)).facts == {"field": "quantity"}
        assert refusal(lambda: moved.hold(event, "Gold-B-1", "Gold-B-2", "Gold-B-3")).facts == {"field": "seats"}
        moved.buy(event, "k", 2)
        bound(moved, event, max_per_purchase=None)
        moved.buy_held(event, "held", held)


def _buyers(sale: OneProcess, event: str, calls: AutoPipeline, count: int) -> tuple[list[int], list[float]]:
    """Each asks until they have a seat: how often each was refused, and the waits they were told."""
    inventory = Inventory(calls, backlog_max_entries=100_000, backlog_memory_percent=90)
    refused, waits = [0] * count, []

    def one(number: int) -> None:
        while True:
            try:
                inventory.purchase(event, "anonymous", f"{number:022}", Order(1))
            except NotOpenYet as error:
                refused[number] += 1
                waits.append(error.retry_after_s or 0)
            else:
                return

    gevent.joinall([gevent.spawn(one, number) for number in range(count)], timeout=60, raise_error=True)
    return refused, waits


def test_a_thousand_buyers_at_the_moment(sale: OneProcess, process: Callable[..., AutoPipeline]) -> None:
    """All ask before it opens, and go on asking: none is served before, and all are within seconds of it."""
    redis_s, us = sale.calls.command("TIME")
    opens = int(redis_s) * 1000 + int(us) // 1000 + 3_000
    event = sale.event_creation.create("Test", 1_000, None, OPERATOR, Offer(on_sale_at_ms=opens)).event.id
    refused, waits = _buyers(sale, event, process(), 1_000)
    assert min(refused) > 0
    assert all(1 <= wait <= 3 for wait in waits)
    log = [json.loads(entry[1][1]) for entry in sale.calls.command("XRANGE", keys.log(event), "-", "+")]
    sold = [change["at"] for change in log if change["kind"] == "purchased"]
    assert len(sold) == 1_000
    assert opens <= sold[0] < opens + 2_000
    assert sold[-1] < opens + 20_000
    sale.persist(event)
    assert sale.check.reconcile(event) == []


class TestTwins:
    """The script decides: what a process has read before is not asked."""

    @staticmethod
    def _sold_after(sale: OneProcess) -> bool:
        """Whether a buyer gets a seat who saw that it had opened, after an operator was told that it has not."""
        event = sale.event_creation.create("Test", 10, None, OPERATOR, Offer(on_sale_at_ms=NOON_MS)).event.id
        assert sale.events.get(event).selling
        bound(sale, event, on_sale_at_ms=OPENS)
        try:
            sale.buy(event, "k")
        except NotOpenYet:
            return False
        return True

    def test_with_the_rule(self, moved: OneProcess) -> None:
        assert not self._sold_after(moved)

    def test_without_it(self, moved: OneProcess) -> None:
        """As if the process had decided by what it read."""
        trusting = "local function bounds_of() return '', '', '', '' end\n"
        body = (Path(redis_store.__file__).parent / "lua" / "acceptance.lua").read_text()
        start, end = body.index("local function bounds_of"), body.index("-- Why no buyer")
        scripts = Scripts({"clock": CLOCK_LUA, "acceptance": body[:start] + trusting + body[end:]})
        other = OneProcess.build(moved.redis_url, moved.database, scripts)
        assert self._sold_after(other)
