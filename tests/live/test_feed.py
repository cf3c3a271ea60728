"""What sockets are told: every change, once and in order."""

import gzip
import json
import random

import pytest

from tests.live.client import Socket, live, order, snapshot
from tests.system import System

HALL = {"generate": {"sections": 2, "rows": 3, "seatsPerRow": 10}}


@pytest.fixture
def hall(system: System) -> str:
    return system.create_event(seatingPlan=HALL)


def test_the_default_event_is_told_seat_by_seat(system: System) -> None:
    with Socket(system) as socket:
        greeting = socket.message()
        assert (
            greeting.items()
            >= {
                "type": "CONNECTED",
                "message": "Connected to seat updates",
                "eventId": "demo",
            }.items()
        )
        bought = system.buy(3).json
        told = [socket.message() for _ in range(3)]
        while told[0]["position"] != bought["position"]:  # Other tests sell seats of this event too.
            told = [*told[1:], socket.message()]
        assert told == [
            {
                "type": "SEAT_UPDATE",
                "seatId": seat,
                "newStatus": "sold",
                "eventId": "demo",
                "position": bought["position"],
            }
            for seat in bought["seats"]
        ]
        assert order(greeting["position"]) < order(bought["position"])


def test_an_event_is_told_entry_by_entry(system: System, hall: str) -> None:
    with Socket(system, live(hall)) as socket:
        assert socket.message() == {"type": "SNAPSHOT_NEEDED", "position": "1-1"}
        bought = system.buy(2, event_id=hall).json
        assert socket.message() == {"type": "SEATS", "position": "1-2", "status": "sold", "seats": bought["seats"]}
        system.request("PATCH", f"/api/v1/events/{hall}", b'{"state":"paused"}', {"Content-Type": "application/json"})
        assert socket.message() == {"type": "SEATS", "position": "1-3", "status": None, "seats": []}
        system.request("DELETE", f"/api/v1/purchases/{bought['purchaseId']}")
        assert socket.message() == {"type": "SEATS", "position": "1-4", "status": "available", "seats": bought["seats"]}


def test_what_was_missed_comes_first(system: System, hall: str) -> None:
    bought = [system.buy(1, event_id=hall).json for _ in range(6)]
    with Socket(system, live(hall, bought[1]["position"])) as socket:
        missed = [socket.message() for _ in range(4)]
        bought.append(system.buy(1, event_id=hall).json)
        told = [*missed, socket.message()]
    assert [(message["position"], message["seats"]) for message in told] == [
        (purchase["position"], purchase["seats"]) for purchase in bought[2:]
    ]


def test_nothing_missed_nothing_told(system: System, hall: str) -> None:
    position = system.buy(1, event_id=hall).json["position"]
    with Socket(system, live(hall, position)) as socket:
        bought = system.buy(1, event_id=hall).json
        assert socket.message()["position"] == bought["position"]


@pytest.mark.parametrize("since", ["1-400", "2-1", "9-9"])
def test_a_position_that_never_was(system: System, hall: str, since: str) -> None:
    """In the future, or of another epoch."""
    system.buy(1, event_id=hall)
    with Socket(system, live(hall, since)) as socket:
        assert socket.message() == {"type": "SNAPSHOT_NEEDED", "position": "1-2"}
        system.buy(1, event_id=hall)
        assert socket.message()["position"] == "1-3"


def test_a_position_that_was_trimmed(system: System, hall: str) -> None:
    for _ in range(5):
        system.buy(1, event_id=hall, Prefer="wait=20")
    system.redis.client().xtrim(f"log:{{{hall}}}", minid="1-4", approximate=False)
    with Socket(system, live(hall, "1-3")) as socket:
        assert socket.message() == {"type": "SNAPSHOT_NEEDED", "position": "1-6"}
    with Socket(system, live(hall, "1-4")) as socket:
        assert [socket.message()["position"] for _ in range(2)] == ["1-5", "1-6"]


def test_the_log_outlives_its_acknowledgement(system: System, hall: str) -> None:
    for _ in range(3):
        system.buy(1, event_id=hall, Prefer="wait=20")
    with Socket(system, live(hall, "1-1")) as socket:
        assert [socket.message()["position"] for _ in range(3)] == ["1-2", "1-3", "1-4"]


def test_general_admission_hears_what_is_left(system: System) -> None:
    event = system.create_event(totalSeats=100)
    with Socket(system, live(event)) as socket:
        assert socket.message() == {"type": "AVAILABILITY", "position": "1-1", "seatsRemaining": 100}
        last = [system.buy(2, event_id=event).json for _ in range(20)][-1]
        told = socket.until(last["position"])
    assert told[-1] == {"type": "AVAILABILITY", "position": "1-21", "seatsRemaining": 60}
    assert all(message["seatsRemaining"] == 102 - 2 * order(message["position"])[1] for message in told)
    assert len(told) < 20


def test_a_change_that_this_version_cannot_read(system: System, hall: str) -> None:
    """A later version wrote it, perhaps: a snapshot has what it did."""
    system.buy(1, event_id=hall, Prefer="wait=20")
    with Socket(system, live(hall)) as socket:
        socket.message()
        system.redis.client().xadd(f"log:{{{hall}}}", {"change": '{"kind":"moved"}', "link": "x"}, id="1-3")
        assert socket.message() == {"type": "SNAPSHOT_NEEDED", "position": "1-3"}


def test_snapshot_and_entity_tag(system: System, hall: str) -> None:
    bought = system.buy(10, event_id=hall).json
    found = snapshot(system, hall)
    assert found == {
        "eventId": hall,
        "position": bought["position"],
        "seatsRemaining": 50,
        "statuses": {"a": "available", "h": "held", "r": "reserved", "s": "sold"},
        "seats": "s" * 10 + "a" * 50,
    }
    path = f"/api/v1/events/{hall}/seats"
    tag = system.get(path).headers["ETag"]
    assert system.get(path, {"If-None-Match": tag}).status == 304
    system.buy(1, event_id=hall)
    assert system.get(path, {"If-None-Match": tag}).status == 200


def test_a_snapshot_of_a_large_hall_is_small(system: System) -> None:
    """50,000 seats, in every state that a map can show."""
    event = system.create_event(seatingPlan={"generate": {"sections": 50, "rows": 10, "seatsPerRow": 100}})
    states = random.Random(1)
    inside = ["|".join("".join(states.choices("ahorsb", k=100)) for _ in range(10)) for _ in range(50)]
    system.redis.client().hset(f"seats:{{{event}}}", mapping=dict(enumerate(inside)))
    answer = system.get(f"/api/v1/events/{event}/seats", {"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.body) < 60_000
    words = str.maketrans({"o": "h", "b": "s", "|": None})
    assert json.loads(gzip.decompress(answer.body))["seats"] == "".join(inside).translate(words)
    plain = system.get(f"/api/v1/events/{event}/seats", {"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in plain.headers
    assert len(plain.json["seats"]) == 50_000
