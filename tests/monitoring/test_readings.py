"""Metrics that are read when they are scraped: of events, of workers and rebuilds, of Redis."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from seating.redis_store import keys, server_figures
from seating.redis_store.event_log import EventLog
from seating.redis_store.process_reports import BackgroundCounts
from seating.services.circuit_breakers import CircuitBreakers
from seating.services.readings import Readings
from seating.services.webhooks import Webhooks
from seating.storage.database import Database
from seating.web.readiness_checks import checks
from tests.one_process import OPERATOR, OneProcess
from tests.readiness.conftest import readiness_of
from tests.servers import RedisServer, wait_until


@pytest.fixture
def one(own_redis: RedisServer, sqlite_url: str) -> Iterator[OneProcess]:
    database = Database(sqlite_url)
    yield OneProcess.build(own_redis.url, database)
    database.close()


@pytest.fixture
def readings(one: OneProcess, tmp_path: Path) -> Iterator[Readings]:
    readiness = readiness_of(one, tmp_path)
    yield Readings(
        one.calls,
        one.inventory,
        one.set_aside,
        EventLog(one.calls),
        one.open_events,
        readiness.queue,
        one.counts,
        CircuitBreakers([]),
        readiness,
    )
    readiness.close()


def taken(readings: Readings) -> dict[str, float]:
    """The values by name, with labels if there are any."""
    return {" ".join((metric.name, *labels)): value for metric, value, labels in readings.take()}


def test_lag_is_told_of_a_bounded_number_of_events(one: OneProcess, readings: Readings) -> None:
    events = [one.open(9) for _ in range(24)]
    for event in events[:-1]:
        one.buy(event, "k1")
    one.buy(events[0], "k2")
    for event in events[-2:]:
        one.persist(event)
    found = taken(readings)
    of_events = {name.removeprefix("seating_event_lag_entries ") for name in found if "event_lag_entries" in name}
    assert len(of_events) == 20
    assert of_events == {name.removeprefix("seating_event_lag_seconds ") for name in found if "event_lag_sec" in name}
    assert of_events < set(events)
    assert found[f"seating_event_lag_entries {events[0]}"] == one.now(events[0]).backlog.lag
    assert found["seating_persistence_lag_entries"] == sum(one.now(event).backlog.lag for event in events)
    assert 0 < found["seating_persistence_lag_seconds"] < 60
    for event in events:
        one.persist(event)
    found = taken(readings)
    assert found["seating_persistence_lag_entries"] == found["seating_persistence_lag_seconds"] == 0
    assert not [name for name in found if "event_lag" in name]


def test_lag_is_as_old_as_the_first_entry_that_sql_lacks(one: OneProcess, readings: Readings) -> None:
    event = one.open(9)
    one.buy(event, "k1")
    one.persist(event)
    one.buy(event, "k2")
    entry = EventLog(one.calls).newest(event, one.now(event).backlog.position, 1)[0]
    change = entry.read()
    assert change is not None
    seen = taken(readings)["seating_persistence_lag_seconds"]
    assert seen == pytest.approx((one.now(event).now_ms - change.at_ms) / 1000, abs=0.5)


@pytest.mark.parametrize(("change", "least_s"), [('{"kind":"of tomorrow","at":1}', 1e9), ("gibberish", 0)])
def test_lag_of_what_this_version_cannot_read(one: OneProcess, readings: Readings, change: str, least_s: float) -> None:
    event = one.open(9)
    one.persist(event)
    end = one.now(event).backlog.position
    one.calls.command("XADD", keys.log(event), f"{end.epoch}-{end.seq + 1}", "change", change, "link", "f" * 40)
    one.calls.command("HINCRBY", keys.inventory(event), "seq", 1)
    found = taken(readings)
    assert found["seating_persistence_lag_entries"] == 1
    assert found["seating_persistence_lag_seconds"] >= least_s


def test_missing_inventories_are_those_that_sql_expects(
    one: OneProcess, readings: Readings, own_redis: RedisServer
) -> None:
    _, lost, archived = one.open(9), one.open(9), one.open(9)
    one.inventory.set_state(archived, "closed", OPERATOR)
    one.persist(archived)
    assert one.inventory.archive(archived, 0)
    own_redis.client().unlink(*keys.all_of(lost))
    readings.readiness.start()
    wait_until(lambda: "seating_losses" in taken(readings), what="the first look at SQL")
    found = taken(readings)
    assert (found["seating_inventories_missing"], found["seating_events_open"]) == (1, 1)
    assert (found["seating_sql_up"], found["seating_losses"], found["seating_lost_changes"]) == (1, 0, 0)


def test_webhooks_are_those_of_sql(one: OneProcess, readings: Readings) -> None:
    event = one.open(9)
    one.persist(event)
    Webhooks(one.database).add("https://shop.example/", event, [], OPERATOR, allow_private=False)
    one.buy(event, "k1")
    one.persist(event)
    assert not [name for name in taken(readings) if name.startswith("seating_webhook")], "not before the first look"
    readings.readiness.start()
    wait_until(lambda: "seating_webhook_lag_entries" in taken(readings), what="the first look at webhooks")
    found = {name: value for name, value in taken(readings).items() if name.startswith("seating_webhook")}
    assert found == {
        "seating_webhooks active": 1,
        "seating_webhooks paused": 0,
        "seating_webhooks_unattended": 1,
        "seating_webhooks_failing": 0,
        "seating_webhook_failing_seconds": 0,
        "seating_webhook_lag_entries": 1,
    }
    shown = checks(readings.readiness.report())["webhooks"]
    del shown["ageS"]
    assert shown == {"active": 1, "paused": 0, "unattended": 1, "lag": 1, "failing": 0}


def test_what_only_redis_had_when_it_was_rebuilt_is_counted(one: OneProcess, readings: Readings) -> None:
    event = one.open(9)
    one.persist(event)
    one.buy(event, "k1")
    one.buy(event, "k2")
    one.calls.command("XDEL", keys.log(event), str(one.now(event).backlog.persisted_position))
    one.persist(event)
    found = taken(readings)
    assert found["seating_rebuilds"] == 1
    assert found["seating_fork_entries"] == 2
    assert found["seating_fork_entries_quarantined"] == 0


def test_counts_of_workers_add_up_also_where_redis_is_full(one: OneProcess, own_redis: RedisServer) -> None:
    counts = BackgroundCounts(one.calls)
    assert counts.read() == {}
    counts.add_run(7, 2, 0.25)
    client = own_redis.client()
    client.config_set("maxmemory", client.info("memory")["used_memory"] // 2)
    counts.add_run(3, 1, 0.5)
    found = counts.read()
    assert found.pop("last_run_ms") == pytest.approx(int(client.time()[0]) * 1000, abs=5000)
    assert found == {"runs": 2, "entries": 10, "batches": 3, "run_ms": 750}
    client.config_set("min-replicas-to-write", 1)
    counts.add_run(1, 1, 1.0)
    assert counts.read()["runs"] == 2


def test_a_key_that_somebody_else_uses_does_not_count_as_a_redis_that_is_down(
    one: OneProcess, readings: Readings, own_redis: RedisServer
) -> None:
    own_redis.client().set(keys.COUNTS, "none of ours")
    found = taken(readings)
    assert found["seating_redis_up"] == 1
    assert "seating_worker_runs" not in found


def test_a_server_without_its_latency_monitor_tells_no_fsync(one: OneProcess, own_redis: RedisServer) -> None:
    assert server_figures.read(one.calls).fsync_s is not None
    own_redis.client().config_set("latency-monitor-threshold", 0)
    figures = server_figures.read(one.calls)
    assert figures.fsync_s is None
    assert 0 < figures.memory_bytes < figures.memory_limit_bytes
    assert figures.aof_ok


def test_a_client_that_may_not_ask_for_latencies(one: OneProcess, own_redis: RedisServer) -> None:
    own_redis.client().acl_setuser("default", enabled=True, commands=["-latency"])
    assert server_figures.read(one.calls).fsync_s is None
