"""SQL comes back empty, or older, beside a Redis that has sold: the whole product goes on, and sells nothing twice."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from seating.redis_store import keys
from tests.books import assert_books_right, assert_each_seat_once, assert_replayed, buy_recorded, reopened, seating
from tests.servers import RedisServer, wait_until
from tests.system import System

_EVENT = "demo"


@pytest.fixture
def sql(tmp_path: Path) -> Path:
    return tmp_path / "seating.db"


def _copy(sql: Path, backup: Path) -> None:
    """As an operator backs it up, with the sale going on."""
    with closing(sqlite3.connect(sql)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)


def _lose(sql: Path, backup: Path | None) -> None:
    for file in sql.parent.glob(f"{sql.name}*"):
        file.unlink()
    if backup:
        backup.rename(sql)


def _trim(redis: RedisServer) -> None:
    """The log keeps its last entry, as if the others were too old."""
    redis.client().xtrim(keys.log(_EVENT), maxlen=1, approximate=False)


def _whole(_redis: RedisServer) -> None:
    pass


@pytest.mark.parametrize(
    ("older", "log", "heals"), [(False, _whole, False), (True, _trim, False), (True, _whole, True)]
)
def test_a_database_that_went_back(
    own_redis: RedisServer, sql: Path, tmp_path: Path, older: bool, log: Callable[[RedisServer], None], heals: bool
) -> None:
    """Redis was restarted with it: where its log reaches back it is recorded again, else the sale stays closed."""
    system = System(tmp_path / "data", own_redis, f"sqlite:///{sql}")
    try:
        system.start()
        bought = buy_recorded(system, 1)
        _copy(sql, tmp_path / "backup.db")
        bought |= buy_recorded(system, 8)
        system.wait_recorded()
        system.stop()
        _lose(sql, tmp_path / "backup.db" if older else None)
        log(own_redis)
        own_redis.kill()
        own_redis.start()
        system.command("migrate", "--with-demo")
        for part in ("worker", "cron", "web"):
            system.start_part(part)
        wait_until(lambda: system.get("/health").status == 200, 30, "the web to answer")
        if not heals:
            _assert_closed(system)
            merged = seating(system, "merge", _EVENT, "--prefer", "redis")
            assert merged.status == 0, merged
        after = reopened(system).answer
        assert_replayed(system, bought)
        system.wait_recorded()
        assert_each_seat_once(system, _EVENT, [*bought.values(), after])
        assert_books_right(system, _EVENT)
        assert after.json["position"] not in {answer.json["position"] for answer in bought.values()}
    finally:
        system.stop()


def _assert_closed(system: System) -> None:
    """Nothing is sold, nothing was wiped, and everybody is told what to do."""

    def told() -> bool:
        reason = system.get("/ready").json["checks"]["inventory"].get("reason", "")
        return f"seating merge {_EVENT}" in reason

    wait_until(told, 30, "/ready to say what to do")
    refused = system.buy(1)
    assert (refused.status, refused.json["code"]) == (503, "INVENTORY_UNAVAILABLE")
    assert system.redis.client().hget(keys.inventory(_EVENT), "sold") == b"9"
    reconciled = seating(system, "reconcile", _EVENT)
    assert reconciled.status == 1
    assert f"seating merge {_EVENT}" in reconciled.out
    assert "seating rebuild" not in reconciled.out
