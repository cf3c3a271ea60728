"""Buyers and viewers while the web processes are replaced: no request fails, and no feed has a gap.

`make restarts` runs it with 256 buyers and 200 viewers.
"""

import http.client
import json
import os
import signal
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import gevent
import psutil
import pytest

from tests.live.client import Refused, Socket, all_beyond, end, live
from tests.nginx import deployed, running_nginx
from tests.servers import RedisServer, wait_until
from tests.system import Client, System, free_port

BUYERS = int(os.environ.get("SEATING_BUYERS", "24"))
VIEWERS = int(os.environ.get("SEATING_VIEWERS", "8"))
RELOADS = int(os.environ.get("SEATING_RELOADS", "1"))
HALL = {"generate": {"sections": 100, "rows": 20, "seatsPerRow": 10}}
PAUSE_S = BUYERS / 100
"""Between two purchases of one buyer: about 100 a second in all."""


class Crowd:
    """Buyers on connections that they keep, and viewers who resume where their feed ended, all of one event."""

    def __init__(self, client: Client, event: str) -> None:
        self._client = client
        self._event = event
        self._since = end(client, event)
        self._buying = True
        self.sold = 0
        self.failures: list[str] = []
        self.codes: Counter[int] = Counter()
        self._seen: list[list[str]] = [[] for _ in range(VIEWERS)]
        self._viewers = [gevent.spawn(self._view, seen) for seen in self._seen]
        self._buyers = [gevent.spawn(self._buy) for _ in range(BUYERS)]

    def wait_for_sales(self) -> None:
        """Until each buyer could buy twice."""
        wanted = self.sold + 2 * BUYERS
        wait_until(lambda: self.sold >= wanted or self.failures, 60, "further sales")

    def stop(self) -> None:
        """Check that everybody got everything, once."""
        self._buying = False
        gevent.joinall(self._buyers, timeout=60, raise_error=True)
        assert self.failures == []
        assert self._client.get(f"/api/v1/events/{self._event}").json["seatsSold"] == self.sold
        everything = all_beyond(self._since, self.sold)
        wait_until(lambda: all(seen[-1] == everything[-1] for seen in self._seen), 30, "all feeds to be complete")
        gevent.killall(self._viewers)
        assert all(seen == everything for seen in self._seen)
        assert self.failures == []

    def _buy(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._client.port, timeout=60)
        while self._buying:
            headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
            path = f"/api/v1/events/{self._event}/purchases"
            try:
                connection.request("POST", path, json.dumps({"quantity": 1}), headers)
                response = connection.getresponse()
                body = response.read()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                return
            if response.status != 200:
                self.failures.append(f"{response.status} {body!r}")
                return
            self.sold += 1
            gevent.sleep(PAUSE_S)
        connection.close()

    def _view(self, seen: list[str]) -> None:
        while True:
            try:
                with Socket(self._client, live(self._event, seen[-1] if seen else self._since), quiet_s=60) as feed:
                    seen += (message["position"] for message in iter(feed.message, None))
            except Refused as error:
                self.failures.append(repr(error))
                return
            except OSError:
                self.codes[feed.closed.code if feed.closed else 1006] += 1


@pytest.fixture
def instances(own_redis: RedisServer, tmp_path: Path) -> Iterator[list[System]]:
    """Two, on one data folder, of which none runs yet."""
    settings = {"SEATING_DATA_DIR": str(tmp_path / "data"), "DRAIN_S": "2", "WEB_WORKERS": "2"}
    url = f"sqlite:///{tmp_path / 'seating.db'}"
    systems = [System(tmp_path / name, own_redis, url, **settings) for name in ("one", "other")]
    yield systems
    for system in systems:
        system.stop()


def _processes(system: System) -> set[int]:
    return {process.pid for process in psutil.Process(system.parts["web"].process.pid).children()}


def test_reloads_lose_nothing(instances: list[System]) -> None:
    """SIGHUP."""
    system = instances[0].start("web")
    crowd = Crowd(system, system.create_event(seatingPlan=HALL))
    crowd.wait_for_sales()
    for _ in range(RELOADS):
        before = _processes(system)
        system.parts["web"].process.send_signal(signal.SIGHUP)
        wait_until(lambda before=before: not before & _processes(system), 60, "the old processes to end")
        assert system.get("/ready").status == 200
        crowd.wait_for_sales()
    crowd.stop()
    assert set(crowd.codes) == {1001}
    assert crowd.codes[1001] >= VIEWERS


def test_rolling_restarts_lose_nothing(instances: list[System], tmp_path: Path) -> None:
    """SIGTERM to one instance behind nginx as we deploy it, then to the other when the first is back."""
    balancer = Client(free_port())
    one, other = instances
    for system in instances:  # A second process would only make each of the four starts longer.
        system.environment["WEB_WORKERS"] = "1"
    one.start("web")
    other.start_part("web")
    other.wait_ready(60)
    folder = tmp_path / "nginx"
    servers = deployed(folder, [one.port, other.port], balancer.port)
    with ExitStack() as stack:
        stack.enter_context(running_nginx(folder, servers))
        balancer.wait_ready()
        crowd = Crowd(balancer, one.create_event(seatingPlan=HALL))
        crowd.wait_for_sales()
        for system in instances:
            web = system.parts["web"].process
            web.terminate()
            wait_until(lambda system=system: system.get("/ready").status == 503, 2, "the balancer to be told")
            assert web.wait(60) == 0
            crowd.wait_for_sales()
            system.start_part("web")
            system.wait_ready(60)
            crowd.wait_for_sales()
        crowd.stop()
    assert set(crowd.codes) == {1001}
    assert crowd.codes[1001] >= VIEWERS
