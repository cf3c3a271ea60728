"""A TCP proxy between the product and Redis, in a process of its own, that breaks connections as networks do."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final

_PROJECT: Final = Path(__file__).parents[2]


class Disturbance(StrEnum):
    """What happens to some of the requests that come in."""

    RESET_BEFORE = "reset before"
    """The request does not reach Redis, and its client gets a reset."""
    RESET_AFTER = "reset after"
    """Redis runs the request, and its client gets a reset instead of the reply."""
    HALF_REPLY = "half reply"
    """The client gets the first half of the reply, then the end of the connection."""
    LATENCY = "latency"
    """The request arrives late."""


class Proxy:
    """Listens on a port of its own. `backend` is the Unix socket of the server behind it."""

    def __init__(self, backend: Path) -> None:
        command = [sys.executable, "-m", "tests.proof.proxy_process"]
        self._process = subprocess.Popen(command, cwd=_PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = self._tell(backend=str(backend))
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def lead_to(self, backend: Path) -> None:
        """Lead new connections to another server, and reset those there are."""
        self._tell(backend=str(backend))
        self.cut()

    def cut(self) -> None:
        """Reset all connections."""
        self._tell(cut=True)

    @contextmanager
    def disturbed(self, disturbance: Disturbance, share: float, latency_s: float = 0.0) -> Iterator[None]:
        """Disturb a share of the requests, from 0 to 1, until the end of the block."""
        self._tell(disturbance=disturbance, share=share, latency_s=latency_s)
        try:
            yield
        finally:
            self._tell(disturbance=None)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _tell(self, **orders: object) -> int:
        """Return its port, once it has heard."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(orders).encode() + b"\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())
