"""The load of a chaos run, as a process of its own: buyers and an organiser, until SIGTERM.

`python -m tests.proof.load FILE` reads what it is to do from a JSON file: see LoadOrders.
"""

from gevent import monkey

monkey.patch_all()

import signal  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402
from random import Random  # noqa: E402

import gevent  # noqa: E402
from gevent.event import Event  # noqa: E402

from tests.crowd import allow_many_sockets  # noqa: E402
from tests.proof.asking import Asking  # noqa: E402
from tests.proof.buyer import Buyer, Venue  # noqa: E402
from tests.proof.history import HistoryFile  # noqa: E402
from tests.proof.orders import LoadOrders  # noqa: E402
from tests.proof.organiser import Organiser  # noqa: E402

FIRST_ORGANISER = 10_000


def main() -> None:
    allow_many_sockets()
    orders = LoadOrders.read(sys.argv[1])
    stopping = Event()
    gevent.signal_handler(signal.SIGTERM, stopping.set)
    history = HistoryFile(Path(orders.history))
    venues = [Venue(**venue) for venue in orders.venues]

    def asking(number: int) -> Asking:
        random = Random(f"{orders.seed} {number}")
        return Asking(number, orders.port, history, random, lambda: not stopping.is_set())

    buyers = [Buyer(asking(number), venues, orders.think_s) for number in range(orders.buyers)]
    clients = [gevent.spawn(buyer.live) for buyer in buyers]
    seated = [venue for venue in venues if venue.seats]
    for number, venue in enumerate(seated, FIRST_ORGANISER):
        clients.append(gevent.spawn(Organiser(asking(number), orders.port).set_seats_of, venue))
    if seated:
        paused = Organiser(asking(FIRST_ORGANISER + len(seated)), orders.port)
        clients.append(gevent.spawn(paused.pause, seated[-1]))
    stopping.wait()
    # Whoever waits for an answer gets it or its timeout.
    gevent.joinall(clients, timeout=60, raise_error=True)


if __name__ == "__main__":
    main()
