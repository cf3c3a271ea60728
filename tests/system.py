"""The product as real processes, each part alone, and an HTTP client that says what it got."""

import http.client
import json
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from seating.config import Settings
from seating.runtime import BackgroundServices
from seating.storage import migrations, users
from seating.storage.database import Database
from tests import forked
from tests.forked import Forked
from tests.servers import RedisServer, new_sqlite, wait_until

PROJECT = Path(__file__).parents[1]
GUNICORN = ("gunicorn", "-c", str(PROJECT / "gunicorn.conf.py"), "--pythonpath", str(PROJECT), "wsgi:app")
_UNCHECKED = {"web": GUNICORN, "sender": ("workers.sender",)}
"""What these commands become after their checks, in a new Python, which takes long to start."""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Part(NamedTuple):
    """A running `seating <name>`, its output in a file."""

    name: str
    process: "Forked | subprocess.Popen[bytes]"
    log: Path

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        self.process.terminate()
        return self.process.wait(timeout=40)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Client:
    """A client of the product on one port. `address` is its own, if that matters: one of those of this machine."""

    def __init__(self, port: int, address: str = "") -> None:
        self.port = port
        self._from = (address, 0) if address else None

    def wait_ready(self, within_s: float = 30) -> None:
        wait_until(lambda: self.get("/ready").status == 200, within_s, "the system to be ready")

    def wait_recorded(self, within_s: float = 30) -> None:
        """Until SQL has the default event's whole log."""
        wait_until(lambda: self.get("/api/v1/stats").json["persistence"]["lag"] == 0, within_s, "the lag to be zero")

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        return self.request("GET", path, headers=headers)

    def buy(self, quantity: int = 1, key: str | None = None, event_id: str | None = None, **headers: str) -> Answer:
        """A purchase; `headers` have underscores for hyphens."""
        path = f"/api/v1/events/{event_id}/purchases" if event_id else "/api/v1/purchase"
        sent = {"Content-Type": "application/json", "Idempotency-Key": key or str(uuid.uuid4())}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", path, json.dumps({"quantity": quantity}).encode(), sent)

    def create_event(self, **fields: Any) -> str:
        """A new event's id."""
        body = json.dumps({"name": "Test", **fields}).encode()
        answer = self.request("POST", "/api/v1/events", body, {"Content-Type": "application/json"})
        assert answer.status == 201, answer.body
        event_id: str = answer.json["id"]
        return event_id

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60, source_address=self._from)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, dict(response.headers.items()), response.read())
        finally:
            connection.close()


@contextmanager
def running_system(folder: Path, *parts: str, **settings: str) -> "Iterator[System]":
    """A system with a Redis and a SQLite of its own, in which all parts run, or those that are named."""
    redis = RedisServer(folder / "redis")
    redis.start()
    system = System(folder / "data", redis, new_sqlite(folder / "seating.db"), **settings)
    try:
        yield system.start(*parts)
    finally:
        system.stop()
        redis.stop()


class System(Client):
    """Web, worker and cron against a Redis and a database of the test's.

    It has one web process: a second one takes long to start, and few tests need it.
    """

    inside: tuple[str, ...] = ()
    """What comes before each command: a program that runs it elsewhere."""

    def __init__(self, folder: Path, redis: RedisServer, database_url: str, **settings: str) -> None:
        super().__init__(free_port())
        self.folder = folder
        self.redis = redis
        self.database_url = database_url
        self.environment = clean_environment() | {
            "PORT": str(self.port),
            "SEATING_DATA_DIR": str(folder),
            "REDIS_URL": redis.url,
            "DATABASE_URL": database_url,
            "SEATING_DEVELOPMENT": "true",
            "DRAIN_S": "0",
            "WEB_WORKERS": "1",
            **settings,
        }
        self.parts: dict[str, Part] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def start(self, *names: str) -> "System":
        """Migrates, starts the named parts (all of them by default), and waits until seats can be sold."""
        self._migrate()
        names = names or ("worker", "cron", "web")
        for name in names:
            self.start_part(name)
        if "web" in names:
            self.wait_ready()
        return self

    def _migrate(self) -> None:
        """As `seating migrate --with-demo`, but without the time that it takes another process to start."""
        database = Database(self.database_url)
        migrations.upgrade(database)
        database.write(users.ensure_demo)
        database.close()
        named = {name.lower(): value for name, value in self.environment.items()}
        settings = Settings(
            _env_file=None, **{name: value for name, value in named.items() if value and name in Settings.model_fields}
        )
        BackgroundServices(settings).event_creation.ensure_demo(settings.default_event)

    def start_part(self, name: str, *, checked: bool = False) -> Part:
        """Start it by its command; web and sender without that command's checks, unless it is to be `checked`."""
        command = ("seating", name)
        return self._start(name, *(command if checked else _UNCHECKED.get(name, command)))

    def _start(self, name: str, *words: str) -> Part:
        log = self.folder / f"{name}.log"
        if self.inside:
            with log.open("ab") as output:
                process = subprocess.Popen(
                    [*self.inside, sys.executable, "-m", *words],
                    cwd=self.folder,
                    env=self.environment,
                    stdout=output,
                    stderr=output,
                )
        else:
            log.touch()
            process = forked.start(words, self.folder, self.environment, log)
        self.parts[name] = Part(name, process, log)
        return self.parts[name]

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Runs `seating <words>` to its end and expects it to succeed."""
        done = forked.run(words, self.folder, self.environment)
        assert done.returncode == 0, done.stderr + done.stdout
        return done

    def stop(self) -> None:
        running = [part for part in self.parts.values() if part.process.poll() is None]
        for part in running:
            part.process.terminate()
        for part in running:
            part.process.wait(timeout=40)


def clean_environment() -> dict[str, str]:
    """This process's environment without the product's settings."""
    return {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
