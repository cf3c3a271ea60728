"""`make bench-calls`: CPU time of a request's WSGI call alone, in one process, without a server in front of it.

ARGS='ROUNDS CALLS'. Steadier than `make bench`, and short: what one change to a request's path is worth.
"""

from gevent import monkey

monkey.patch_all()

import gc  # noqa: E402
import io  # noqa: E402
import itertools  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from statistics import median  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402

from bench.served import SETTINGS  # noqa: E402
from tests.servers import RedisServer  # noqa: E402
from tests.system import System  # noqa: E402

_AT_ONCE = 64
_numbers = itertools.count()

Make = Callable[[], dict[str, Any]]


def call(app: Any, environ: dict[str, Any]) -> bytes:
    """The body of a 2xx answer."""
    head: list[Any] = []
    answer = app(environ, lambda *of: head.extend(of))
    body = b"".join(answer)
    if close := getattr(answer, "close", None):
        close()
    if not head[0].startswith("2"):
        raise SystemExit(f"{environ['PATH_INFO']}: {head} {body!r}")
    return body


def request(method: str, path: str, body: bytes = b"") -> Make:
    """Makes an environ as a server does, each with an idempotency key of its own."""
    base = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "3000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:3000",
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.input_terminated": True,
    }
    if body:
        base |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body))}
    return lambda: {
        **base,
        "wsgi.input": io.BytesIO(body),
        "HTTP_IDEMPOTENCY_KEY": f"a-buyer-s-own-key-{next(_numbers)}",
    }


def cpu_us(app: Any, make: Make, calls: int) -> float:
    """CPU µs a call, of greenlets that call at once and again until `calls` are made."""
    left = iter(range(calls))

    def buyer() -> None:
        for _ in left:
            call(app, make())

    gc.collect()
    before = time.process_time()
    gevent.joinall([gevent.spawn(buyer) for _ in range(_AT_ONCE)], raise_error=True)
    return (time.process_time() - before) / calls * 1e6


def measure(rounds: int, calls: int) -> None:
    from bench.apps import app
    from bench.bare import app as bare

    sale, order = {"name": "Test", "totalSeats": 10_000_000}, b'{"quantity":1}'
    event_id = json.loads(call(app, request("POST", "/api/v1/events", json.dumps(sale).encode())()))["id"]
    cases: dict[str, tuple[Any, Make]] = {
        "bare Flask route": (bare, request("POST", "/bare", order)),
        "the same, framed": (app, request("POST", "/framed", order)),
        "purchase": (app, request("POST", f"/api/v1/events/{event_id}/purchases", order)),
        "GET /api/v1/event": (app, request("GET", "/api/v1/event")),
        "GET /users/1, cached": (app, request("GET", "/users/1")),
    }
    found: dict[str, list[float]] = {name: [] for name in cases}
    for case in cases.values():
        cpu_us(*case, calls // 3)  # What is loaded on first use is loaded.
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    for _ in range(rounds):
        for name, case in cases.items():
            found[name].append(cpu_us(*case, calls))
    for name, figures in found.items():
        print(f"{name:24}{median(figures):6.1f} µs, at least {min(figures):.1f}", file=sys.__stdout__)


def main(rounds: int = 7, calls: int = 3000) -> None:
    with tempfile.TemporaryDirectory(prefix="seating-bench-") as folder:
        redis = RedisServer(Path(folder) / "redis", maxmemory_mb=1024)
        redis.start()
        try:
            system = System(Path(folder), redis, f"sqlite:///{folder}/seating.db", **SETTINGS)
            system.command("migrate", "--with-demo")
            (system.folder / "metrics").mkdir()
            os.environ |= {**system.environment, "PROMETHEUS_MULTIPROC_DIR": f"{folder}/metrics"}
            with Path(folder, "log").open("w") as sys.stdout:  # Logs go into a file, as they do in production.
                measure(rounds, calls)
        finally:
            redis.stop()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
