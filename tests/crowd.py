"""Many buyers at once, each a greenlet with a connection of its own."""

import resource
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

import gevent
from gevent.event import Event

from tests.system import Answer, Client


def at_once(client: Client, keys: Sequence[str], quantity: int = 1, event_id: str | None = None) -> list[Answer]:
    """A purchase for each key, all begun in the same moment."""
    start = Event()

    def buy(key: str) -> Answer:
        start.wait()
        return client.buy(quantity, key, event_id)

    buyers = [gevent.spawn(buy, key) for key in keys]
    gevent.sleep(0)
    start.set()
    gevent.joinall(buyers, timeout=120, raise_error=True)
    return [buyer.get() for buyer in buyers]


def new_keys(count: int) -> list[str]:
    return [str(uuid.uuid4()) for _ in range(count)]


@dataclass
class Rush:
    """Buyers who go on buying, each every `pause_s`, while things break; of the default event without `event_id`.

    `answers` are the 200s by key, `unanswered` the keys that were given up.
    """

    client: Client
    buyers: int = 8
    pause_s: float = 0.05
    event_id: str | None = None
    answers: dict[str, Any] = field(default_factory=dict)
    unanswered: set[str] = field(default_factory=set)
    _stopping: bool = False
    _greenlets: list["gevent.Greenlet[..., None]"] = field(default_factory=list)

    def __enter__(self) -> "Rush":
        self._greenlets = [gevent.spawn(self._buy_on) for _ in range(self.buyers)]
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        gevent.joinall(self._greenlets, timeout=90, raise_error=True)
        assert all(greenlet.ready() for greenlet in self._greenlets)

    def settle(self) -> None:
        """Every buyer who got no answer asks again with the same key."""
        for key in sorted(self.unanswered):
            answer = self.client.buy(1, key, self.event_id)
            assert answer.status == 200, answer.body
            self.answers[key] = answer.json
        self.unanswered.clear()

    def _buy_on(self) -> None:
        while not self._stopping:
            gevent.sleep(self.pause_s)
            key = str(uuid.uuid4())
            try:
                answer = self.client.buy(1, key, self.event_id)
            except (OSError, HTTPException):
                self.unanswered.add(key)
                continue
            if answer.status == 200:
                self.answers[key] = answer.json
            else:
                assert answer.status == 503, answer.body
                assert int(answer.headers["Retry-After"]) > 0
                self.unanswered.add(key)


def allow_many_sockets() -> None:
    """Some systems allow fewer at first than a crowd needs."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
