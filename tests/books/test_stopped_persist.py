"""Workers that stand still, or are two: what they have read of an old epoch is not written, and no entry twice."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from seating.domain.errors import InventoryUnavailable, RecordUnavailable
from seating.redis_store.persist_queue import PersistQueue
from seating.redis_store.plain_client import plain_client
from seating.redis_store.terms import Terms
from seating.services.rebuild import Rebuild
from seating.storage.tables import purchases, quarantine
from tests.books import (
    assert_books_right,
    assert_each_seat_once,
    buy_some,
    has_said,
    locked_sql,
    positions,
    recorded_positions,
    rows,
    seating,
    seq_of,
    suspended,
    term_of,
    waiting_for_sql,
)
from tests.one_process import OneProcess, on_sqlite
from tests.servers import RedisServer, wait_until
from tests.system import System


@pytest.fixture
def stopped(own_redis: RedisServer, database_url: str, tmp_path: Path) -> Iterator[System]:
    """Not started yet."""
    system = System(tmp_path / "data", own_redis, database_url, LOG_LEVEL="debug")
    try:
        yield system
    finally:
        system.stop()


@on_sqlite
def test_a_worker_that_was_stopped_before_a_rebuild_writes_nothing(stopped: System, own_redis: RedisServer) -> None:
    """It has read ten purchases and waits for SQL's lock. Redis loses them, and a new epoch begins without them."""
    system = stopped.start("worker", "web")
    event = system.create_event(seatingPlan={"generate": {"sections": 1, "rows": 2, "seatsPerRow": 10}})
    with ExitStack() as standing_still:
        with locked_sql(system):
            lost = buy_some(system, 10, event)
            wait_until(lambda: waiting_for_sql(own_redis), what="the worker to wait for the lock")
            standing_still.enter_context(suspended(system, "worker"))
        own_redis.client().flushall()
        (rebuilt,) = seating(system, "rebuild", event, "--json").json
        assert (rebuilt["event_id"], seq_of(rebuilt["position"])) == (event, 3)
        after = buy_some(system, 3, event)
    refused = {"event": "lost race", "reason": "the record has moved on"}
    wait_until(lambda: has_said(system, "worker", **refused), what="the worker to notice")
    after |= buy_some(system, 3, event)
    term = term_of(next(iter(after.values())))
    _wait_recorded(system, event, [f"{term}-{seq}" for seq in range(5, 11)])
    recorded = recorded_positions(system, event)
    assert [seq_of(position) for position in recorded] == [*range(1, 11)]
    assert recorded[2] == rebuilt["position"]
    assert {term_of(answer) for answer in lost.values()}.isdisjoint({term_of(answer) for answer in after.values()})
    wait_until(lambda: len(rows(system, quarantine, event)) == 10, what="the lost purchases' receipts to be put aside")
    assert {row.reason for row in rows(system, quarantine, event)} == {"lost"}
    assert_each_seat_once(system, event, after.values())
    assert seating(system, "verify", event).status == 0


def test_two_workers_for_one_event(stopped: System, own_redis: RedisServer) -> None:
    """Both have read the same entries when they may write; and both are nudged all the time after that."""
    system = stopped.start("worker", "web")
    system.parts["first worker"] = system.parts["worker"]
    system.start_part("worker")
    event = system.create_event(seatingPlan={"generate": {"sections": 2, "rows": 10, "seatsPerRow": 25}})
    with locked_sql(system):
        bought = buy_some(system, 20, event)
        queue = PersistQueue(plain_client(own_redis.url))

        def waiting() -> int:
            queue.nudge(event)  # On Postgres a worker waits for 3 s, and then for its next job.
            return waiting_for_sql(own_redis)

        wait_until(lambda: waiting() == 2, 30, what="both workers to wait for the lock")
    for _ in range(3):
        bought |= buy_some(system, 40, event)
    _wait_recorded(system, event, positions(bought.values()))
    assert [seq_of(position) for position in recorded_positions(system, event)] == [*range(1, 143)]
    assert rows(system, quarantine, event) == []
    assert_each_seat_once(system, event, bought.values())
    assert_books_right(system, event)


def _wait_recorded(system: System, event_id: str, wanted: list[str]) -> None:
    def recorded() -> bool:
        return {f"{row.epoch}-{row.seq}" for row in rows(system, purchases, event_id)} == set(wanted)

    wait_until(recorded, 30, "all purchases to be recorded")


def test_a_comparison_from_before_a_rebuild_does_not_end_it(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that has compared the log, and is stopped before it says so, wakes in the middle of a rebuild.

    The inventory would sell again, and then be wiped with what it sold.
    """
    event = sale.open(capacity=10)
    first = sale.buy(event, "k1")
    sale.persist(event)
    operator, buyer = sale.another(), sale.another()
    acknowledge, begin_epoch = Terms.acknowledge, Rebuild._begin_epoch

    def stopped(terms: Terms, *compared: Any) -> None:
        def woken(rebuild: Rebuild, *arguments: Any) -> Any:
            told = acknowledge(terms, *compared)
            assert not (told and told.sells)
            with pytest.raises(InventoryUnavailable):
                buyer.buy(event, "k2")
            return begin_epoch(rebuild, *arguments)

        monkeypatch.setattr(Terms, "acknowledge", acknowledge)
        monkeypatch.setattr(Rebuild, "_begin_epoch", woken)
        operator.rebuild.run(event, "asked for", claimable="recorded")

    monkeypatch.setattr(Terms, "acknowledge", stopped)
    sale.persist(event)
    sale.persist(event)
    assert buyer.buy(event, "k2").id.position == (sale.term(event), 6)
    assert buyer.buy(event, "k1") == first
    sale.persist(event)
    assert sale.told(event) == ["opened", "trusted", "purchased", "rebuilt", "trusted", "purchased"]
    assert sale.check.reconcile(event) == []


def test_a_rebuild_that_sql_did_not_take_is_begun_again_at_once(
    sale: OneProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not keep others waiting for the end of its lease."""
    event = sale.open(capacity=10)
    sale.buy(event, "k1")
    sale.persist(event)
    sale.calls.command("FLUSHALL")
    with monkeypatch.context() as broken:
        broken.setattr(sale.database, "write", _locked)
        with pytest.raises(RecordUnavailable):
            sale.rebuild.run(event, "Redis has no inventory")
    assert sale.another().rebuild.run(event, "Redis has no inventory") == (sale.term(event), 4)
    sale.persist(event)
    assert sale.buy(event, "k2").left == 8


def _locked(*_change: object) -> None:
    raise RecordUnavailable
