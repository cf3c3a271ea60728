"""What sockets are told: every change, once and in order."""

import gzip
import json
import random

import pytest

from tests.live.client import Socket, all_beyond, beyond, end, live, order, snapshot
from tests.seating_plan_file import theatre
from tests.system import System
from tests.web import JSON

HALL = {"generate": {"sections": 2, "rows": 3, "seatsPerRow": 10}}


def since_of(system: System, event: str, position: str) -> str:
    """As the log says."""
    ((_, entry),) = system.redis.client().xrange(f"log:{{{event}}}", position, position)
    return f"{position}.{entry[b'link'].decode()[:8]}"


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
                "since": since_of(system, "demo", bought["position"]),
            }
            for seat in bought["seats"]
        ]
        assert order(greeting["position"]) < order(bought["position"])
        assert since_of(system, "demo", greeting["position"]) == greeting["since"]


def test_an_event_is_told_entry_by_entry(system: System, hall: str) -> None:
    opened = end(system, hall)
    first, second, third = all_beyond(opened, 3)

    def said(position: str) -> dict[str, str]:
        return {"position": position, "since": since_of(system, hall, position)}

    with Socket(system, live(hall)) as socket:
        assert socket.message() == {"type": "SNAPSHOT_NEEDED", **said(opened)}
        bought = system.buy(2, event_id=hall).json
        assert socket.message() == {"type": "SEATS", **said(first), "status": "sold", "seats": bought["seats"]}
        system.request("PATCH", f"/api/v1/events/{hall}", b'{"state":"paused"}', {"Content-Type": "application/json"})
        assert socket.message() == {"type": "STATE", **said(second), "state": "paused"}
        system.request("DELETE", f"/api/v1/purchases/{bought['purchaseId']}")
        assert socket.message() == {"type": "SEATS", **said(third), "status": "available", "seats": bought["seats"]}


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


@pytest.mark.parametrize("epochs", [0, 1, -1])
def test_a_position_that_never_was(system: System, hall: str, epochs: int) -> None:
    """In the future, or of another epoch."""
    position = system.buy(1, event_id=hall).json["position"]
    epoch, seq = order(position)
    with Socket(system, live(hall, f"{epoch + epochs}-{seq if epochs else 400}")) as socket:
        assert socket.message()["type"] == "SNAPSHOT_NEEDED"
        bought = system.buy(1, event_id=hall).json
        assert socket.message()["position"] == bought["position"]


@pytest.mark.parametrize("behind", [0, 1])
def test_a_client_of_another_history_needs_a_snapshot(system: System, hall: str, behind: int) -> None:
    """It has reached a position that this history has too, and the entry there is not the one that it knows."""
    bought = [system.buy(1, event_id=hall).json["position"] for _ in range(2)]
    position = bought[-1 - behind]
    since = since_of(system, hall, position)
    other = f"{position}.{int(since.partition('.')[2], 16) ^ 1:08x}"
    told = {}
    for start in (other, since, position):
        with Socket(system, live(hall, start)) as socket:
            told[start] = socket.until(system.buy(1, event_id=hall).json["position"])
    assert told[other][0]["type"] == "SNAPSHOT_NEEDED"
    for start in (since, position):
        assert told[start][0]["position"] == beyond(position, 1)
        assert {message["type"] for message in told[start]} == {"SEATS"}


def test_every_message_and_snapshot_tells_where_to_go_on(system: System, hall: str) -> None:
    since = snapshot(system, hall)["since"]
    for _ in range(3):
        with Socket(system, live(hall, since)) as socket:
            bought = system.buy(1, event_id=hall).json
            message = socket.message()
        assert (message["type"], message["position"]) == ("SEATS", bought["position"])
        since = message["since"]
    assert since == snapshot(system, hall)["since"]


def test_a_position_that_was_trimmed(system: System, hall: str) -> None:
    opened = end(system, hall)
    for _ in range(5):
        system.buy(1, event_id=hall, Prefer="wait=20")
    sold = all_beyond(opened, 5)
    system.redis.client().xtrim(f"log:{{{hall}}}", maxlen=3, approximate=False)
    with Socket(system, live(hall, sold[1])) as socket:
        assert socket.message()["type"] == "SNAPSHOT_NEEDED"
    with Socket(system, live(hall, sold[2])) as socket:
        assert [socket.message()["position"] for _ in range(2)] == sold[3:]


def test_the_log_outlives_its_acknowledgement(system: System, hall: str) -> None:
    opened = end(system, hall)
    for _ in range(3):
        system.buy(1, event_id=hall, Prefer="wait=20")
    with Socket(system, live(hall, opened)) as socket:
        assert [socket.message()["position"] for _ in range(3)] == all_beyond(opened, 3)


def test_general_admission_hears_what_is_left(system: System) -> None:
    event = system.create_event(totalSeats=100)
    opened = end(system, event)
    seq = order(opened)[1]
    with Socket(system, live(event)) as socket:
        first = {"type": "AVAILABILITY", "position": opened, "since": since_of(system, event, opened)}
        assert socket.message() == {**first, "seatsRemaining": 100}
        last = [system.buy(2, event_id=event).json for _ in range(20)][-1]
        told = socket.until(last["position"])
    assert told[-1]["position"] == beyond(opened, 20)
    assert all(message["seatsRemaining"] == 100 - 2 * (order(message["position"])[1] - seq) for message in told)
    assert len(told) < 20


@pytest.mark.parametrize("plan", [{"seatingPlan": HALL}, {"totalSeats": 100}], ids=["seated", "general admission"])
def test_pauses_and_the_like_are_told(system: System, plan: dict[str, object]) -> None:
    event = system.create_event(**plan)
    since = snapshot(system, event)["since"]
    with Socket(system, live(event, since)) as socket:
        told = []
        for state in ("paused", "on_sale", "closed"):
            body = json.dumps({"state": state}).encode()
            assert system.request("PATCH", f"/api/v1/events/{event}", body, JSON).status == 200
            message = socket.message()
            while message["type"] == "AVAILABILITY":
                message = socket.message()
            told.append(message)
    assert [message.keys() for message in told] == [{"type", "position", "since", "state"}] * 3
    assert [(message["type"], message["state"]) for message in told] == [
        ("STATE", "paused"),
        ("STATE", "on_sale"),
        ("STATE", "closed"),
    ]
    assert [message["position"] for message in told] == all_beyond(since.partition(".")[0], 3)


@pytest.mark.parametrize("plan", [{"seatingPlan": HALL}, {"totalSeats": 100}], ids=["seated", "general admission"])
def test_a_pause_just_before_the_feed_opens_is_told(system: System, plan: dict[str, object]) -> None:
    """After a client has read the state; also between the answer to its handshake and its place in the feed."""
    event = system.create_event(**plan)
    since = snapshot(system, event)["since"]
    assert system.request("PATCH", f"/api/v1/events/{event}", b'{"state":"paused"}', JSON).status == 200
    paused = beyond(since.partition(".")[0], 1)
    with Socket(system, live(event, since)) as socket:
        message = socket.message()
        if message["type"] == "AVAILABILITY":
            assert (message["position"], message["since"]) == (paused, since_of(system, event, paused))
            message = socket.message()
    expected = {"type": "STATE", "position": paused, "since": since_of(system, event, paused), "state": "paused"}
    assert message == expected


def test_the_plain_feed_has_seat_updates_only(system: System) -> None:
    with Socket(system) as socket:
        assert socket.message()["type"] == "CONNECTED"
        for state in ("paused", "on_sale"):
            body = json.dumps({"state": state}).encode()
            assert system.request("PATCH", "/api/v1/events/demo", body, JSON).status == 200
        bought = system.buy(1).json
        assert {message["type"] for message in socket.until(bought["position"])} == {"SEAT_UPDATE"}


def test_a_change_that_this_version_cannot_read(system: System, hall: str) -> None:
    """A later version wrote it, perhaps: a snapshot has what it did."""
    system.buy(1, event_id=hall, Prefer="wait=20")
    position = beyond(end(system, hall), 1)
    with Socket(system, live(hall)) as socket:
        socket.message()
        system.redis.client().xadd(f"log:{{{hall}}}", {"change": '{"kind":"moved"}', "link": "0a" * 20}, id=position)
        expected = {"type": "SNAPSHOT_NEEDED", "position": position, "since": f"{position}.0a0a0a0a"}
        assert socket.message() == expected


def test_categories_that_go_off_sale(system: System) -> None:
    """What of whole categories changes is in a snapshot; a seat that returns to one is told as reserved."""
    hall = system.create_event(seatingPlan=theatre())
    path = f"/api/v1/events/{hall}"

    def patch(**fields: object) -> None:
        answer = system.request("PATCH", path, json.dumps(fields).encode(), JSON)
        assert answer.status == 200, answer

    bought = system.buy(2, event_id=hall).json
    with Socket(system, live(hall)) as socket:
        assert [socket.message()["type"] for _ in range(2)] == ["SNAPSHOT_NEEDED", "OPENING"]
        patch(state="paused")
        paused = socket.message()
        patch(categories={"Stalls": {"onSale": False}})
        needed = socket.message()
        assert (needed["type"], needed["position"]) == ("SNAPSHOT_NEEDED", beyond(paused["position"], 1))
        assert set(snapshot(system, hall)["seats"]) == {"a", "r", "s"}
        system.request("DELETE", f"/api/v1/purchases/{bought['purchaseId']}")
        returned = socket.message()
        assert (returned["status"], returned["seats"]) == ("reserved", bought["seats"])
        patch(offSaleAt="2099-01-01T00:00:00Z")
        told = socket.message()
        assert (told["type"], told["seats"]) == ("SEATS", [])
    with Socket(system, live(hall, paused["since"])) as missed:
        assert missed.message()["type"] == "SNAPSHOT_NEEDED"


@pytest.mark.parametrize("changed", [{"categories": {"Stalls": {"price": 6000}}}, {"maxPerPurchase": 3}])
def test_what_only_the_event_says(system: System, changed: dict[str, object]) -> None:
    """A price or a limit that changed: clients get the event again, after a snapshot."""
    prices = {"Stalls": {"price": 4500}, "Cheap": {"price": 1500}}
    hall = system.create_event(seatingPlan=theatre(), currency="EUR", categories=prices)
    path = f"/api/v1/events/{hall}"
    assert system.request("PATCH", path, b'{"state":"paused"}', JSON).status == 200
    paused = snapshot(system, hall)
    with Socket(system, live(hall, paused["since"])) as socket:
        assert socket.message()["type"] == "OPENING"
        assert system.request("PATCH", path, json.dumps(changed).encode(), JSON).status == 200
        told = socket.message()
        assert (told["type"], told["position"]) == ("SNAPSHOT_NEEDED", beyond(paused["position"], 1))
    with Socket(system, live(hall, paused["since"])) as missed:
        assert missed.message()["type"] == "SNAPSHOT_NEEDED"


def test_snapshot_and_entity_tag(system: System, hall: str) -> None:
    bought = system.buy(10, event_id=hall).json
    found = snapshot(system, hall)
    assert found == {
        "eventId": hall,
        "position": bought["position"],
        "since": since_of(system, hall, bought["position"]),
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
