"""The stand-in on a real socket behaves as the partner is said to."""

import time
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from seating.stand_in import MOST_ADDED, PartnerCatalogue
from tests.catalogue.stand_in import StandIn


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandIn]:
    started = StandIn(tmp_path)
    yield started
    assert started.stop() == 0


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """One for the tests that add nothing."""
    started = StandIn(tmp_path_factory.mktemp("unchanged"))
    yield started
    assert started.stop() == 0


def test_its_users_and_their_events(unchanged: StandIn) -> None:
    events = {user: unchanged.get(f"/getUserById/{user}").json["events"] for user in ("1", "2", "3", "with-200")}
    assert [len(found) for found in events.values()] == [2, 1, 1, 200]
    asked = [event for found in events.values() for event in found]
    started = time.monotonic()
    getting = [gevent.spawn(unchanged.get, f"/getEventById/{event}") for event in asked]
    gevent.joinall(getting, raise_error=True)
    assert time.monotonic() - started >= 0.5
    assert [one.get().json["id"] for one in getting] == asked


@pytest.mark.parametrize(
    "path",
    ["/getUserById/4", "/getUserById/with-201", "/getUserById/with-0", "/getEventById/with-5-event-6", "/", "/x"],
)
def test_what_it_does_not_know(unchanged: StandIn, path: str) -> None:
    assert unchanged.get(path).status == 404


def test_accepts_five_refuses_ten_and_starts_over(stand_in: StandIn) -> None:
    answers = [stand_in.add() for _ in range(32)]
    assert [answer.status for answer in answers] == ([200] * 5 + [503] * 10) * 2 + [200] * 2
    assert answers[0].json == {"success": True}
    assert answers[5].json == {
        "success": False,
        "error": "Service temporarily unavailable",
        "message": "Event API is experiencing high load",
    }


def test_keeps_what_it_accepts(stand_in: StandIn) -> None:
    for user_id in ("1", "1", "new", "with-2", 7):
        assert stand_in.add("Opening night", user_id).status == 200
    assert stand_in.add("Refused", "1").status == 503
    events = {event["id"]: event for event in stand_in.listed("/getEvents")}
    assert len(events) == 4 + 5
    assert [event["name"] for event in events.values()][4:] == ["Opening night"] * 5
    assert [len(user["events"]) for user in stand_in.listed("/getUsers")] == [4, 1, 1, 1, 3, 1]
    for user_id, count in (("1", 4), ("new", 1), ("with-2", 3), ("7", 1)):
        found = stand_in.get(f"/getUserById/{user_id}").json["events"]
        newest = stand_in.get(f"/getEventById/{found[-1]}").json
        assert (len(found), newest) == (count, events[found[-1]])


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"name": "A"}', b'{"name": 1, "userId": "1"}', b"[" * 5000])
def test_accepts_nothing_but_events(unchanged: StandIn, body: bytes) -> None:
    assert unchanged.request("POST", "/addEvent", body).status == 400


def test_keeps_the_newest_thousand() -> None:
    catalogue = PartnerCatalogue()
    for number in range(MOST_ADDED + 5):
        catalogue.add(f"Event {number}", "new")
    names = [event["name"] for event in catalogue.events()][4:]
    assert names == [f"Event {number}" for number in range(5, MOST_ADDED + 5)]


def test_drops_one_list_in_twenty_and_the_same_ones_again(tmp_path: Path) -> None:
    dropped = []
    for seed in (7, 7, 8):
        stand_in = StandIn(tmp_path, seed)
        dropped.append([stand_in.drops(("/getUsers", "/getEvents")[number % 2]) for number in range(300)])
        stand_in.stop()
    assert dropped[0] == dropped[1] != dropped[2]
    assert all(5 <= sum(one) <= 30 for one in dropped)


def test_only_the_lists_are_dropped(unchanged: StandIn) -> None:
    assert not any(unchanged.drops("/getUserById/1") for _ in range(200))
