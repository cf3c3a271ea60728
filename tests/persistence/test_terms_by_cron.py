"""The cron begins the terms of a restarted Redis at once: no event waits for another's buyers, or for a retry."""

from collections.abc import Callable
from typing import Any, Final

import pytest
from redis.exceptions import OutOfMemoryError
from structlog.testing import capture_logs

from seating.domain.errors import BacklogFull, RecordUnavailable
from seating.redis_store import keys
from seating.redis_store.terms import Terms
from seating.services import persistence
from tests.one_process import OneProcess, on_sqlite
from tests.persistence.test_archive import upkeep
from workers import cron

_MOST: Final = 8


def _restarted(sale: OneProcess, capacity: int = 10) -> str:
    """An event on a server that has been restarted."""
    event = sale.open(capacity=capacity)
    sale.buy(event, "a-buyer-before-it")
    sale.calls.command("HSET", keys.inventory(event), "server", "before the restart")
    return event


def _bought_meanwhile(sale: OneProcess, monkeypatch: pytest.MonkeyPatch, run: Callable[..., object]) -> int:
    """How many seats were sold before the last of three events sold, if `_MOST` are asked for as fast as recorded."""
    events = [_restarted(sale, capacity=1000) for _ in range(3)]
    acknowledge, bought = Terms.acknowledge, []

    def and_buy(self: Terms, event_id: str, *args: Any) -> Any:
        found = acknowledge(self, event_id, *args)
        sells = [sale.now(event).backlog.trusted for event in events]
        if sells[events.index(event_id)] and not all(sells) and len(bought) < _MOST:
            bought.append(sale.buy(event_id, f"a-buyer-meanwhile-{len(bought)}"))
            return acknowledge(self, event_id, *args)  # Which tells of the entry that has come.
        return found

    monkeypatch.setattr(Terms, "acknowledge", and_buy)
    run(events)
    assert all(sale.now(event).backlog.trusted for event in events)
    return len(bought)


def test_no_event_waits_for_the_buyers_of_another(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _bought_meanwhile(sale, monkeypatch, lambda _: upkeep(sale).tick()) < _MOST


@on_sqlite
def test_it_would_if_one_was_recorded_after_the_other(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each for as long as somebody buys, up to the end of a run."""
    monkeypatch.setattr(persistence, "RUN_S", 60.0)
    monkeypatch.setattr(persistence, "GATHER_S", 0.01)
    run = sale.persistence.run
    assert _bought_meanwhile(sale, monkeypatch, lambda events: [run(event) for event in events]) == _MOST


def _waits(sale: OneProcess, event: str, reason: str) -> None:
    """Postpone the event's next attempt by an hour."""
    sale.calls.command("INCR", keys.retry(event))
    sale.calls.command("SET", keys.retry_wait(event), reason, "EX", 3600)


def _down(*_: object) -> None:
    raise RecordUnavailable from OSError("down")


def test_buyers_do_not_wait_for_the_retry(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    event, cron = _restarted(sale), upkeep(sale)
    with monkeypatch.context() as broken:
        broken.setattr(sale.database, "read", _down)
        sale.persist(event)
        assert sale.calls.command("GET", keys.retry_wait(event)) in (b"sql", None)  # It lasts two seconds.
        _waits(sale, event, "sql")
        cron.tick()
        assert not sale.now(event).backlog.trusted
    cron.tick()
    assert sale.now(event).backlog.trusted
    assert sale.buy(event, "a-buyer-after-it").left == 8
    assert not sale.persistence.retries.read(event).failed


def test_a_database_that_only_refuses_writes_is_not_back(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cron does not try every second what has just failed."""
    event, cron = _restarted(sale), upkeep(sale)
    _waits(sale, event, "sql")
    with monkeypatch.context() as full:
        full.setattr(sale.database, "write", _down)
        cron.tick()  # The first look: it cannot know that SQL answered before.
        _waits(sale, event, "sql")
        cron.tick()
        assert sale.persistence.retries.read(event).waits_for_sql
        assert not sale.now(event).backlog.trusted


def test_a_full_redis_does_not_end_the_tick(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever becomes of an event that has to be rebuilt: the others are recorded, which frees memory."""
    broken, lags = _restarted(sale), sale.open(capacity=10)
    sale.buy(lags, "a-buyer-of-another-event")

    def full(*_: object) -> None:
        raise BacklogFull from OutOfMemoryError("OOM")

    cron, round_of = upkeep(sale), sale.persistence._round
    monkeypatch.setattr(
        type(sale.persistence), "_round", lambda _, event, *rest: full() if event == broken else round_of(event, *rest)
    )
    for _ in range(8):  # Its queue refuses jobs, so that it records by itself after a few ticks.
        cron.tick()
    assert sale.now(lags).backlog.lag == 0


def test_it_looks_again_soon_after_a_failure() -> None:
    assert [cron.pause_s(failures) for failures in (0, 1, 2, 3, 4, 5, 99)] == [1.0, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_what_an_operator_has_to_mend_is_not_tried_every_second(sale: OneProcess) -> None:
    event = _restarted(sale)
    _waits(sale, event, "other")
    upkeep(sale).tick()
    assert not sale.now(event).backlog.trusted


_GARBLED: Final = (("foreign", "value"), ("change", b"\xff", "link", "0" * 40))


@pytest.mark.parametrize("fields", _GARBLED)
@pytest.mark.parametrize(
    "run", [lambda sale, events: sale.persistence.run(*events), lambda sale, _: upkeep(sale).tick()]
)
def test_an_event_with_a_garbled_entry_stops_no_other(
    sale: OneProcess,
    monkeypatch: pytest.MonkeyPatch,
    fields: tuple[str | bytes, ...],
    run: Callable[[OneProcess, list[str]], object],
) -> None:
    garbled, other = (_restarted(sale) for _ in range(2))
    position = f"{sale.term(garbled)}-{sale.now(garbled).backlog.position.seq + 1}"
    sale.calls.command("XADD", keys.log(garbled), position, *fields)
    monkeypatch.setattr(persistence.random, "sample", lambda events, _: sorted(events, key=[garbled, other].index))
    with capture_logs() as lines:
        run(sale, [garbled, other])
    assert sale.now(other).backlog.trusted
    assert not sale.now(garbled).backlog.trusted
    assert [line["reason"] for line in lines if line["log_level"] == "error"] == [f"{position}: the entry is garbled"]
    assert sale.persistence.retries.read(garbled).waits


def test_a_bug_in_one_step_ends_no_other() -> None:
    def fail() -> None:
        raise ValueError("a bug")

    with capture_logs() as lines:
        assert not cron._succeeds("upkeep", fail)
    assert [(line["event"], line["log_level"]) for line in lines] == [("upkeep failed", "error")]
