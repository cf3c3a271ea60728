"""A short sale of a small hall and a small floor in which clients do all that they can, recorded as it goes."""

import random
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent

from seating.redis_store import keys
from seating.storage.database import Database
from tests.live.client import Map, order, snapshot
from tests.one_process import OneProcess
from tests.proof.final_state import FinalState, is_at_rest, take
from tests.proof.history import HistoryFile, Operation, RecordedHistory, ViewerMap, no_lag
from tests.proof.recorded_client import RecordedClient
from tests.servers import wait_until
from tests.system import System
from tests.webhooks import receiver as behaviour
from tests.webhooks.endpoint import is_done
from tests.webhooks.receiver import Received, Receiver

HALL = {"generate": {"sections": 2, "rows": 4, "seatsPerRow": 10}}
FLOOR = 120
SETTINGS = {"HOLD_TTL_S": "2", "HOLD_MAX_S": "5", "HOLD_EXTEND_STEP_S": "1", "WEBHOOK_ALLOW_PRIVATE": "true"}


class ShortSale:
    """`hall` and `floor` are the ids of its events. All of chance comes from `seed`."""

    def __init__(self, system: System, folder: Path, seed: int = 1) -> None:
        self.system = system
        self.path = folder / "history.jsonl"
        self.file = HistoryFile(self.path)
        self.random = random.Random(seed)
        self.receiver = Receiver(always=self._receive)
        self._add_webhook()
        self.hall = system.create_event(seatingPlan=HALL)
        self.floor = system.create_event(totalSeats=FLOOR)
        plan = system.get(f"/api/v1/events/{self.hall}/plan").json
        self.seats = [seat for block in plan["blocks"] for row in block["rows"] for seat in row["seats"]]

    def _add_webhook(self) -> None:
        body = f'{{"url": "{self.receiver.url()}"}}'.encode()
        answer = self.system.request("POST", "/api/v1/webhooks", body, {"Content-Type": "application/json"})
        assert answer.status == 201, answer.body

    def _receive(self, receiver: Receiver, received: Received, connection: Any) -> None:
        """Refuse one message in ten, which is sent again."""
        is_accepted = self.random.random() > 0.1
        event = received.id.removeprefix("msg_").partition(".")[0]
        asked = Operation(1, "webhook", event, received.id, {}, time.monotonic_ns())
        self.file.answered(asked, 200 if is_accepted else 503, received.body)
        (behaviour.ok if is_accepted else behaviour.status(503))(receiver, received, connection)

    def client(self, number: int, event: str | None = None) -> RecordedClient:
        return RecordedClient(number, self.system, event or self.hall, self.file)

    def run(self, clients: int = 8, steps: int = 25) -> None:
        """Each habit once, then all clients at once, then what has to be there for certain."""
        with self._viewers(3):
            self.client(0).set_seats("reserved", seats=self.seats[-1:])
            for habit in dict.fromkeys(_Buyer.habits):
                getattr(_Buyer(self.client(50), self), habit)()
            self._organise()
            buyers = [gevent.spawn(self._buy_on, number, steps) for number in range(1, clients + 1)]
            gevent.joinall(buyers, timeout=120, raise_error=True)
            assert all(buyer.ready() for buyer in buyers)
            self._free(self.client(99), self.seats[:3])
            self._sell_twice(self.seats[2:3])
            self._outwait_a_hold(self.seats[:2])
            self._wait_at_rest()

    def _buy_on(self, number: int, steps: int) -> None:
        for step in range(steps):
            buyer = _Buyer(self.client(number, self.floor if self.random.random() < 0.2 else self.hall), self)
            getattr(buyer, self.random.choice(buyer.habits))()
            if number == 1 and step % 10 == 5:
                self._organise()

    def _organise(self) -> None:
        """Set seats that are seldom sold, and pause the sale."""
        client = self.client(0)
        for status in ("reserved", "sold", "held", "available", "sold"):
            client.set_seats(status, seats=self.random.sample(self.seats[-12:-2], 2))
        client.set_state("paused")
        client.set_state("on_sale")

    def _sell_twice(self, seats: list[str]) -> None:
        client = self.client(99)
        bought = client.buy(seats=seats)
        assert bought.answer, bought
        client.cancel(bought.answer["purchaseId"])
        client.buy(seats=seats)

    def _outwait_a_hold(self, seats: list[str]) -> None:
        """A second after its end its seats are free."""
        client = self.client(99)
        held = client.hold(seats=seats)
        assert held.answer, held
        over = time.monotonic() + held.answer["expiresInMs"] / 1000 + 1.3
        wait_until(lambda: time.monotonic() > over, what="a second after the hold's end")
        client.buy(seats=seats)

    def _free(self, client: RecordedClient, seats: list[str]) -> None:
        """Cancel whatever has these seats, and wait for the holds on them to end."""
        self.wait_recorded()
        with self.books() as books:
            wait_until(lambda: not _expiries(books.calls, self.hall), 30, "all holds to end")
            self.wait_recorded()
            owners = {row.id for row in take(books.books, self.hall).purchases if row.standing_seats & set(seats)}
        for owner in owners:
            client.cancel(owner)
        client.set_seats("available", seats=seats)

    @contextmanager
    def _viewers(self, count: int) -> Iterator[None]:
        """Viewers of the hall, who follow from now on until the log's end."""
        maps = [Map(self.system, self.hall, self.seats) for _ in range(count)]
        watching = [gevent.spawn(_watch, viewer) for viewer in maps]
        yield
        end = snapshot(self.system, self.hall)
        for number, viewer in enumerate(maps, 1):
            wait_until(lambda viewer=viewer: order(viewer.position) >= order(end["position"]), 60, "a viewer's end")
            watching[number - 1].kill()
            viewer.disconnect()
            shown = "".join(viewer.seats[seat][0] for seat in self.seats)
            self.file.add(ViewerMap(number, self.hall, viewer.position, shown))
        self.file.add(ViewerMap(-1, self.hall, end["position"], end["seats"]))

    def _wait_at_rest(self) -> None:
        with self.books() as books:
            for event in (self.hall, self.floor):
                wait_until(lambda event=event: not _expiries(books.calls, event), 30, "all holds to end")
        self.wait_recorded()
        with self.books() as books:
            wait_until(lambda: is_done(books.database), 60, "all messages to be delivered")

    def wait_recorded(self) -> None:
        """Until SQL has both logs; record that."""
        with self.books() as books:
            for event in (self.hall, self.floor):
                wait_until(lambda event=event: is_at_rest(books.books, event), 60, "everything to be recorded")
                self.file.add(no_lag(event))

    @contextmanager
    def books(self) -> Iterator[OneProcess]:
        database = Database(self.system.database_url)
        yield OneProcess.build(self.system.redis.url, database)
        database.close()

    def end(self) -> tuple[RecordedHistory, list[FinalState]]:
        """Return what was recorded, and what is there now."""
        self.receiver.stop()
        with self.books() as books:
            return RecordedHistory.read(self.path), [take(books.books, event) for event in (self.hall, self.floor)]


def _watch(viewer: Map) -> None:
    """Follow for ever, and connect again when the feed is closed: by a server that waits for a pong in vain."""
    while True:
        try:
            viewer.connect()
            while True:
                viewer.step()
        except OSError:
            viewer.disconnect()


def _expiries(calls: Any, event: str) -> Any:
    return calls.command("ZCARD", keys.holds(event))


class _Buyer:
    """What one does next."""

    habits = (
        *["named", "doubled", "keep", "change_mind", "cancel", "cancel"] * 2,
        *["best", "other_body", "abandon", "waited", "keep_longer", "hold_twice"],
    )

    def __init__(self, client: RecordedClient, sale: ShortSale) -> None:
        self.client = client
        self.chance = sale.random
        self.seats = sale.seats
        self.is_hall = client.event == sale.hall

    def _wanted(self) -> dict[str, Any]:
        quantity = self.chance.randint(1, 3)
        if self.is_hall and self.chance.random() < 0.6:
            first = self.chance.randrange(len(self.seats) - quantity - 2)
            return {"seats": self.seats[first : first + quantity]}
        return {"quantity": quantity}

    def best(self) -> Operation:
        return self.client.buy(quantity=self.chance.randint(1, 3))

    def named(self) -> Operation:
        return self.client.buy(**self._wanted())

    def waited(self) -> None:
        bought = self.client.buy(wait_s=10, **self._wanted())
        if bought.outcome == "ok" and bought.answer:
            self.client.get(bought.answer["purchaseId"])

    def doubled(self) -> None:
        """The same request twice at once, and once more."""
        key, wanted = str(uuid.uuid4()), self._wanted()
        gevent.joinall([gevent.spawn(self.client.buy, key, **wanted) for _ in range(2)], timeout=60, raise_error=True)
        self.client.buy(key, **wanted)

    def other_body(self) -> None:
        key = str(uuid.uuid4())
        self.client.buy(key, quantity=1)
        self.client.buy(key, quantity=2)

    def _held(self) -> str:
        held = self.client.hold(**self._wanted())
        return str(held.answer["holdToken"]) if held.outcome == "ok" and held.answer else ""

    def abandon(self) -> None:
        self._held()

    def hold_twice(self) -> None:
        key, wanted = str(uuid.uuid4()), self._wanted()
        self.client.hold(key, **wanted)
        self.client.hold(key, **wanted)

    def keep(self) -> None:
        token = self._held()
        if token:
            self.client.buy(holdToken=token)

    def keep_longer(self) -> None:
        token = self._held()
        self.best()
        if token:
            self.client.extend(token)
            self.client.buy(holdToken=token)

    def change_mind(self) -> None:
        token = self._held()
        if token:
            self.client.release(token)

    def cancel(self) -> None:
        bought = self.named()
        if bought.outcome == "ok" and bought.answer:
            seats = bought.answer["seats"]
            self.client.cancel(bought.answer["purchaseId"], *seats[: self.chance.randint(0, 1)])
            self.client.cancel(bought.answer["purchaseId"])
