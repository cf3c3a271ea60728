"""Two machines on one: a network namespace each, a cable between them, and relays in and out."""

import contextlib
import ctypes
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
import pytest
from gevent.pool import Group

from tests.programs import program

STORES = "10.77.0.1"
"""The address at which the machine with the stores is reached over the cable."""
_OTHER = "10.77.0.2"
_CABLE = "cable"
_libc = ctypes.CDLL(None, use_errno=True)

Connect = Callable[[], socket.socket]


class Namespace:
    """The network of one machine, which has its own loopback."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.inside = (program("ip"), "netns", "exec", name)
        """What comes before a command that is to run there."""

    def socket(self) -> socket.socket:
        """A socket of this network, whoever uses it: it stays where it was made."""
        with open("/proc/thread-self/ns/net") as here, open(f"/run/netns/{self.name}") as there:
            _enter(there.fileno())
            try:
                return socket.socket()
            finally:
                _enter(here.fileno())

    def dial(self, port: int) -> Connect:
        """Connects to a port of this machine, from this machine."""

        def connect() -> socket.socket:
            made = self.socket()
            made.connect(("127.0.0.1", port))
            return made

        return connect


class Network:
    """Machine `a` has the stores, and `b` reaches them over the cable."""

    def __init__(self) -> None:
        self.a, self.b = (Namespace(f"seating-{os.getpid()}-{end}") for end in "ab")

    def __enter__(self) -> "Network":
        if os.geteuid() != 0:
            pytest.skip("network namespaces need root")
        try:
            self._lay()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _lay(self) -> None:
        for end in (self.a, self.b):
            made = _ip("netns", "add", end.name, check=False)
            if "not permitted" in made.stderr or "denied" in made.stderr:
                pytest.skip("network namespaces are not permitted")
            assert made.returncode == 0, made.stderr
        ends = ("netns", self.a.name, "type", "veth", "peer", "name", _CABLE, "netns", self.b.name)
        _ip("link", "add", _CABLE, *ends)
        for end, address in ((self.a, STORES), (self.b, _OTHER)):
            _ip("-n", end.name, "address", "add", f"{address}/24", "dev", _CABLE)
            for device in ("lo", _CABLE):
                _ip("-n", end.name, "link", "set", device, "up")

    def __exit__(self, *_: object) -> None:
        for end in (self.a, self.b):
            _ip("netns", "delete", end.name, check=False)

    def cut(self) -> None:
        """Nothing passes any more, and nothing is told of it: connections stay open."""
        _ip("-n", self.b.name, "link", "set", _CABLE, "down")

    def mend(self) -> None:
        _ip("-n", self.b.name, "link", "set", _CABLE, "up")


class Relay:
    """Accepts connections at `listener` and passes on what they say, both ways."""

    def __init__(self, listener: socket.socket, connect: Connect) -> None:
        listener.listen(64)
        self.port: int = listener.getsockname()[1]
        self._listener = listener
        self._connect = connect
        self._pairs = Group()
        self._acceptor = gevent.spawn(self._accept_forever)

    def close(self) -> None:
        self._acceptor.kill()
        self._listener.close()
        self._pairs.kill()

    def _accept_forever(self) -> None:
        while True:
            client, _ = self._listener.accept()
            self._pairs.spawn(self._pass_on, client)

    def _pass_on(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), self._connect() as server:
            ways = [gevent.spawn(_pour, client, server), gevent.spawn(_pour, server, client)]
            try:
                gevent.wait(ways, count=1)
            finally:
                gevent.killall(ways)


@contextmanager
def relayed(listener: socket.socket, connect: Connect) -> Iterator[int]:
    """The port of a relay."""
    relay = Relay(listener, connect)
    try:
        yield relay.port
    finally:
        relay.close()


def unix(path: str) -> Connect:
    """Connects to a socket in the file system, which no namespace hides."""

    def connect() -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        made.connect(path)
        return made

    return connect


def _pour(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(1 << 16):
            target.sendall(part)


def _enter(namespace: int) -> None:
    """For this thread; no greenlet runs until it is back."""
    if _libc.setns(namespace, 0x40000000) != 0:  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "setns")


def _ip(*words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run([program("ip"), *words], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0 or not check, (words, done.stderr)
    return done
