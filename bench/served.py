"""The product as it is run, with one more route, and a bare Flask route, also under gunicorn as it comes."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import redis

from seating import runtime
from seating.config import Settings
from seating.redis_store.inventory import Inventory
from tests.servers import RedisServer, wait_until
from tests.system import PROJECT, Part, System

# Limits are raised, not removed.
SETTINGS = {
    "RATE_LIMIT_USERS": "bucket:1000000,1000000/1s",
    "RATE_LIMIT_SALE": "bucket:1000000,1000000/1s",
    "BACKLOG_MAX_ENTRIES": "1000000",
}


BARE = "bench.bare:app"


class Cpu(NamedTuple):
    """CPU time used so far, in s."""

    web: float
    worker: float
    redis: float


class Served(System):
    """`app` is a WSGI application by name; only that of the product has a worker and a cron behind it.

    `stock` is gunicorn without our settings, with its own gevent worker.
    """

    def __init__(
        self, app: str = "bench.apps:app", worker: str = "seating", *, stock: bool = False, **settings: str
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="seating-bench-")
        folder = Path(self._folder.name)
        redis = RedisServer(folder / "redis", maxmemory_mb=2048)
        super().__init__(folder, redis, f"sqlite:///{folder / 'seating.db'}", **SETTINGS | settings)
        self._app = app
        self._worker = worker
        self._stock = stock

    def __enter__(self) -> "Served":
        try:
            return self._serve()
        except BaseException:
            self.__exit__()
            raise

    def _serve(self) -> "Served":
        self.redis.start()
        self.command("migrate", "--with-demo")
        if self._app != BARE:
            self.parts["worker"] = self._run("worker", self._worker, "worker")
            self.start_part("cron")
        bind = f"127.0.0.1:{self.port}"
        stock = ("-k", "gevent", "-w", "2", "-b", bind, "--no-control-socket")
        words = stock if self._stock else ("-c", "gunicorn.conf.py")
        self.parts["web"] = self._run("web", "gunicorn", *words, self._app)
        wait_until(lambda: self.get("/").status, 30)
        return self

    def _run(self, name: str, *module_and_arguments: str) -> Part:
        # Logs are written into a file, as they are in production.
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            command = [sys.executable, "-m", *module_and_arguments]
            process = subprocess.Popen(command, cwd=PROJECT, env=self.environment, stdout=output, stderr=output)
        return Part(name, process, log)

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.redis.stop()
        self._folder.cleanup()

    def cpu(self) -> Cpu:
        worker = [self.parts["worker"].process.pid] if "worker" in self.parts else []
        return Cpu(_cpu_s(child.pid for child in self.workers()), _cpu_s(worker), redis_cpu_s(self.redis.client()))

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.parts["web"].process.pid).children()

    def worker(self) -> psutil.Process:
        return psutil.Process(self.parts["worker"].process.pid)

    def batches(self) -> tuple[float, float]:
        """Writes to Redis so far, and the calls in them."""
        return self.metric("seating_redis_batch_calls_count"), self.metric("seating_redis_batch_calls_sum")

    def lag(self) -> int:
        """Log entries of all events that SQL does not have yet."""
        return int(self.metric("seating_persistence_lag_entries"))

    def metric(self, name: str) -> float:
        text = self.get("/metrics", {"Accept": "text/plain"}).body.decode()
        found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def open_events(self, count: int, **fields: Any) -> list[str]:
        """The addresses of as many new events' purchases."""
        return [f"/api/v1/events/{self.create_event(**fields)}/purchases" for _ in range(count)]


def redis_cpu_s(client: "redis.Redis") -> float:
    """CPU time of Redis's main thread so far, in s."""
    used = client.info("cpu")
    return float(used["used_cpu_user_main_thread"]) + float(used["used_cpu_sys_main_thread"])


def _cpu_s(pids: Any) -> float:
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)


def is_recorded(inventory: Inventory, event_id: str) -> bool:
    """Asked of Redis: a web process that has not sold of an event finds it within a minute."""
    found = inventory.read(event_id)
    return found is not None and not found.backlog.lag


def services_of(served: System) -> runtime.BackgroundServices:
    """The product's own, in this process."""
    return runtime.BackgroundServices(Settings(redis_url=served.redis.url, database_url=served.database_url))
