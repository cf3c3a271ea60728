"""Run the whole system: Redis, migrations, web, worker, cron, sender and a partner, with one data folder."""

import errno
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TextIO

import click
import redis

from seating.config import InvalidSettings, Settings
from seating.launcher import redis_server
from seating.launcher.child import Child
from seating.redis_store.plain_client import plain_client
from seating.storage.api_keys import ApiKeys

_LOOK_EVERY_S = 0.1
_REDIS_WITHIN_S = 60.0
_OLD_REDIS_ENDS_WITHIN_S = 15.0
# Longer than a web process needs for its requests, or a worker for its job.
_STOP_WITHIN_S = 40.0
# As SQLAlchemy reads it.
_LOGIN = re.compile(r"^[^:]+://[^:/]*(:[^@]*)?@")


def run(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM, then stop all parts in reverse order of dependency."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    with _lock(settings.data_dir):
        # Asked before anything starts: a server that cannot listen would only be restarted again and again.
        _refuse_taken_port("PORT", settings.bind, settings.port)
        if settings.ops_address:
            _refuse_taken_port("OPS_BIND", *settings.ops_address)
        parts: list[Child] = []
        try:
            environment = _start_redis(settings, parts, stopping)
            _migrate(environment)
            environment |= _start_partner(settings, parts, environment)
            _start_parts(settings, parts, environment)
            while not stopping.wait(_LOOK_EVERY_S):
                for part in parts:
                    part.look_after()
        finally:
            # Redis last: the others still write to it while they stop.
            for part in reversed(parts):
                part.stop(_STOP_WITHIN_S)
            click.echo("stopped")


def _start_redis(settings: Settings, parts: list[Child], stopping: threading.Event) -> dict[str, str]:
    """Wait for the Redis of REDIS_URL, or start the embedded one; return the environment for all parts."""
    environment = dict(os.environ) | {
        "SEATING_DATA_DIR": str(settings.data_dir),
        "DATABASE_URL": settings.effective_database_url,
    }
    if settings.redis_url:
        _say("redis", f"{_without_secrets(settings.redis_url)} (REDIS_URL)")
        return environment
    try:
        server = redis_server.find(settings.data_dir)
    except redis_server.NoRedisServer as error:
        raise InvalidSettings(str(error)) from error
    path = settings.redis_socket
    path.parent.mkdir(mode=0o700, exist_ok=True)
    _refuse_running_redis(path, stopping)
    command = redis_server.command(server, settings.data_dir, path, settings.redis_maxmemory_mb)
    child = Child("redis", command, dict(os.environ))
    parts.append(child)
    child.start()
    _say("redis", f"{path} ({server})")
    _wait_for_redis(child, f"unix://{path}", stopping)
    return environment | {"REDIS_URL": f"unix://{path}"}


def _refuse_running_redis(path: Path, stopping: threading.Event) -> None:
    """A Redis that outlived its launcher still writes to the same files. It may be about to stop, so wait for it."""
    deadline = time.monotonic() + _OLD_REDIS_ENDS_WITHIN_S
    while _listens(path) and not stopping.wait(_LOOK_EVERY_S):
        if time.monotonic() > deadline:
            raise InvalidSettings(f"SEATING_DATA_DIR: a Redis without a launcher runs on {path}; stop it first")


def _listens(path: Path) -> bool:
    """Return whether a server has this socket open, though it may hang or still read its file."""
    with socket.socket(socket.AF_UNIX) as probe:
        # Without it, a server that accepts no connections would keep us waiting.
        probe.settimeout(_LOOK_EVERY_S)
        return probe.connect_ex(str(path)) not in (errno.ENOENT, errno.ECONNREFUSED)


def _wait_for_redis(child: Child, url: str, stopping: threading.Event, within_s: float = _REDIS_WITHIN_S) -> None:
    """Wait, however long it takes to load its file. Raises InvalidSettings if it does not start at all."""
    client = plain_client(url)
    deadline = time.monotonic() + within_s
    while not stopping.wait(_LOOK_EVERY_S):
        try:
            client.ping()
        # It is alive and reads its file, which may take minutes.
        except redis.BusyLoadingError:
            deadline = time.monotonic() + within_s
        except redis.RedisError as error:
            if time.monotonic() > deadline:
                raise InvalidSettings(f"SEATING_DATA_DIR: the embedded Redis does not start: {error}") from error
            child.look_after()
        else:
            return
    sys.exit(0)


def _migrate(environment: dict[str, str]) -> None:
    _say("database", _without_secrets(environment["DATABASE_URL"]))
    migrated = subprocess.run([*_seating("migrate"), "--with-demo"], env=environment, check=False)
    if migrated.returncode:
        sys.exit(migrated.returncode)


def _start_partner(settings: Settings, parts: list[Child], environment: dict[str, str]) -> dict[str, str]:
    """Return the environment that names the event partner: EVENT_API_BASE_URL, or a stand-in started here."""
    if settings.event_api_base_url:
        _say("partner", f"{settings.event_api_base_url} (EVENT_API_BASE_URL)")
        return {}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    part = Child("partner", [*_seating("partner"), "--port", str(port)], environment)
    parts.append(part)
    part.start()
    url = f"http://127.0.0.1:{port}"
    _say("partner", f"{url} (a stand-in)")
    return {"EVENT_API_BASE_URL": url}


def _start_parts(settings: Settings, parts: list[Child], environment: dict[str, str]) -> None:
    about = {
        "worker": "records purchases in SQL",
        "cron": "maintains open events every second",
        "sender": "sends webhooks",
        "web": f"http://{settings.bind}:{settings.port} ({settings.web_workers} processes)",
    }
    for name, text in about.items():
        # DRAIN_S: there is no load balancer that would have to notice a stop.
        part = Child(name, _seating(name), environment | {"SEATING_DEVELOPMENT": "true", "DRAIN_S": "0"})
        parts.append(part)
        part.start()
        _say(name, text)
    if settings.admin_token is None and not ApiKeys(settings.effective_api_keys_file).has_operator():
        whom = "nobody" if settings.proxy_networks else "this machine only"
        _say("keys", f"none: operator routes are open to {whom}; create one before you put a proxy in front")


def _seating(name: str) -> list[str]:
    return [sys.executable, "-m", "seating", name]


def _refuse_taken_port(setting: str, host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As the web server does: connections of the last run may linger on the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise InvalidSettings(f"{setting}: cannot listen on {host}:{port}: {error.strerror}") from None


def _without_secrets(url: str) -> str:
    """Return the URL without options, of which one may be a password, and without user and password.

    Return the scheme alone if it is unclear whether a `?` begins the options or belongs to the password, as SQLAlchemy
    allows.
    """
    shown, other = (text.partition("?")[0].rpartition("@")[2] for text in (url, _LOGIN.sub("", url)))
    return shown if shown == other else url.partition(":")[0]


def _say(part: str, text: str) -> None:
    click.echo(f"{part:9}{text}")


def _lock(data_dir: Path) -> TextIO:
    """Lock the data folder for as long as the file is open. Raises InvalidSettings if another launcher has it."""
    # The parts do not inherit it, so a part that outlives the launcher does not keep the lock.
    holder = (data_dir / "launcher.lock").open("w")
    try:
        fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder.close()
        raise InvalidSettings(f"SEATING_DATA_DIR: another launcher runs on {data_dir}") from None
    return holder
