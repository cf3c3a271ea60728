"""Accepts connections in batches, within the limits for the process and for each address."""

import errno
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple

import gevent
import structlog
from gevent import get_hub

from seating.server.client_socket import ClientSocket
from seating.server.greenlet_pool import GreenletPool
from seating.server.load_board import BoardPlace
from seating.setting_formats import IPNetwork
from seating.telemetry import metrics
from seating.web.client_address import is_trusted, network_of

# With several workers gunicorn takes one at a time, and each new connection waits for a turn of the loop.
# What is accepted together is also sold together, in one write to Redis.
_BATCH: Final = 64
_BLINDLY: Final = 8
"""How many connections of a batch to accept without checking whether another process has fewer."""
_GIVE_WAY_S: Final = 0.002
_OUT_OF_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE_S: Final = 0.5

Address = tuple[Any, ...]

_log = structlog.get_logger(__name__)


class Limits(NamedTuple):
    """The most connections for a process, and for one address in it; `proxies` are exempt from the latter."""

    in_all: int
    per_address: int
    proxies: tuple[IPNetwork, ...] = ()


class Acceptor:
    """Calls `serve` for each connection in a greenlet of its pool, then closes the connection."""

    def __init__(
        self,
        listener: "socket.socket",
        serve: Callable[[ClientSocket, Address], None],
        refuse: Callable[[ClientSocket], None],
        limits: Limits,
        place: BoardPlace,
    ) -> None:
        self._listener = listener
        self._serve = serve
        self._refuse = refuse
        self._limits = limits
        self._place = place
        self._of_address: Counter[str] = Counter()
        self.clients: set[ClientSocket] = set()
        self.greenlets = GreenletPool(self._hold, limits.in_all)

    def run(self) -> None:
        # Before anything is accepted: the process that this one replaces waits to see it on the board.
        self._place.put(0)
        readable = get_hub().loop.io(self._listener.fileno(), 1)
        paused = False
        while True:
            self.greenlets.wait_available()
            get_hub().wait(readable)
            if self._place.leads():  # Give way only briefly: the other processes may be busy or stopped.
                gevent.sleep(_GIVE_WAY_S)
            try:
                self._accept_batch()
                paused = False
            except OSError as error:
                # Files become free as connections end, so pause rather than die with all that are open.
                if error.errno not in _OUT_OF_FILES:
                    raise
                if not paused:
                    _log.warning("accepting paused", reason=errno.errorcode[error.errno])
                paused = True
                gevent.sleep(_PAUSE_S)

    def _accept_batch(self) -> None:
        for taken in range(min(_BATCH, self.greenlets.free_count())):
            if taken >= _BLINDLY and self._place.leads():
                return
            if not self._accept():
                return

    def accept_waiting(self) -> None:
        """Accept the connections that wait, as far as there is room: the kernel resets them if the listener closes."""
        with suppress(OSError):
            while self.greenlets.free_count() and self._accept():
                pass

    def is_full(self) -> bool:
        return not self.greenlets.free_count()

    def _accept(self) -> bool:
        """Return whether a connection waited."""
        try:
            # `accept` would make a socket of gevent's for the connection, which ClientSocket would have to replace.
            fileno, address = self._listener._accept()  # type: ignore[attr-defined]
        # None waits, or another process was faster.
        except BlockingIOError:
            return False
        # The client left while it waited; others may wait behind it.
        except ConnectionAbortedError:
            return True
        self._take(ClientSocket(self._listener.family, self._listener.type, self._listener.proto, fileno), address)
        return True

    def _take(self, client: ClientSocket, address: Address) -> None:
        network = network_of(address[0]) or ""
        full = self._of_address[network] >= self._limits.per_address
        # A proxy's connections carry the requests of many clients.
        if full and not is_trusted(address[0], self._limits.proxies):
            metrics.REFUSED_CONNECTIONS.inc()
            with suppress(OSError):
                self._refuse(client)
            client.close()
            return
        self._of_address[network] += 1
        metrics.CONNECTIONS.inc()
        self.clients.add(client)
        self._place.put(len(self.clients))
        self.greenlets.spawn(client, address, network)

    def _hold(self, client: ClientSocket, address: Address, network: str) -> None:
        try:
            metrics.ACCEPT_WAIT.observe(client.silent_s())
            self._serve(client, address)
        finally:
            client.close()
            metrics.CONNECTIONS.dec()
            self.clients.discard(client)
            self._place.put(len(self.clients))
            self._of_address[network] -= 1
            # Otherwise the counter would grow with every address that ever came.
            if not self._of_address[network]:
                del self._of_address[network]
