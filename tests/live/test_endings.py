"""How sockets end when something is wrong, and that nothing is lost by it."""

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import gevent
import psutil
import pytest

from seating.domain.purchase import Order
from seating.redis_store.calls import Scripts
from seating.redis_store.connection import DirectCalls, ScriptConnection
from seating.redis_store.inventory import Inventory
from tests.live.client import PING, TEXT, Socket, all_beyond, end, live, order
from tests.servers import RedisServer, new_sqlite, wait_until
from tests.system import System, running_system

HALL = {"generate": {"sections": 40, "rows": 20, "seatsPerRow": 10}}

Start = Callable[..., System]


@pytest.fixture
def start(own_redis: RedisServer, tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def start_system(*parts: str, **settings: str) -> System:
            running = System(tmp_path / "data", own_redis, new_sqlite(tmp_path / "seating.db"), **settings)
            stack.callback(running.stop)
            return running.start(*parts)

        yield start_system


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Two web processes. The tests that have them stand in order: the last one stops them."""
    with running_system(tmp_path_factory.mktemp("pair"), "web", WEB_WORKERS="2") as running:
        yield running


def clients(system: System) -> int:
    count: int = system.get("/seats/ws-status").json["connectedClients"]
    return count


def web_processes(system: System) -> list[psutil.Process]:
    return psutil.Process(system.parts["web"].process.pid).children()


def sell(system: System, event: str, purchases: int) -> None:
    """Ten seats each, past the web."""
    calls = DirectCalls(ScriptConnection(system.redis.url, Scripts()))
    inventory = Inventory(calls, backlog_max_entries=100_000, backlog_memory_percent=95)
    for number in range(purchases):
        inventory.purchase(event, "anonymous", f"k{number}", Order(10))
    calls.close()


def test_a_slow_reader_is_closed_and_resumes(start: Start) -> None:
    """It gets a part in order, then 1013; by its position, the rest; all of it once. Its neighbour does not notice."""
    system = start("web", LIVE_QUEUE_KB="16")
    event = system.create_event(seatingPlan=HALL)
    opened = end(system, event)
    everything = all_beyond(opened, 800)
    slow = Socket(system, live(event, opened), receive_buffer=4096)
    neighbour = Socket(system, live(event, opened))
    listening = gevent.spawn(neighbour.until, everything[-1])
    sell(system, event, 800)
    assert [message["position"] for message in listening.get(timeout=30)] == everything
    with neighbour, slow:
        got = [message["position"] for message in slow.rest()]
    assert slow.closed
    assert slow.closed.code == 1013
    assert dropped(system) == {"full": 1}
    assert len(got) < 800
    with Socket(system, live(event, got[-1])) as again:
        got += [message["position"] for message in again.until(everything[-1])]
    assert got == everything


def test_a_client_that_does_not_answer_pings_is_closed(start: Start) -> None:
    system = start("web", LIVE_PING_S="1")
    with Socket(system) as silent, Socket(system) as well:
        listening = gevent.spawn(well.close_code)
        frames = [silent.frame()]
        while frames[-1].opcode in (TEXT, PING):
            frames.append(silent.frame())
        assert frames[-1].code == 1013
        assert [frame.opcode for frame in frames[:2]] == [TEXT, PING]
        assert dropped(system) == {"silent": 1}
        silent.connection.close()
        wait_until(lambda: clients(system) == 1)
        assert not listening.ready()
        listening.kill()


def dropped(system: System) -> dict[str, int]:
    """How many clients were too slow, by the reason in the metrics."""
    text = system.get("/metrics", {"Accept": "text/plain"}).body.decode()
    return {why: int(float(count)) for why, count in re.findall(r'live_slow_clients_total{why="(\w+)"} (\S+)', text)}


def test_clients_are_counted_over_processes_and_deaths(pair: System) -> None:
    """kill -9 of a process takes its clients out of the count."""
    first, second = web_processes(pair)
    sockets = []
    for alive, other, count in ((first, second, 3), (second, first, 4)):
        other.suspend()
        wait_until(lambda other=other: other.status() == psutil.STATUS_STOPPED)
        sockets.append([Socket(pair) for _ in range(count)])
        for socket in sockets[-1]:
            socket.message()
        other.resume()
        assert alive.is_running()
    wait_until(lambda: clients(pair) == 7)
    first.kill()
    wait_until(lambda: clients(pair) == 4)
    wait_until(lambda: len(web_processes(pair)) == 2)
    assert [socket.close_code() for socket in sockets[0]] == [1006] * 3
    with Socket(pair) as late:
        late.message()
        wait_until(lambda: clients(pair) == 5)
    bought = pair.buy(1).json
    for socket in sockets[1]:
        assert order(socket.until(bought["position"])[-1]["position"])
        socket.connection.close()


def test_without_its_reader_a_process_ends(pair: System) -> None:
    """It says so; what is open elsewhere goes on, and a new process takes its place."""
    before = web_processes(pair)
    log = pair.parts["web"].log
    logged = log.stat().st_size
    event = pair.create_event(seatingPlan=HALL)
    socket = Socket(pair, live(event))
    socket.message()
    client = pair.redis.client()
    client.xadd(f"log:{{{event}}}", {"no": "change"}, id="999999999-1")
    with socket:
        assert socket.close_code() == 1001
    wait_until(lambda: len([process for process in before if process.is_running()]) == 1, 30)
    wait_until(lambda: len(web_processes(pair)) == 2)
    assert b"live greenlet died" in log.read_bytes()[logged:]
    assert pair.buy(1).status == 200


def test_at_shutdown_everybody_is_told(pair: System) -> None:
    """1001, and the process does not wait for those who do not read."""
    event = pair.create_event(seatingPlan=HALL)
    stalled = Socket(pair, live(event, end(pair, event)), receive_buffer=4096)
    sell(pair, event, 800)
    sockets = [Socket(pair, live("demo")) for _ in range(10)]
    web = pair.parts["web"]
    web.process.send_signal(signal.SIGTERM)
    assert [socket.close_code() for socket in sockets] == [1001] * 10
    for socket in sockets:
        socket.connection.close()
    assert web.process.wait(timeout=15) == 0
    stalled.connection.close()


def test_connections_to_redis_break(start: Start) -> None:
    """Sockets stay, and go on from where they were."""
    system = start("web")
    event = system.create_event(seatingPlan=HALL)
    opened = end(system, event)
    with Socket(system, live(event, opened)) as socket:
        for position in all_beyond(opened, 4):
            wait_until(lambda: system.buy(1, event_id=event).status == 200)
            assert socket.message()["position"] == position
            system.redis.client().client_kill_filter(_type="normal", skipme=True)


def test_redis_dies_and_comes_back(start: Start, own_redis: RedisServer) -> None:
    """Sockets stay, and go on from where they were as soon as seats are sold again: each restart begins a term."""
    system = start()
    event = system.create_event(seatingPlan=HALL)
    opened = end(system, event)
    with Socket(system, live(event, opened), quiet_s=60) as socket, Socket(system) as plain:
        assert plain.message()["type"] == "CONNECTED"
        told: list[dict[str, Any]] = []
        for _ in range(3):
            wait_until(lambda: system.buy(1, event_id=event).status == 200, 60)
            told.append(socket.message())
            own_redis.kill()
            own_redis.start()
            told.append(socket.message())
        system.wait_ready(60)
        bought = system.buy(1).json
        assert plain.message()["position"] == bought["position"]
    assert [(message["type"], message["status"]) for message in told] == [("SEATS", "sold"), ("SEATS", None)] * 3
    reached = [order(position) for position in (opened, *(message["position"] for message in told))]
    assert [seq for _, seq in reached] == list(range(reached[0][1], reached[0][1] + 7))
    assert [after[0] > before[0] for before, after in pairwise(reached)] == [False, True] * 3


def test_redis_comes_back_older(own_redis: RedisServer, tmp_path: Path) -> None:
    """So fast that nobody saw it go: what waits beyond its log's end is told."""
    system = System(tmp_path / "data", own_redis, new_sqlite(tmp_path / "seating.db"))
    try:
        event = system.start("web").create_event(seatingPlan=HALL)
        opened = end(system, event)
        with Socket(system, live(event, opened)) as socket:
            for _ in range(3):
                system.buy(1, event_id=event)
            first, second, third = all_beyond(opened, 3)
            told = socket.until(third)
            client = own_redis.client()
            client.xdel(f"log:{{{event}}}", second, third)
            (_, last), *_ = client.xrevrange(f"log:{{{event}}}", count=1)
            client.hset(f"inventory:{{{event}}}", mapping={"seq": order(first)[1], "chain": last[b"link"]})
            since = told[0]["since"]
            assert socket.message() == {"type": "SNAPSHOT_NEEDED", "position": first, "since": since}
    finally:
        system.stop()
