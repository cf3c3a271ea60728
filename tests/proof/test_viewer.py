"""A viewer misses no message of its feed."""

import json
import socket

import gevent
from gevent.event import Event

from seating.live.outbox import text_frame
from tests.proof.viewer import Viewer, WatchedEvent

_UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


def test_what_comes_with_the_handshake_is_heard() -> None:
    """In one packet, and the rest of a frame in the next."""
    sold = {"type": "SEATS", "position": "1-2", "since": "1-2-link", "status": "sold"}
    frames = b"".join(text_frame(json.dumps(sold | {"seats": [seat]})) for seat in ("A-1", "A-2"))
    plan = WatchedEvent("event", ["A-1", "A-2", "A-3"])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        viewer = Viewer(1, listener.getsockname()[1], plan, stalls=False)

        def serve() -> None:
            states = {"statuses": {"a": "available", "s": "sold"}, "seats": "aaa", "position": "1-1", "since": "1-1"}
            body = json.dumps(states).encode()
            reading, _ = listener.accept()
            reading.recv(1 << 16)
            reading.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            feed, _ = listener.accept()
            feed.recv(1 << 16)
            feed.sendall(_UPGRADED + frames[:-5])
            feed.sendall(frames[-5:])
            feed.close()
            reading.close()

        serving = gevent.spawn(serve)
        watching = gevent.spawn(viewer.watch, Event())
        serving.get(timeout=60)
        with gevent.Timeout(60):
            while "".join(viewer.shown().seats) != "ssa":
                gevent.sleep(0.01)
        watching.kill()
    assert viewer.position == "1-2"
