"""Those who watch a chaos run, as a process of their own: viewers of the maps, and receivers of webhooks.

`python -m tests.proof.watching FILE` reads what it is to do from a JSON file: see WatchOrders. After SIGTERM it waits
until all maps show what the server has, for a while, and writes down what they show.
"""

from gevent import monkey

monkey.patch_all()

import signal  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterable, Sequence  # noqa: E402
from dataclasses import replace  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any, Final  # noqa: E402

import gevent  # noqa: E402
from gevent.event import Event  # noqa: E402
from gevent.pywsgi import WSGIServer  # noqa: E402

from tests.crowd import allow_many_sockets  # noqa: E402
from tests.proof.history import HistoryFile, Operation, ViewerMap  # noqa: E402
from tests.proof.orders import WatchOrders  # noqa: E402
from tests.proof.viewer import Viewer, WatchedEvent  # noqa: E402

FIRST_VIEWER: Final = 20_000
_STALLING: Final = 0.05
_CONVERGED_WITHIN_S: Final = 30.0
_REFUSES_EVERY_S: Final = 3.0
"""How often the second receiver refuses a message at first. The sender waits a second then, and has to catch up."""


def receiver(history: HistoryFile, hooks_from: Sequence[int]) -> Callable[..., Iterable[bytes]]:
    """Return an application with an endpoint at /0, which takes all, and one at /1, which refuses some at first."""
    refused, refused_s = "", 0.0

    def receive(environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
        nonlocal refused, refused_s
        came = time.monotonic_ns()
        endpoint = int(environ["PATH_INFO"].strip("/"))
        body = environ["wsgi.input"].read()
        message = environ["HTTP_WEBHOOK_ID"]
        event = message.removeprefix("msg_").partition(".")[0]
        asked = Operation(endpoint, "webhook", event, message, {"from_seq": hooks_from[endpoint]}, came)
        # No message twice: else one that is repeated after a longer pause would never be taken.
        accepted = endpoint == 0 or message == refused or time.monotonic() < refused_s + _REFUSES_EVERY_S
        if not accepted:
            refused, refused_s = message, time.monotonic()
        history.answered(asked, 200 if accepted else 500, body)
        start("200 OK" if accepted else "500 Internal Server Error", [("Content-Length", "0")])
        return [b""]

    return receive


def converge(viewers: list[Viewer], snapshots: dict[str, ViewerMap]) -> None:
    """Wait until each viewer is where the server is, for a while."""
    deadline = time.monotonic() + _CONVERGED_WITHIN_S
    while time.monotonic() < deadline:
        shown = [viewer.shown() for viewer in viewers]
        if all(one == replace(snapshots[one.event], client=one.client) for one in shown):
            return
        gevent.sleep(0.1)


def main() -> None:
    allow_many_sockets()
    orders = WatchOrders.read(sys.argv[1])
    stopping = Event()
    gevent.signal_handler(signal.SIGTERM, stopping.set)
    history = HistoryFile(Path(orders.history))
    hooks = WSGIServer(("127.0.0.1", orders.hooks_port), receiver(history, orders.hooks_from), log=None, error_log=None)
    hooks.start()
    plans = {event: WatchedEvent(event, seats) for event, seats in orders.seats.items()}
    events = [event for event, count in orders.viewers.items() for _ in range(count)]
    viewers = [
        Viewer(number, orders.port, plans[event], stalls=number < FIRST_VIEWER + _STALLING * len(events))
        for number, event in enumerate(events, FIRST_VIEWER)
    ]
    watching = [gevent.spawn(viewer.watch, stopping) for viewer in viewers]
    stopping.wait()
    snapshots = {}
    for number, (event, plan) in enumerate(plans.items(), 1):
        server = Viewer(-number, orders.port, plan, stalls=False)
        server.take_snapshot()
        snapshots[event] = server.shown()
        history.add(snapshots[event])
    converge(viewers, snapshots)
    ended = [greenlet for greenlet in watching if greenlet.ready()]
    gevent.killall(watching)
    for viewer in viewers:
        history.add(viewer.shown())
    hooks.stop(timeout=1)
    for greenlet in ended:
        greenlet.get()


if __name__ == "__main__":
    main()
