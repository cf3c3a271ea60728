"""A data folder is opened by a server that reads it, however long that takes."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from seating.cli import startup_checks
from seating.config import InvalidSettings
from seating.launcher import redis_server, up
from seating.launcher.child import Child
from seating.launcher.redis_server import Build, find, written_by
from tests.launched import Launched
from tests.servers import RedisServer, wait_until
from tests.system import clean_environment

COMMANDS, SLOW_US = 30_000, 100
"""Of a file that takes three seconds to load, or more: Redis looks at its clients once in a thousand commands."""


def put_on_path(folder: Path, name: str, version: str) -> str:
    """A PATH with a server that says its version and does not start."""
    folder.mkdir()
    program = folder / name
    program.write_text(f"#!/bin/sh\ntest \"$1\" = --version && echo '{version}'\n")
    program.chmod(0o755)
    return str(folder)


def _forge(folder: Path, header: bytes) -> None:
    """An append-only file that some other server wrote."""
    files = folder / "appendonlydir"
    files.mkdir(parents=True)
    (files / "appendonly.aof.manifest").write_text("file appendonly.aof.7.base.rdb seq 7 type b\n")
    (files / "appendonly.aof.7.base.rdb").write_bytes(header + b"\xfa\nredis-bits\xc0@")


REDIS_8 = b"REDIS0012\xfa\tredis-ver\x058.2.1"


def test_without_a_server_that_reads_it_one_line_names_both(tmp_path: Path) -> None:
    _forge(tmp_path / "data", REDIS_8)
    refused = Launched(
        tmp_path / "data", PATH=put_on_path(tmp_path / "bin", "redis-server", "Redis server v=7.0.15 sha=0")
    )
    refused.launch()
    assert refused.process
    assert refused.process.wait(30) == 2
    (line,) = [line for line in refused.log.read_text().splitlines() if line != "stopped"]
    assert line.startswith(f"seating: SEATING_DATA_DIR: redis-server 8.2.1 wrote {tmp_path}/data, which ")
    assert "redis-server 7.0.15 and valkey-server 9." in line
    assert line.endswith("put redis-server 8.2 or later on the PATH")


@pytest.mark.parametrize(
    ("header", "writer"),
    [
        (REDIS_8, Build("redis", (8, 2, 1))),
        (b"REDIS0010\xfa\tredis-ver\x067.0.15", Build("redis", (7, 0, 15))),
        (b"REDIS0011\xfa\nvalkey-ver\x058.1.4", Build("valkey", (8, 1, 4))),
        (b"VALKEY080\xfa\nvalkey-ver\x059.1.2", Build("valkey", (9, 1, 2))),
        (b"*2\r\n$6\r\nSELECT\r\n", None),
        (b"", None),
    ],
)
def test_who_wrote_a_folder(tmp_path: Path, header: bytes, writer: Build | None) -> None:
    assert written_by(tmp_path) is None
    _forge(tmp_path, header)
    assert written_by(tmp_path) == writer


@pytest.mark.parametrize(
    ("reader", "writer", "reads"),
    [
        ("redis 7.0.15", "redis 7.0.16", True),
        ("redis 7.2.0", "redis 7.0.15", True),
        ("redis 7.0.15", "redis 7.2.0", False),
        ("redis 7.0.15", "valkey 9.1.2", False),
        ("redis 8.2.0", "valkey 8.1.0", False),
        ("valkey 9.1.2", "valkey 8.1.0", True),
        ("valkey 8.1.0", "valkey 9.1.2", False),
        ("valkey 9.1.2", "redis 7.0.15", True),
        ("valkey 9.1.2", "redis 7.4.0", False),
    ],
)
def test_who_reads_what(reader: str, writer: str, reads: bool) -> None:
    assert _build(reader).reads(_build(writer)) is reads


def _build(text: str) -> Build:
    product, version = text.split()
    return Build(product, tuple(map(int, version.split("."))))


def test_its_own_server_says_so(redis_server: RedisServer) -> None:
    """What is running was chosen for this folder, and wrote it."""
    assert written_by(redis_server.folder) == find(redis_server.folder).build


@pytest.fixture
def slow_redis(own_redis: RedisServer) -> Iterator[Child]:
    """A server that takes long to load its file; it answers at `own_redis.url`, once it is started."""
    with own_redis.client().pipeline(transaction=False) as pipeline:
        for number in range(COMMANDS):
            pipeline.set(f"key-{number}", "value")
        pipeline.execute()
    own_redis.kill()
    folder, socket = own_redis.folder, Path(own_redis.url.removeprefix("unix://"))
    command = redis_server.command(find(folder), folder, socket, maxmemory_mb=128)
    child = Child("redis", [*command, "--key-load-delay", str(SLOW_US)], dict(os.environ))
    yield child
    child.stop(5)


def _refusal_of(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """Why the launcher does not start another server beside this one, "" if it would."""
    monkeypatch.setattr(up, "_OLD_REDIS_ENDS_WITHIN_S", 0.2)
    try:
        up._refuse_running_redis(server.socket, threading.Event())
    except InvalidSettings as error:
        return str(error)
    return ""


def test_no_second_server_beside_one_that_still_loads(
    slow_redis: Child, own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_redis.start()
    wait_until(lambda: startup_checks._loads(own_redis.client()), what="Redis to read its file")
    assert str(own_redis.socket) in _refusal_of(own_redis, monkeypatch)


def test_no_second_server_beside_one_that_hangs(own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    own_redis.pause()
    try:
        assert str(own_redis.socket) in _refusal_of(own_redis, monkeypatch)
    finally:
        own_redis.resume()


def test_a_server_beside_what_one_left_behind(own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    own_redis.kill()
    assert own_redis.socket.exists()
    assert _refusal_of(own_redis, monkeypatch) == ""
    own_redis.socket.unlink()
    assert _refusal_of(own_redis, monkeypatch) == ""


def test_a_server_is_waited_for_as_long_as_it_loads(slow_redis: Child, own_redis: RedisServer, tmp_path: Path) -> None:
    """By the launcher, whose patience for other troubles is shorter here, and by a part that is started alone."""
    started = time.monotonic()
    slow_redis.start()
    environment = clean_environment() | {"REDIS_URL": own_redis.url, "SEATING_DATA_DIR": str(tmp_path / "data")}
    part = subprocess.Popen([sys.executable, "-m", "seating", "migrate"], cwd=tmp_path, env=environment)
    up._wait_for_redis(slow_redis, own_redis.url, threading.Event(), within_s=2.0)
    assert time.monotonic() - started > 2.0
    assert own_redis.client().exists(f"key-{COMMANDS - 1}")
    assert part.wait(60) == 0
