"""`python -m tests.bench.users [seconds] [rounds]`: what a cached user costs, and what the rate limit costs the sale.

A cached user is compared with an empty view behind the same limit and frame, and with a bare Flask route; a sale with
its limit with one without. What is compared takes turns; shown are the requests a second of each round, and medians.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import psutil

from tests.servers import RedisServer, wait_until
from tests.system import PROJECT, System

_CONNECTIONS = 256
_RAISED = "bucket:1000000,1000000/1s"
_SETTINGS = {"LOG_LEVEL": "warning", "BACKLOG_MAX_ENTRIES": "10000000"}
_BUYER = """
local n = 0
init = function() math.randomseed(os.time() + os.clock() * 1e6); id = math.random(1e9) end
request = function()
  n = n + 1
  local headers = {["Content-Type"] = "application/json", ["Idempotency-Key"] = id .. "-" .. n}
  return wrk.format("POST", nil, headers, '{"quantity":1}')
end
"""


class Served(System):
    """Only web processes, of any WSGI application."""

    process: "subprocess.Popen[bytes] | None" = None

    def serve(self, app: str) -> "Served":
        command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", app]
        self.process = subprocess.Popen(command, cwd=PROJECT, env=self.environment)
        wait_until(lambda: self.get("/").status)
        return self

    def cpu_s(self) -> float:
        """What web processes and Redis have used so far."""
        assert self.process
        used = [child.cpu_times() for child in psutil.Process(self.process.pid).children()]
        redis = self.redis.client().info("cpu")
        own = redis["used_cpu_user_main_thread"] + redis["used_cpu_sys_main_thread"]
        return sum(times.user + times.system for times in used) + float(own)

    def end(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait()


def rate(served: Served, path: str, seconds: int, script: Path | None = None) -> tuple[float, float]:
    """Requests a second, all of them answered 200; and the CPU time of each in web and Redis, in µs.

    On a machine that others use too, the second says more than the first.
    """
    more = ["-s", str(script)] if script else []
    url = f"http://127.0.0.1:{served.port}{path}"
    command = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{seconds}s", *more, url]
    before = served.cpu_s()
    report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", report)
    assert found, report
    assert "Non-2xx" not in report, report
    return float(found[1]), (served.cpu_s() - before) / (float(found[1]) * seconds) * 1e6


def main(seconds: int, rounds: int) -> None:
    folder = Path(tempfile.mkdtemp())
    buyer = folder / "buyer.lua"
    buyer.write_text(_BUYER)
    redis = {name: RedisServer(folder / f"redis-{name}", maxmemory_mb=1024) for name in ("limited", "unlimited")}
    for server in redis.values():
        server.start()
    served = [
        Served(folder / name, redis[server], f"sqlite:///{folder / name}.db", **_SETTINGS, **limits)
        for name, server, limits in (
            ("product", "limited", {"RATE_LIMIT_USERS": _RAISED}),
            ("bare", "limited", {}),
            ("unlimited", "unlimited", {"RATE_LIMIT_SALE": "off"}),
        )
    ]
    product, bare, unlimited = served
    try:
        for system in (product, unlimited):
            system.command("migrate")
        product.serve("tests.bench.compared:app")
        bare.serve("tests.bench.compared:bare")
        unlimited.serve("tests.bench.compared:app")
        events = [system.create_event(totalSeats=10_000_000) for system in (product, unlimited)]
        paths = [f"/api/v1/events/{event}/purchases" for event in events]
        runs = {
            "cached user": lambda: rate(product, "/users/1", seconds),
            "empty view": lambda: rate(product, "/empty/1", seconds),
            "bare Flask": lambda: rate(bare, "/bare/1", seconds),
            "sale, limited": lambda: rate(product, paths[0], seconds, buyer),
            "sale, unlimited": lambda: rate(unlimited, paths[1], seconds, buyer),
        }
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
        for _ in range(rounds):
            for name, run in runs.items():
                found[name].append(run())
        middle = {name: [median(column) for column in zip(*rows, strict=True)] for name, rows in found.items()}
        for name, (rate_, cpu_us) in middle.items():
            print(f"{name:16}{rate_:8.0f}/s {cpu_us:6.0f} µs  {[round(row[0]) for row in found[name]]}")
        for one, other in (
            ("cached user", "empty view"),
            ("cached user", "bare Flask"),
            ("sale, limited", "sale, unlimited"),
        ):
            (rate_, cpu_us), (other_rate, other_us) = middle[one], middle[other]
            print(f"{one} / {other}: {rate_ / other_rate:.3f} by rate, {other_us / cpu_us:.3f} by CPU")
    finally:
        for system in served:
            system.end()
        for server in redis.values():
            server.stop()


if __name__ == "__main__":
    main(*[int(word) for word in (*sys.argv[1:], "5", "5")[:2]])
