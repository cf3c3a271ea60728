"""The time before a web instance stops, in which load balancers learn that it will, and the end of its listeners."""

import ctypes
import mmap
import signal
import socket
import struct
from contextlib import suppress
from typing import Any, Final

import gevent
import structlog

# From linux/socket.h and linux/filter.h; Python has no names for them. The filter reads the flags of a TCP header.
_SO_ATTACH_FILTER: Final = 26
_LOAD_BYTE, _AND, _JUMP_IF_EQUAL, _RETURN = 0x30, 0x54, 0x15, 0x06
_FLAGS_AT, _SYN, _SYN_OR_ACK = 13, 0x02, 0x12
_ALL_BYTES: Final = 0xFFFF_FFFF
_FILTER: Final = b"".join(
    struct.pack("=HBBI", *instruction)
    for instruction in (
        (_LOAD_BYTE, 0, 0, _FLAGS_AT),
        (_AND, 0, 0, _SYN_OR_ACK),
        (_JUMP_IF_EQUAL, 0, 1, _SYN),
        (_RETURN, 0, 0, 0),
        (_RETURN, 0, 0, _ALL_BYTES),
    )
)
_BYTES_EACH: Final = 8

_log = structlog.get_logger(__name__)


class Draining:
    """Whether the instance drains: in shared memory, set by gunicorn's master. Created before it forks."""

    def __init__(self) -> None:
        self._flag = mmap.mmap(-1, 1)

    def has_begun(self) -> bool:
        return self._flag[0] != 0

    def before_stop(self, master: Any, drain_s: float) -> None:
        """Let the first SIGTERM begin to drain and end that `drain_s` later; the next one stops the master at once."""
        stop = master.handle_term

        def handle_term() -> None:
            ends = not drain_s or self.has_begun()
            self._flag[0] = 1
            if ends:
                # gunicorn's handler raises StopIteration, so nothing below runs.
                stop()
            _log.info("web server drains", seconds=drain_s)
            # Not a sleep, which would stop the master's loop: it still has to watch its workers.
            gevent.spawn_later(drain_s, master.signal, signal.SIGTERM, None)

        master.handle_term = handle_term


def drop_new_handshakes(listener: socket.socket) -> None:
    """Drop the first packet of each new connection, in all processes that share the listener, as long as it is open.

    Handshakes under way go on. A client that begins one tries again after a second, when the listener is closed: it is
    refused then, before it has sent anything, and a load balancer turns to another server. Does nothing for Unix
    sockets, or where the kernel has no such filters.
    """
    if listener.family not in (socket.AF_INET, socket.AF_INET6):
        return
    # In a variable, because `program` has only its address and does not keep it alive for the system call.
    code = ctypes.create_string_buffer(_FILTER, len(_FILTER))
    program = struct.pack("HP", len(_FILTER) // _BYTES_EACH, ctypes.addressof(code))
    with suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
