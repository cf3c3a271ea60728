"""A sale on two machines, each with web, worker and cron, of which one reaches the stores over a cable."""

import re
import socket
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from string import ascii_uppercase
from typing import Any, NamedTuple

import orjson
import pytest
from sqlalchemy import make_url

from seating.redis_store import keys
from seating.storage.database import Database
from tests.crowd import Rush
from tests.live.client import Map, Refused, Socket, end, order
from tests.machines.network import STORES, Namespace, Network, relayed, unix
from tests.one_process import OneProcess
from tests.servers import PostgresServer, RedisServer, wait_until
from tests.system import System

_ROWS = ascii_uppercase[:20]
HALL = {"generate": {"sections": 20, "rows": len(_ROWS), "seatsPerRow": 25}}
SEATS = [f"sec-{block}-row-{row}-seat-{seat}" for block in range(1, 21) for row in _ROWS for seat in range(1, 26)]
"""More than can be sold while a test waits."""
_PORT = 3000
_PAUSE_S = 0.2
_SLOW_S = 120
"""What is waited for happens within seconds, unless the machine is very slow."""

pytestmark = pytest.mark.timeout(900)
_SHORT_HOLDS = {"HOLD_TTL_S": "1", "HOLD_EXTEND_STEP_S": "1"}


class Machine(System):
    """The product in a namespace, where it has the same port as on the other machine; `port` is a relay's."""

    def __init__(self, namespace: Namespace, stack: ExitStack, *arguments: Any, **settings: str) -> None:
        super().__init__(*arguments, **settings)
        self.inside = namespace.inside
        self.environment["PORT"] = str(_PORT)
        self.port = stack.enter_context(relayed(socket.create_server(("127.0.0.1", 0)), namespace.dial(_PORT)))

    def _migrate(self) -> None:
        """Only where the stores are."""
        if STORES not in self.environment["REDIS_URL"]:
            super()._migrate()

    def launch(self) -> None:
        self._migrate()
        for name in ("web", "worker", "cron"):
            self.start_part(name)

    def counted(self) -> tuple[int, int, int]:
        """Open feeds, accepted purchases and responses, as told of all machines."""
        feeds = self.get("/seats/ws-status").json["connectedClients"]
        return feeds, self.get("/api/v1/stats").json["successPurchases"], self.get("/metrics").json["totalRequests"]

    def sold_itself(self) -> int:
        """Purchases that its own text for Prometheus counts."""
        text = self.get("/metrics", {"Accept": "text/plain"}).body.decode()
        return int(sum(map(float, re.findall(r'^seating_purchases_total{outcome="sold"} (\S+)$', text, re.MULTILINE))))


class Machines(NamedTuple):
    network: Network
    a: Machine
    b: Machine


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Machines]:
    folder = tmp_path_factory.mktemp("machines")
    redis, url = RedisServer(folder / "redis"), make_url(postgres_server.new_database())
    with ExitStack() as stack:
        network = stack.enter_context(Network())
        redis.start()
        stack.callback(redis.stop)
        ports = []
        for path in (redis.url.removeprefix("unix://"), f"{url.query['host']}/.s.PGSQL.5432"):
            listener = network.a.socket()
            listener.bind((STORES, 0))
            ports.append(stack.enter_context(relayed(listener, unix(path))))
        over_cable = {
            "REDIS_URL": f"redis://{STORES}:{ports[0]}",
            "DATABASE_URL": url.set(query={}, host=STORES, port=ports[1]).render_as_string(),
        }
        here = url.render_as_string()
        a = Machine(network.a, stack, folder / "a", redis, here, **_SHORT_HOLDS)
        b = Machine(network.b, stack, folder / "b", redis, here, **_SHORT_HOLDS, **over_cable)
        stack.callback(stop, a, b)
        for machine in (a, b):
            machine.launch()
        for machine in (a, b):
            machine.wait_ready(_SLOW_S)
        yield Machines(network, a, b)


def stop(*machines: Machine) -> None:
    """All at once, and never without looking after the relays, through which some of them reach the stores."""
    processes = [part.process for machine in machines for part in machine.parts.values()]
    for process in processes:
        process.terminate()
    wait_until(lambda: all(process.poll() is not None for process in processes), _SLOW_S, "the machines to stop")


@pytest.fixture
def books(machines: Machines) -> Iterator[OneProcess]:
    """An operator's look at both stores."""
    database = Database(machines.a.database_url)
    yield OneProcess.build(machines.a.redis.url, database)
    database.close()


def test_plain_routes_tell_of_all_machines_and_prometheus_of_one(machines: Machines) -> None:
    _, a, b = machines
    event = a.create_event(totalSeats=100)
    before, own = a.counted(), [a.sold_itself(), b.sold_itself()]
    with Socket(a), Socket(b), Socket(b):
        for machine, times in ((a, 2), (b, 3)):
            for _ in range(times):
                assert machine.buy(1, event_id=event).status == 200
        for machine in (a, b):
            wait_until(lambda machine=machine: machine.counted()[:2] == (3, before[1] + 5), _SLOW_S)
            assert machine.counted()[2] > before[2] + 5
    assert [a.sold_itself(), b.sold_itself()] == [own[0] + 2, own[1] + 3]
    for machine in (a, b):
        wait_until(lambda machine=machine: machine.counted()[0] == 0, _SLOW_S)


def test_two_workers_and_two_crons_do_no_harm(machines: Machines, books: OneProcess) -> None:
    """Each purchase is recorded once, and each hold that expires is released once."""
    _, a, b = machines
    event = a.create_event(seatingPlan=HALL)
    with Rush(a, 4, _PAUSE_S, event) as at_a, Rush(b, 4, _PAUSE_S, event) as at_b:
        for number in range(10):
            machine, key = (a, b)[number % 2], str(uuid.uuid4())
            wait_until(lambda machine=machine, key=key: _hold_two(machine, event, key) in (201, 409), _SLOW_S)
        wait_until(lambda: len(at_a.answers) > 20 and len(at_b.answers) > 20, _SLOW_S)
        log = books.calls.command
        wait_until(lambda: _kinds(log("XRANGE", keys.log(event), "-", "+")).count("released") == 10, _SLOW_S)
    sold = at_a.answers | at_b.answers
    seats = [seat for answer in sold.values() for seat in answer["seats"]]
    assert len(set(seats)) == len(seats) == len(sold)
    wait_until(lambda: not books.books.reconcile(event), _SLOW_S)
    kinds = _kinds(log("XRANGE", keys.log(event), "-", "+"))
    assert (kinds.count("purchased"), kinds.count("released")) == (len(sold), 10)


def test_what_is_cut_off_stops_and_the_others_go_on(machines: Machines, books: OneProcess) -> None:
    network, a, b = machines
    event = a.create_event(seatingPlan=HALL)
    for machine in (a, b):
        machine.wait_ready(_SLOW_S)
    maps = [Map(machine, event, SEATS) for machine in (a, b)]
    for viewer in maps:
        viewer.connect()
    wait_until(lambda: a.counted()[0] == 2, _SLOW_S)
    with Rush(a, 3, _PAUSE_S, event) as at_a, Rush(b, 3, _PAUSE_S, event) as at_b:
        wait_until(lambda: len(at_a.answers) > 20 and len(at_b.answers) > 20, _SLOW_S)
        network.cut()
        try:
            wait_until(lambda: b.get("/ready").status == 503, _SLOW_S)
            sold, refused = len(at_a.answers), len(at_b.unanswered)
            wait_until(lambda: len(at_b.unanswered) > refused + 20, _SLOW_S)
            wait_until(lambda: len(at_a.answers) > sold + 20, _SLOW_S)
            wait_until(lambda: a.counted()[0] == 1, _SLOW_S, "the share of the other machine to expire")
            assert b.get("/seats/ws-status").status == 200
            assert a.get("/ready").status == 200
        finally:
            network.mend()
        sold_b = len(at_b.answers)
        wait_until(lambda: b.get("/ready").status == 200, _SLOW_S)
        wait_until(lambda: len(at_b.answers) > sold_b + 20, _SLOW_S)
    assert not at_a.unanswered
    at_b.settle()
    sold = at_a.answers | at_b.answers
    seats = [seat for answer in sold.values() for seat in answer["seats"]]
    assert len(set(seats)) == len(seats)
    wait_until(lambda: not books.books.reconcile(event), _SLOW_S)
    wait_until(lambda: _tell(event, a, b) == [len(sold)] * 2, _SLOW_S)
    last = end(a, event)
    for viewer in maps:
        wait_until(lambda viewer=viewer: _has_seen(viewer, last), _SLOW_S)
    assert maps[0].seats == maps[1].seats
    assert list(maps[0].seats.values()).count("sold") == len(sold)
    assert a.get("/api/v1/losses").json["losses"] == []


def _hold_two(machine: Machine, event: str, key: str) -> int:
    """The answer's status: 409 where an attempt that got no answer was successful, and the hold has expired."""
    path, headers = f"/api/v1/events/{event}/holds", {"Content-Type": "application/json", "Idempotency-Key": key}
    return machine.request("POST", path, b'{"quantity": 2}', headers).status


def _tell(event: str, *machines: Machine) -> list[int]:
    """How many seats are sold, as each machine says; nothing while one of them still waits for its stores."""
    answers = [machine.get(f"/api/v1/events/{event}") for machine in machines]
    return [answer.json["seatsSold"] for answer in answers if answer.status == 200]


def _kinds(entries: list[Any]) -> list[str]:
    return [orjson.loads(dict(zip(fields[::2], fields[1::2], strict=True))[b"change"])["kind"] for _, fields in entries]


def _has_seen(viewer: Map, position: str) -> bool:
    """Reads on, and comes back with `since` where the feed has ended; it asserts that nothing is missing."""
    if order(viewer.position) >= order(position):
        return True
    if viewer.socket is None:
        viewer.connect()
    try:
        viewer.step()
    except (OSError, Refused):
        viewer.disconnect()
    return False
