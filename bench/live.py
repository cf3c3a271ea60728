"""`make bench-live`: the live feed under load. Needs node.

ARGS='5000:20:30 1000:100:30 1000:100:30:50' are its runs: sockets, changes a second, seconds, and stalled sockets.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from bench.report import Measurement, Table
from tests.servers import RedisServer, wait_until
from tests.system import PROJECT, System

_CLIENT = PROJECT / "bench" / "live_client.mjs"
_DEFAULT = ("5000:20:30", "5000:20:30:250", "1000:100:30", "1000:100:30:50")
_SETTINGS = {
    "WEB_WORKERS": "2",
    "WEB_CONNECTIONS": "8192",
    "LIVE_CONNECTIONS_PER_ADDRESS": "100000",
    "HTTP_CONNECTIONS_PER_ADDRESS": "100000",
    "LIVE_RESUME_ENTRIES": "5000",
    "LIVE_PING_S": "10",
    "LOG_LEVEL": "warning",
}
_HALL = {"generate": {"sections": 20, "rows": 20, "seatsPerRow": 25}}

_COLUMNS = [
    *("sockets", "stalled", "changes/s", "messages", "missing", "out of order", "p50 ms", "p99 ms", "max ms"),
    *("KB a socket", "cores, web", "cores, clients", "cores, others", "cores, machine", "stalled ones closed with"),
]
_TEXT = """Two web processes, a worker, a cron and a Redis with `appendfsync always`. One Node process on the same
machine opens the sockets, and buys one seat at a time from another thread of it, for 30 s.

- **messages**: what all sockets that read were sent together; **missing** and **out of order**: messages that a
  socket never got, or got at the wrong place. A run in which anybody lacked anything in the end is thrown away.
- **p50, p99, max**: from the purchase's answer at the buyer to the frame at the client, over all messages. Both clocks
  are the load generator's, which shares the cores with everything else; a frame that came before the buyer's own answer
  counts as 0 ms.
- **KB a socket**: growth of the web processes' own memory (USS) by the open, idle sockets.
- **cores**: CPU time a second while seats were sold and told: of both web processes together, of the load generator, of
  others (whatever is not of this run, and what the kernel does for nobody in particular), and of the whole machine.
- **stalled**: sockets that stop reading when the sale begins. They are closed for saying nothing after a ping (every
  10 s here) or for their full queue, read what was left for them, come back with `since`, and end up with everything
  once.

What a change waits for is mostly the pause between two rounds of writing: 50 ms, or four times what the last round
took."""


class SeatRange(NamedTuple):
    sockets: int
    rate: int
    seconds: int
    stalled: int = 0

    @classmethod
    def parse(cls, text: str) -> "SeatRange":
        return cls(*map(int, text.split(":")))


def measure(run: SeatRange, folder: Path) -> dict[str, Any]:
    redis = RedisServer(folder / "redis")
    redis.start()
    system = System(folder / "data", redis, f"sqlite:///{folder / 'seating.db'}", **_SETTINGS)
    try:
        system.start()
        return _measure(run, system)
    finally:
        system.stop()
        redis.stop()


def _measure(run: SeatRange, system: System) -> dict[str, Any]:
    workers = psutil.Process(system.parts["web"].process.pid).children()
    for _ in range(20):  # Whatever is loaded on first use is loaded.
        assert system.get("/seats/ws-status").status == 200
    event = system.create_event(seatingPlan=_HALL)
    for _ in range(20):  # Every process has the plan.
        assert system.buy(1, event_id=event).status == 200
    before = _own_bytes(workers)
    asked = {"port": system.port, "event": event, **run._asdict()}
    with subprocess.Popen(
        ["node", str(_CLIENT), json.dumps(asked)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdin
        assert client.stdout
        assert json.loads(client.stdout.readline()) == {"connected": run.sockets}
        wait_until(lambda: system.get("/seats/ws-status").json["connectedClients"] == run.sockets)
        idle_kb = (_own_bytes(workers) - before) / run.sockets / 1024
        ours = psutil.Process().children(recursive=True)
        before_s = time.monotonic(), _cpu_s(workers), _cpu_s(ours), _machine_cpu_s()
        client.stdin.write("go\n")
        client.stdin.flush()
        assert "told" in json.loads(client.stdout.readline())
        after_s = time.monotonic(), _cpu_s(workers), _cpu_s(ours), _machine_cpu_s()
        found: dict[str, Any] = json.loads(client.stdout.readline())
    seconds, web, all_ours, machine = (after - before for before, after in zip(before_s, after_s, strict=True))
    found["idleSocketKb"] = round(idle_kb, 1)
    found["webCpuShare"] = round(web / seconds, 2)
    found["otherCpuShare"] = round(max(0.0, machine - all_ours) / seconds, 2)
    found["machineCpuShare"] = round(machine / seconds, 2)
    found["load"] = [round(load, 1) for load in os.getloadavg()]
    return found


def _own_bytes(processes: Sequence[psutil.Process]) -> int:
    return sum(process.memory_full_info().uss for process in processes)


def _cpu_s(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def _machine_cpu_s() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def _row(found: dict[str, Any]) -> list[Any]:
    return [
        *(found[name] for name in ("sockets", "stalled", "changesPerSecond", "messages", "missing", "outOfOrder")),
        *(round(found[name]) for name in ("p50Ms", "p99Ms", "maxMs")),
        *(
            found[name]
            for name in ("idleSocketKb", "webCpuShare", "clientCpuShare", "otherCpuShare", "machineCpuShare")
        ),
        ", ".join(f"{code}: {count}" for code, count in found["stalledClosedWith"].items()) or "-",
    ]


def main(words: Sequence[str]) -> None:
    rows = []
    for run in map(SeatRange.parse, words or _DEFAULT):
        with tempfile.TemporaryDirectory(prefix="seating-bench-") as folder:
            found = measure(run, Path(folder))
        print(json.dumps(found), flush=True)
        assert found["everyoneHasEverything"], found
        assert not any(found[name] for name in ("failedPurchases", "missing", "outOfOrder")), found
        rows.append(_row(found))
    if not words:
        Measurement("live", "The live feed", "make bench-live", _TEXT, [Table("", "", _COLUMNS, rows)]).save()


if __name__ == "__main__":
    main(sys.argv[1:])
