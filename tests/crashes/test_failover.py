"""Sentinel promotes a replica: at an operator's word, and because the primary died. All over TLS, with passwords."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.books import assert_books_right, assert_each_seat_once, buy_some
from tests.crowd import Rush
from tests.live.client import Socket
from tests.sentinels import Sentinels
from tests.servers import new_sqlite, wait_until
from tests.system import Answer, System


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[Sentinels]:
    watched = Sentinels(tmp_path / "redis", secure=True)
    try:
        watched.start()
        yield watched
    finally:
        watched.stop()


@pytest.fixture
def running(sentinels: Sentinels, tmp_path: Path) -> Iterator[System]:
    # While a test waits for a failover, nobody answers pings.
    settings = {"WEB_WORKERS": "2", "LIVE_PING_S": "300"}
    system = System(tmp_path / "data", sentinels, new_sqlite(tmp_path / "seating.db"), **settings)
    try:
        yield system.start()
    finally:
        system.stop()


def test_sales_go_on_by_themselves(running: System, sentinels: Sentinels) -> None:
    """The first failover is planned, and buyers buy on. Nothing is sold while the primary is killed, and the replicas
    have all. So nothing may be lost, or sold twice."""
    processes = all_processes(running)
    bought = buy_some(running, 20)
    with Socket(running, "/api/v1/events/demo/live", quiet_s=60) as live, Rush(running) as rush:
        see_sales(live, rush)
        fenced = sentinels.fence_primary()
        sentinels.await_replicas()
        sentinels.fail_over()
        see_sales(live, rush)
    rush.settle()
    bought |= {key: running.buy(1, key) for key in rush.answers}
    sentinels.lift_fence(fenced)
    with Socket(running, "/api/v1/events/demo/live", quiet_s=60) as live:
        sentinels.await_replicas()
        sentinels.kill_primary()
        key = "a-sale-after-the-kill"
        bought[key] = sold_again(running, key)
        live.until(bought[key].json["position"])
    bought |= buy_some(running, 20)
    running.wait_recorded(60)
    assert_each_seat_once(running, "demo", bought.values())
    assert all_processes(running) == processes
    assert_books_right(running, "demo")


def see_sales(live: Socket, rush: Rush) -> None:
    """Follow the feed until 20 more seats are sold."""
    sold = len(rush.answers)
    while len(rush.answers) < sold + 20:
        live.message()


def sold_again(running: System, key: str) -> Answer:
    """The purchase of this key, when it is taken."""
    wait_until(lambda: running.buy(1, key).status == 200, 60, "a sale")
    return running.buy(1, key)


def all_processes(running: System) -> set[Any]:
    """The parts and the web processes, all of them alive."""
    parts = [psutil.Process(part.process.pid) for part in running.parts.values()]
    children = running.parts["web"].process.pid
    return {*parts, *psutil.Process(children).children()}
