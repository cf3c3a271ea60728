"""The map that a client builds is the server's, whatever happened on the way."""

import json
import random

import pytest

from tests.live.client import Map, snapshot
from tests.servers import wait_until
from tests.system import System
from tests.web import JSON

SECTIONS, ROWS, SEATS = 3, 4, 12
PLAN = [
    f"sec-{section}-row-{row}-seat-{seat}"
    for section in range(1, SECTIONS + 1)
    for row in "ABCD"
    for seat in range(1, SEATS + 1)
]


class Story:
    """One event, some clients, and everything that can happen to them."""

    def __init__(self, system: System, seed: int) -> None:
        self.system = system
        self.random = random.Random(seed)
        hall = {"generate": {"sections": SECTIONS, "rows": ROWS, "seatsPerRow": SEATS}}
        self.event = system.create_event(seatingPlan=hall)
        self.bought: list[str] = []
        self.held: list[str] = []
        self.maps = [Map(system, self.event, PLAN) for _ in range(4)]
        for each in self.maps:
            each.connect()

    def buy(self) -> None:
        answer = self.system.buy(self.random.randint(1, 5), event_id=self.event)
        if answer.status == 200:
            self.bought.append(answer.json["purchaseId"])

    def cancel(self) -> None:
        if self.bought:
            purchase = self.bought.pop(self.random.randrange(len(self.bought)))
            assert self.system.request("DELETE", f"/api/v1/purchases/{purchase}").status == 200

    def hold(self) -> None:
        path, body = f"/api/v1/events/{self.event}/holds", json.dumps({"quantity": self.random.randint(1, 5)})
        answer = self.system.request("POST", path, body.encode(), JSON)
        if answer.status == 201:
            self.held.append(answer.json["holdToken"])

    def release(self) -> None:
        if self.held:
            token = self.held.pop(self.random.randrange(len(self.held)))
            path = f"/api/v1/events/{self.event}/holds/{token}"
            assert self.system.request("DELETE", path).status == 204

    def change(self) -> None:
        if self.held:
            path = f"/api/v1/events/{self.event}/holds/{self.random.choice(self.held)}"
            had = self.system.get(path).json["seats"]
            body = json.dumps({"add": [self.random.choice(PLAN)], "remove": had[:1]})
            assert self.system.request("PATCH", path, body.encode(), JSON).status in (200, 400, 409)

    def buy_held(self) -> None:
        if self.held:
            token = self.held.pop(self.random.randrange(len(self.held)))
            headers = JSON | {"Idempotency-Key": token}
            body = json.dumps({"holdToken": token}).encode()
            path = f"/api/v1/events/{self.event}/purchases"
            assert self.system.request("POST", path, body, headers).status == 200

    def leave(self) -> None:
        self.random.choice(self.maps).disconnect()

    def read_a_little(self) -> None:
        each = self.random.choice(self.maps)
        if each.socket:
            each.follow_to(snapshot(self.system, self.event)["position"])

    def come_back(self) -> None:
        for each in self.maps:
            if not each.socket:
                each.connect()

    def trim(self) -> None:
        """Nothing is left to resume from."""
        self._wait_persisted()
        self.system.redis.client().xtrim(f"log:{{{self.event}}}", maxlen=1, approximate=False)

    def rebuild(self) -> None:
        self._wait_persisted()
        self.system.command("rebuild", self.event)

    def _wait_persisted(self) -> None:
        fields = self.system.redis.client()

        def persisted() -> bool:
            seq, done = fields.hmget(f"inventory:{{{self.event}}}", "seq", "persisted")
            return bool(seq == done)

        wait_until(persisted, what="all of the log in SQL")


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_servers_at_rest(system: System, seed: int) -> None:
    story = Story(system, seed)
    often = (
        [story.buy] * 6
        + [story.cancel] * 4
        + [story.hold] * 4
        + [story.release] * 2
        + [story.change] * 3
        + [story.buy_held] * 2
    )
    often += [story.leave] * 3 + [story.come_back] * 3 + [story.read_a_little] * 3
    for part in range(3):
        for _ in range(25):
            story.random.choice(often)()
        if part == 0:
            story.trim()
        if part == 1:
            story.rebuild()
    story.hold()
    story.come_back()
    at_rest = snapshot(system, story.event)
    expected = dict(zip(PLAN, (at_rest["statuses"][letter] for letter in at_rest["seats"]), strict=True))
    assert set(expected.values()) == {"available", "held", "sold"}, json.dumps(at_rest)
    for each in story.maps:
        each.follow_to(at_rest["position"])
        assert each.seats == expected
        each.disconnect()
