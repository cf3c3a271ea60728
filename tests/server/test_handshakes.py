"""A listener that is closed while clients connect."""

import errno
import select
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from seating.server.draining import drop_new_handshakes

pytestmark = pytest.mark.skipif("sys.platform != 'linux'", reason="only Linux has filters of sockets")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def _connecting(listener: socket.socket) -> socket.socket:
    client = socket.socket()
    client.setblocking(False)
    assert client.connect_ex(listener.getsockname()) == errno.EINPROGRESS
    return client


def test_nobody_who_sends_is_reset(listener: socket.socket) -> None:
    with closing(socket.create_connection(listener.getsockname(), 5)) as early:
        drop_new_handshakes(listener)
        with closing(_connecting(listener)) as late:
            accepted, _ = listener.accept()
            listener.close()
            early.sendall(b"request")
            assert accepted.recv(100) == b"request"
            accepted.close()
            assert select.select([], [late], [], 10)[1] == [late]
            assert late.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED


def test_otherwise_one_would_be(listener: socket.socket) -> None:
    """The kernel accepts for a listener until it is closed."""
    with closing(_connecting(listener)) as late:
        assert select.select([], [late], [], 10)[1] == [late]
        late.sendall(b"request")
        listener.close()
        late.setblocking(True)
        with pytest.raises(ConnectionResetError):
            late.recv(100)
