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

from tests.servers import RedisServer, wait_until
from tests.system import PROJECT, Client, System

_CONNECTIONS = 256
_RAISED = "bucket:1000000,1000000/1s"
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

    def serve(self, app: str) -> "Served":
        self.command("migrate")
        command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", app]
        self.process = subprocess.Popen(command, cwd=PROJECT, env=self.environment)
        wait_until(lambda: self.get("/").status)
        return self


def rate(client: Client, path: str, seconds: int, script: Path | None = None) -> float:
    """Requests a second; all of them were answered 200."""
    more = ["-s", str(script)] if script else []
    url = f"http://127.0.0.1:{client.port}{path}"
    command = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{seconds}s", *more, url]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", report)
    assert found, report
    assert "Non-2xx" not in report, report
    return float(found[1])


def main(seconds: int, rounds: int) -> None:
    folder = Path(tempfile.mkdtemp())
    buyer = folder / "buyer.lua"
    buyer.write_text(_BUYER)
    redis = {name: RedisServer(folder / f"redis-{name}", maxmemory_mb=1024) for name in ("limited", "unlimited")}
    for server in redis.values():
        server.start()
    served = [
        Served(folder / name, redis[server], f"sqlite:///{folder / name}.db", LOG_LEVEL="warning", **limits).serve(app)
        for name, server, app, limits in (
            ("product", "limited", "tests.bench.compared:app", {"RATE_LIMIT_USERS": _RAISED}),
            ("bare", "limited", "tests.bench.compared:bare", {}),
            ("unlimited", "unlimited", "tests.bench.compared:app", {"RATE_LIMIT_SALE": "off"}),
        )
    ]
    product, bare, unlimited = served
    try:
        events = [system.create_event(totalSeats=10_000_000) for system in (product, unlimited)]
        paths = [f"/api/v1/events/{event}/purchases" for event in events]
        runs = {
            "cached user": lambda: rate(product, "/users/1", seconds),
            "empty view": lambda: rate(product, "/empty/1", seconds),
            "bare Flask": lambda: rate(bare, "/bare/1", seconds),
            "sale, limited": lambda: rate(product, paths[0], seconds, buyer),
            "sale, unlimited": lambda: rate(unlimited, paths[1], seconds, buyer),
        }
        rates: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(rounds):
            for name, run in runs.items():
                rates[name].append(run())
        for name, found in rates.items():
            print(f"{name:16}{median(found):8.0f}/s  {[round(value) for value in found]}")
        middle = {name: median(found) for name, found in rates.items()}
        print(f"cached user / empty view       {middle['cached user'] / middle['empty view']:.3f}")
        print(f"cached user / bare Flask       {middle['cached user'] / middle['bare Flask']:.3f}")
        print(f"sale, limited / unlimited      {middle['sale, limited'] / middle['sale, unlimited']:.3f}")
    finally:
        for system in served:
            system.process.terminate()
            system.process.wait()
        for server in redis.values():
            server.stop()


if __name__ == "__main__":
    main(*[int(word) for word in (*sys.argv[1:], "5", "5")[:2]])
