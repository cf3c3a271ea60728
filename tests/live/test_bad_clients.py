"""Sockets that send what they should not: closed with the right word, and nobody else is harmed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.live.client import CLOSE, PING, PONG, TEXT, Socket, handshake, live
from tests.servers import wait_until
from tests.system import System
from tests.web import connect, table

BINARY, CONTINUED = 2, 0
_FLOOD = """
import socket, sys
connection = socket.socket(fileno=int(sys.argv[1]))
connection.setblocking(True)
frames = bytes.fromhex(sys.argv[2]) * 10_000
connection.sendall(frames)
print("begun", flush=True)
while True:
    connection.sendall(frames)
"""


@pytest.mark.parametrize(
    ("misbehave", "code"),
    table(
        {
            "a huge frame": (lambda s: s.send(TEXT, b"x" * 200_000), 1009),
            "a huge message in small frames": (
                lambda s: [s.send(CONTINUED if n else BINARY, b"x" * 9_000, first=0) for n in range(12)],
                1009,
            ),
            "a frame announced as 2**62 bytes": (
                lambda s: s.connection.sendall(b"\x81\xff\x40" + bytes(7) + b"\0\0\0\0" + b"x" * 100_000),
                1009,
            ),
            "text that is no text": (lambda s: s.send(TEXT, b"\xff\xfe"), 1007),
            "no mask": (lambda s: s.connection.sendall(b"\x81\x02hi"), 1002),
            "reserved bits": (lambda s: s.send(TEXT, b"hi", first=0xF0), 1002),
            "an opcode that is none": (lambda s: s.send(0x5, b"hi"), 1002),
            "a ping in pieces": (lambda s: s.send(PING, b"hi", first=0), 1002),
            "a ping too long": (lambda s: s.send(PING, b"x" * 126), 1002),
            "another request": (lambda s: s.connection.sendall(handshake("/")), 1002),
            "a close without a code": (lambda s: s.send(CLOSE), 1005),
            "a close": (lambda s: s.send(CLOSE, b"\x03\xe8bye"), 1000),
        }
    ),
)
def test_closed_with(system: System, misbehave: Callable[[Socket], object], code: int) -> None:
    with Socket(system) as socket, Socket(system) as other:
        socket.message()
        other.message()
        misbehave(socket)
        found = socket.close_code()
        assert found == code or (code == 1005 and found in (0, 1005)), found
        bought = system.buy(1).json
        other.until(bought["position"])


def test_noise(system: System) -> None:
    """However it ends, it ends."""
    for _ in range(20):
        with Socket(system) as socket:
            try:
                socket.connection.sendall(os.urandom(5_000))
                socket.close_code()
            except (ConnectionError, AssertionError):
                pass
    wait_until(lambda: system.get("/seats/ws-status").json["connectedClients"] == 0)


def test_messages_are_ignored_and_pings_answered(system: System) -> None:
    with Socket(system) as socket:
        socket.message()
        for number in range(300):
            socket.send(TEXT, b'{"type":"SUBSCRIBE"}' * 50)
            socket.send(PING, b"%d" % number)
            frame = socket.frame()
            while frame.opcode != PONG:
                frame = socket.frame()
            assert frame.payload == b"%d" % number


@pytest.mark.parametrize("opcode", [TEXT, PONG, PING])
def test_a_flood_holds_up_nobody(system: System, opcode: int) -> None:
    """Of frames that come faster than they can be read. Everybody else in the process once waited until it ended."""
    frame = bytes((0x80 | opcode, 0x80, 0, 0, 0, 0))
    with ExitStack() as stack:
        sockets = [stack.enter_context(Socket(system, live("demo"))) for _ in range(4)]
        words = [[sys.executable, "-c", _FLOOD, str(socket.connection.fileno()), frame.hex()] for socket in sockets]
        floods = [
            subprocess.Popen(command, stdout=subprocess.PIPE, pass_fds=[socket.connection.fileno()])
            for command, socket in zip(words, sockets, strict=True)
        ]
        try:
            for flood in floods:
                assert flood.stdout
                assert flood.stdout.readline()
            for _ in range(10):
                started = time.monotonic()
                assert system.buy(1).status == 200
                assert time.monotonic() - started < 2
        finally:
            for flood in floods:
                flood.kill()
                flood.communicate()


def test_clients_that_vanish_are_not_counted(system: System) -> None:
    sockets = [Socket(system, live("demo")) for _ in range(5)]
    wait_until(lambda: system.get("/seats/ws-status").json["connectedClients"] == 5)
    for socket in sockets:
        socket.connection.close()
    wait_until(lambda: system.get("/seats/ws-status").json["connectedClients"] == 0)


def test_a_handshake_without_an_end(system: System) -> None:
    with connect(system) as connection:
        connection.sendall(handshake("/")[:-2])
        assert b"101" not in connection.recv(100)
