"""The map of a cluster's slots, while its servers say nothing that helps."""

import socket
from collections.abc import Iterator

import pytest
from gevent.server import StreamServer
from redis.exceptions import ConnectionError as RedisConnectionError

from seating.redis_store import slot_map
from seating.redis_store.slot_map import SlotMap


class Stub(StreamServer):
    """A cluster of one server, which may have no slots."""

    has_slots = True

    @property
    def url(self) -> str:
        return f"redis+cluster://127.0.0.1:{self.server_port}"

    def handle(self, connection: socket.socket, _address: object) -> None:
        with connection, connection.makefile("rb") as sent:
            while head := sent.readline():
                words = []
                for _ in range(int(head[1:])):
                    length = int(sent.readline()[1:])
                    words.append(sent.read(length + 2)[:-2].upper())
                connection.sendall(self.reply(words))

    def reply(self, words: list[bytes]) -> bytes:
        if words == [b"COMMAND"]:
            return b"*0\r\n"
        if words != [b"CLUSTER", b"SLOTS"]:
            return b"+OK\r\n"
        if not self.has_slots:
            return b"*0\r\n"
        server = b"*3\r\n$9\r\n127.0.0.1\r\n:%d\r\n$40\r\n%s\r\n" % (self.server_port, b"0" * 40)
        return b"*1\r\n*3\r\n:0\r\n:16383\r\n" + server


@pytest.fixture
def stub() -> Iterator[Stub]:
    server = Stub(("127.0.0.1", 0))
    server.start()
    yield server
    server.stop()


def test_it_stays_as_it_is_when_no_server_has_slots(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slot_map, "_AT_MOST_EVERY_S", 0.0)
    slots = SlotMap(stub.url)
    server = slots.server_of("key")
    assert server.endswith(f":{stub.server_port}")
    stub.has_slots = False
    for _ in range(2):
        slots.refresh()
        assert slots.server_of("key") == server
        assert slots.primaries() == [server]


def test_a_cluster_without_slots_does_not_answer(stub: Stub) -> None:
    stub.has_slots = False
    with pytest.raises(RedisConnectionError):
        SlotMap(stub.url).server_of("key")


def test_a_failure_to_connect_is_remembered_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise each of a crowd would wait in vain for itself, one after another."""
    monkeypatch.setattr(slot_map, "_ANSWERS_WITHIN_S", 0.05)
    monkeypatch.setattr(slot_map, "_AT_MOST_EVERY_S", 3600.0)
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        silent.setblocking(False)
        slots = SlotMap(f"redis+cluster://127.0.0.1:{silent.getsockname()[1]}")

        def attempts() -> int:
            with pytest.raises(RedisConnectionError, match="does not answer"):
                slots.server_of("key")
            accepted = 0
            while True:
                try:
                    silent.accept()[0].close()
                except BlockingIOError:
                    return accepted
                accepted += 1

        assert attempts() > 0
        assert attempts() == 0
        monkeypatch.setattr(slot_map, "_AT_MOST_EVERY_S", 0.0)
        assert attempts() > 0
