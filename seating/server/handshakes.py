"""Lets a listening socket begin no more handshakes, so that it can be closed without resetting a connection."""

import ctypes
import socket
import struct
from contextlib import suppress
from typing import Final

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


def begin_none(listener: socket.socket) -> None:
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
