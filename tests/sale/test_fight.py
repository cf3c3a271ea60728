"""Many buyers want the same good seats: they hold them, then pay, or walk away. `make fight` has two thousand."""

import json
import os
import random
import time
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import gevent
import pytest

from tests.servers import RedisServer, new_sqlite
from tests.system import Answer, System
from tests.web import JSON

BUYERS = int(os.environ.get("SEATING_FIGHT_BUYERS", "200"))
SEATS = BUYERS // 4
HOLD_TTL_S = 15 if BUYERS > 200 else 10
"""A crowd takes longer to pay."""
HALL = {"generate": {"sections": 2, "rows": SEATS // 50, "seatsPerRow": 25}}


@pytest.fixture
def system(own_redis: RedisServer, tmp_path: Path) -> Iterator[System]:
    settings = {"WEB_WORKERS": "2", "HOLD_TTL_S": str(HOLD_TTL_S), "RATE_LIMIT_HOLDS": "off"}
    running = System(tmp_path / "data", own_redis, new_sqlite(tmp_path / "seating.db"), **settings)
    yield running.start()
    running.stop()


class Fight:
    def __init__(self, system: System) -> None:
        self.system = system
        self.event = system.create_event(seatingPlan=HALL)
        shown = system.get(f"/api/v1/events/{self.event}/plan").json
        self.seats = [seat for block in shown["blocks"] for row in block["rows"] for seat in row["seats"]]
        self.sold: list[str] = []
        self.sold_again: list[tuple[str, float]] = []
        self.asked: list[int] = []

    def post(self, what: str, **body: Any) -> Answer:
        headers = JSON | {"Idempotency-Key": str(uuid.uuid4())}
        return self.system.request("POST", f"/api/v1/events/{self.event}/{what}", json.dumps(body).encode(), headers)

    def buyer(self, number: int) -> None:
        """Tries three times for good seats; every third of those who get some walks away with them held."""
        chance = random.Random(number)
        for _ in range(3):
            first = min(chance.randrange(len(self.seats)) for _ in range(2))
            wanted = self.seats[first : first + chance.randint(1, 2)]
            held = self.post("holds", seats=wanted)
            if held.status == 201:
                break
            assert (held.status, held.json["error"]) == (409, "SEAT_UNAVAILABLE"), held.body
            assert set(held.json["seats"]) <= set(wanted)
        else:
            return
        if number % 3:
            self.take(self.post("purchases", holdToken=held.json["holdToken"]), wanted)
        else:
            self.buy_when_over(datetime.fromisoformat(held.json["expiresAt"]).timestamp(), wanted)

    def buy_when_over(self, expires_s: float, wanted: list[str]) -> None:
        """Somebody else waits for these very seats."""
        asked = 0
        while True:
            asked += 1
            gevent.sleep(max(0.0, expires_s - time.time()))
            answer = self.post("purchases", seats=wanted)
            if answer.status == 200:
                break
        self.asked.append(asked)
        self.sold_again.append((answer.json["purchaseId"], expires_s))
        self.take(answer, wanted)

    def lateness_s(self) -> list[float]:
        """How long after its hold was over each abandoned seat was sold, by the clock of the server that sold it."""
        sold_at = [
            self.system.get(f"/api/v1/purchases/{purchase}").json["purchasedAt"] for purchase, _ in self.sold_again
        ]
        return [
            datetime.fromisoformat(at).timestamp() - expires_s
            for at, (_, expires_s) in zip(sold_at, self.sold_again, strict=True)
        ]

    def take(self, answer: Answer, wanted: list[str]) -> None:
        assert answer.status == 200, answer.body
        assert answer.json["seats"] == wanted
        self.sold += wanted


def test_no_seat_twice_and_abandoned_ones_sold_again(system: System) -> None:
    fight = Fight(system)
    buyers = [gevent.spawn(fight.buyer, number) for number in range(BUYERS)]
    gevent.joinall(buyers, timeout=120, raise_error=True)
    assert all(buyer.ready() for buyer in buyers)
    assert len(fight.sold) == len(set(fight.sold)) > 0.8 * SEATS
    assert len(fight.sold_again) > 0.1 * SEATS
    assert min(fight.lateness_s()) >= 0
    assert max(fight.asked) <= 2, "a hold is over in the millisecond that it names"

    while (rest := fight.post("purchases", quantity=1)).status == 200:
        fight.sold += rest.json["seats"]
    assert rest.json["error"] == "SOLD_OUT"
    assert sorted(fight.sold) == sorted(fight.seats)
    system.command("reconcile", fight.event)
    system.command("verify", fight.event)
