"""A WebSocket client that shows what it gets, frame by frame, and a map built of it."""

import base64
import gzip
import json
import os
import socket
from contextlib import suppress
from typing import Any, NamedTuple

from tests.system import Answer, Client
from tests.web import read_answer

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Frame(NamedTuple):
    opcode: int
    payload: bytes

    @property
    def code(self) -> int:
        """Of a close frame."""
        return int.from_bytes(self.payload[:2], "big")

    @property
    def reason(self) -> str:
        """Of a close frame."""
        return self.payload[2:].decode()


class Refused(Exception):
    """The handshake was answered otherwise."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self.answer = answer


def handshake(path: str, headers: dict[str, str | None] | None = None, start: str = "GET {} HTTP/1.1") -> bytes:
    """`headers` replace the usual ones; None leaves one out."""
    fields: dict[str, str | None] = {
        "Host": "seating.test",
        "Upgrade": "websocket",
        "Connection": "keep-alive, Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
        **(headers or {}),
    }
    lines = [start.format(path), *(f"{name}: {value}" for name, value in fields.items() if value is not None)]
    return "\r\n".join((*lines, "", "")).encode("latin-1")


class Socket:
    """An open WebSocket. `quiet_s` is how long a read waits. Pings are answered unless told otherwise."""

    def __init__(
        self,
        client: Client,
        path: str = "/",
        headers: dict[str, str | None] | None = None,
        *,
        receive_buffer: int | None = None,
        quiet_s: float = 15,
    ) -> None:
        self.connection = socket.socket()
        if receive_buffer:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.settimeout(quiet_s)
        self.connection.connect(("127.0.0.1", client.port))
        self.connection.sendall(handshake(path, headers))
        self._buffer = b""
        if not self._upgraded():
            answer = read_answer(self.connection)
            self.connection.close()
            raise Refused(answer)
        self.head = b""
        while not self.head.endswith(b"\r\n\r\n"):
            self.head += self._take(1)
        self.closed: Frame | None = None

    def __enter__(self) -> "Socket":
        return self

    def __exit__(self, *_error: object) -> None:
        self.connection.close()

    def _upgraded(self) -> bool:
        start = b""
        while len(start) < 12:
            start = self.connection.recv(12, socket.MSG_PEEK)
            if not start:
                raise ConnectionError("the server closed the connection without an answer")
        return start == b"HTTP/1.1 101"

    def frame(self) -> Frame:
        """The next frame of any kind. Raises ConnectionError at the end, TimeoutError when nothing comes."""
        first, size = self._take(2)
        assert first & 0x70 == 0, "no extension was agreed on"
        assert first & 0x80, "the server never fragments"
        assert size < 128, "the server does not mask"
        if size == 126:
            size = int.from_bytes(self._take(2), "big")
        elif size == 127:
            size = int.from_bytes(self._take(8), "big")
        return Frame(first & 0x0F, self._take(size))

    def message(self) -> Any:
        """The next message, pings answered. Raises ConnectionError when the server closes; `closed` has its frame."""
        while True:
            frame = self.frame()
            if frame.opcode == TEXT:
                return json.loads(frame.payload)
            if frame.opcode == PING:
                self.send(PONG, frame.payload)
            if frame.opcode == CLOSE:
                self.closed = frame
                self.send(CLOSE, frame.payload)
                raise ConnectionError(f"closed with {frame.code}")

    def until(self, position: str) -> list[Any]:
        """Messages up to the one of `position`."""
        found = [self.message()]
        while found[-1]["position"] != position:
            found.append(self.message())
        return found

    def rest(self) -> list[Any]:
        """All messages until the server closes."""
        found = []
        with suppress(ConnectionError):
            while True:
                found.append(self.message())
        return found

    def close_code(self) -> int:
        """Reads to the end."""
        self.rest()
        return self.closed.code if self.closed else 1006

    def send(self, opcode: int, payload: bytes = b"", *, first: int = 0x80) -> None:
        head = bytes((first | opcode,))
        if len(payload) < 126:
            head += bytes((0x80 | len(payload),))
        elif len(payload) < 1 << 16:
            head += bytes((0x80 | 126,)) + len(payload).to_bytes(2, "big")
        else:
            head += bytes((0x80 | 127,)) + len(payload).to_bytes(8, "big")
        self.connection.sendall(head + b"\0\0\0\0" + payload)

    def unread(self) -> bytes:
        """What has come already, behind the last frame or the handshake, for one who reads the connection from here."""
        unread, self._buffer = self._buffer, b""
        return unread

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            part = self.connection.recv(65536)
            if not part:
                raise ConnectionError("the server is gone")
            self._buffer += part
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken


def refusal(client: Client, path: str = "/", headers: dict[str, str | None] | None = None) -> Frame:
    """The close frame of a feed that is accepted and closed, with nothing before or after it."""
    with Socket(client, path, headers) as socket:
        frame = socket.frame()
        assert frame.opcode == CLOSE, frame
        assert socket.connection.recv(1) == b""
        return frame


def live(event_id: str, since: str | None = None) -> str:
    return f"/api/v1/events/{event_id}/live" + (f"?since={since}" if since else "")


def snapshot(client: Client, event_id: str) -> Any:
    answer = client.get(f"/api/v1/events/{event_id}/seats", {"Accept-Encoding": "gzip"})
    assert answer.status == 200, answer
    return json.loads(gzip.decompress(answer.body) if "Content-Encoding" in answer.headers else answer.body)


def end(client: Client, event_id: str) -> str:
    """The position where an event's log ends now."""
    position: str = snapshot(client, event_id)["position"]
    return position


def beyond(position: str, count: int) -> str:
    """The position `count` entries later in the same term."""
    epoch, seq = order(position)
    return f"{epoch}-{seq + count}"


def all_beyond(position: str, count: int) -> list[str]:
    """The `count` positions that follow in the same term."""
    return [beyond(position, number) for number in range(1, count + 1)]


def order(position: str) -> tuple[int, ...]:
    return tuple(map(int, position.split("-")))


class Map:
    """What a page does: a snapshot, then the feed from its position on, and again when told so."""

    def __init__(self, client: Client, event_id: str, seat_ids: list[str]) -> None:
        self.client = client
        self.event_id = event_id
        self.seat_ids = seat_ids
        self.position = ""
        self.since = ""
        self.seats: dict[str, str] = {}
        self.socket: Socket | None = None
        self.take_snapshot()

    def take_snapshot(self) -> None:
        found = snapshot(self.client, self.event_id)
        words = [found["statuses"][letter] for letter in found["seats"]]
        self.seats = dict(zip(self.seat_ids, words, strict=True))
        self.position, self.since = found["position"], found["since"]

    def connect(self) -> None:
        self.socket = Socket(self.client, live(self.event_id, self.since))

    def disconnect(self) -> None:
        if self.socket:
            self.socket.connection.close()
            self.socket = None

    def step(self) -> None:
        """One message."""
        assert self.socket
        message = self.socket.message()
        if message["type"] == "SNAPSHOT_NEEDED":
            self.take_snapshot()
            assert order(self.position) >= order(message["position"])
            return
        if order(message["position"]) <= order(self.position):
            return  # The snapshot has it already.
        (epoch, seq), (new_epoch, new_seq) = order(self.position), order(message["position"])
        assert new_epoch >= epoch
        assert new_seq == seq + 1
        for group in message.get("groups", [message] if message["type"] == "SEATS" else []):
            self.seats |= dict.fromkeys(group["seats"], group["status"])
        self.position, self.since = message["position"], message["since"]

    def follow_to(self, position: str) -> None:
        while order(self.position) < order(position):
            self.step()
