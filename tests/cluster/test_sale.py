"""A sale on a Redis Cluster: an event's life, slots that move, and a primary that is killed.

`make cluster` moves more slots and kills more primaries.
"""

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from seating.redis_store import keys
from seating.redis_store.term_wait import TERM_WITHIN_S
from tests.books import order
from tests.clusters import Cluster, ClusterSystem
from tests.crowd import Rush
from tests.live.client import Socket
from tests.servers import wait_until
from tests.system import Answer, Client

_MOVES: Final = int(os.environ.get("SEATING_CLUSTER_MOVES", "2"))
_KILLS: Final = int(os.environ.get("SEATING_CLUSTER_KILLS", "1"))
_BUYERS: Final = int(os.environ.get("SEATING_BUYERS", "4"))


class Waiting(Client):
    """Buys with `Prefer: wait`; `recorded` has the purchases that SQL then had."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.recorded: set[str] = set()

    def buy(self, quantity: int = 1, key: str | None = None, event_id: str | None = None, **headers: str) -> Answer:
        answer = super().buy(quantity, key, event_id, Prefer="wait=20", **headers)
        if answer.headers.get("Preference-Applied") == "wait":
            self.recorded.add(answer.json["purchaseId"])
        return answer


def test_an_event_lives_on_each_primary(running: ClusterSystem, cluster: Cluster, event_of_each: list[str]) -> None:
    for event in event_of_each:
        path = f"/api/v1/events/{event}"
        with Socket(running, f"{path}/live", quiet_s=60) as live:
            held = post(running, f"{path}/holds", {"quantity": 2})
            assert held.status == 201, held.body
            key, token = f"a-buyer-with-a-hold-{event}", held.json["holdToken"]
            bought = order(running, event, key, holdToken=token)
            assert bought.json["seats"] == held.json["seats"]
            assert order(running, event, key, holdToken=token).body == bought.body
            cancelled = running.request("DELETE", f"/api/v1/purchases/{bought.json['purchaseId']}")
            assert cancelled.status == 200, cancelled.body
            live.until(cancelled.json["position"])
    with_sql = Waiting(running.port)
    for number, event in enumerate(event_of_each, 1):
        buy = partial(with_sql.buy, 1, f"a-buyer-who-waits-{event}", event)
        wait_until(lambda buy=buy, number=number: buy() and len(with_sql.recorded) == number, 60, "SQL to have it")
    lost = event_of_each[0]
    cluster.client(cluster.primary_of(lost)).delete(*keys.all_of(lost))
    wait_until(lambda: running.buy(1, "after-the-rebuild-", lost).status == 200, 60, "the event to be rebuilt")
    assert_books_right(running)
    assert running.get("/cache-status").status == running.get("/users/1").status == 200
    assert running.get("/ready").json["checks"]["upkeep"]["workers"] == 1


def test_the_doctor_sees_each_primary(running: ClusterSystem, cluster: Cluster) -> None:
    lines = [f"127.0.0.1:{port}, it keeps what it confirms" for port in cluster.primaries()]

    def sees_each() -> bool:
        said = doctor(running)
        return all(line in said for line in lines)

    wait_until(sees_each, 120, "the doctor to see each primary")


def test_slots_move_under_load(running: ClusterSystem, cluster: Cluster, event_of_each: list[str]) -> None:
    """No purchase fails: what meets a slot on its way is sent again, and waits for the event's next term.

    Unless that takes longer than it waits, on a machine that does too much else.
    """
    event = event_of_each[0]
    slowest_s = 0.0
    with Rush(running, buyers=_BUYERS, event_id=event) as rush:
        for _ in range(_MOVES):
            asked, began_s = redirects(running, "ask"), time.monotonic()
            cluster.move(event, partial(await_more_than, asked, lambda: redirects(running, "ask")))
            await_more_than(len(rush.answers) + 10, lambda: len(rush.answers))
            slowest_s = max(slowest_s, time.monotonic() - began_s)
    print(f"{len(rush.unanswered)} of {len(rush.answers)} purchases failed; a move took {slowest_s:.1f} s at most")
    assert not rush.unanswered or slowest_s > TERM_WITHIN_S
    rush.settle()
    assert redirects(running, "moved") > 0
    assert_books_right(running)


def test_primaries_are_killed_under_load(running: ClusterSystem, cluster: Cluster, event_of_each: list[str]) -> None:
    """The other primaries sell on. What is lost, no buyer had been told to be in SQL."""
    event, *_ = event_of_each
    with_sql = Waiting(running.port)
    bought: set[str] = set()
    for _ in range(_KILLS):
        killed = cluster.primary_of(event)
        elsewhere = next(one for one in event_of_each if cluster.primary_of(one) != killed)
        with (
            Rush(running, buyers=_BUYERS, event_id=event) as rush,
            Rush(with_sql, buyers=_BUYERS, event_id=event) as waiting,
            Rush(running, buyers=_BUYERS, event_id=elsewhere) as others,
        ):
            for one in (rush, waiting, others):
                await_more_than(10, lambda one=one: len(one.answers))
            cluster.kill(killed)
            await_more_than(len(others.answers) + 10, lambda: len(others.answers))  # While it is away.
            assert cluster.start_server(killed)
            await_more_than(len(rush.answers) + 10, lambda: len(rush.answers))
        cluster.await_whole()
        wait_until(lambda: running.buy(1, event_id=event).status == 200, 60, "the sale to go on")
        print(f"{len(others.unanswered)} of {len(others.answers)} purchases of another primary's event failed")
        for one in (rush, waiting, others):
            one.settle()
            bought |= {answer["purchaseId"] for answer in one.answers.values()}
    wait_until(lambda: running.command("reconcile", event), 60, "the books to be right")
    recorded = purchases(running)
    assert with_sql.recorded <= recorded
    print(
        f"lost {len(bought - recorded)} of {len(bought)} purchases, none of {len(with_sql.recorded)} told to be in SQL"
    )


def doctor(system: ClusterSystem) -> str:
    """What it says; it finds fault with the keys of this system."""
    command = [sys.executable, "-m", "seating", "doctor"]
    done = subprocess.run(
        command, cwd=system.folder, env=system.environment, capture_output=True, text=True, timeout=100, check=False
    )
    return done.stdout


def post(client: Client, path: str, body: dict[str, object]) -> Answer:
    return client.request("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"})


def redirects(client: Client, why: str) -> float:
    metrics = client.get("/metrics", {"Accept": "text/plain"}).body.decode()
    found = re.search(rf'^seating_redis_redirects_total{{why="{why}"}} (\S+)', metrics, re.MULTILINE)
    return float(found[1]) if found else 0.0


def await_more_than(number: float, count: Callable[[], float]) -> None:
    wait_until(lambda: count() > number, 60, f"more than {number}")


def purchases(system: ClusterSystem) -> set[str]:
    """The ids of all purchases in SQL."""
    connection = sqlite3.connect(system.database_url.removeprefix("sqlite:///"))
    try:
        return {id for (id,) in connection.execute("SELECT id FROM purchases")}
    finally:
        connection.close()


def assert_books_right(system: ClusterSystem) -> None:
    """By the operator's own command, of all events."""
    wait_until(lambda: system.command("reconcile").stdout == "the books are right\n", 60, "the books to be right")
