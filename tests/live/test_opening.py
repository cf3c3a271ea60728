"""The feed tells when a sale opens and closes by the clock, and when these times are changed."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.live.client import Socket, beyond, end, live, snapshot
from tests.system import System
from tests.web import JSON

HALL = {"generate": {"sections": 1, "rows": 2, "seatsPerRow": 10}}
PLANS = pytest.mark.parametrize(
    "plan", [{"seatingPlan": HALL}, {"totalSeats": 20}], ids=["seated", "general admission"]
)


def from_now(**time: float) -> str:
    """As answers and messages have it."""
    moment = datetime.now(UTC) + timedelta(**time)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def change(system: System, event: str, **fields: str | None) -> None:
    answer = system.request("PATCH", f"/api/v1/events/{event}", json.dumps(fields).encode(), JSON)
    assert answer.status == 200, answer


def openings(socket: Socket) -> Any:
    """The next message about the sale's times."""
    while (message := socket.message())["type"] != "OPENING":
        pass
    return message


def until(socket: Socket, *, is_open: bool, opens_at: str | None, closes_at: str | None) -> Any:
    """The first message that says so; those before it say what was so until then."""
    expected = (is_open, opens_at, closes_at)
    while True:
        message = openings(socket)
        if (message["isOpen"], message["opensAt"], message["closesAt"]) == expected:
            return message


@PLANS
def test_an_opening_and_a_closing_by_the_clock(system: System, plan: dict[str, Any]) -> None:
    """A buyer who buys as soon as it is told is never too early, nor one who does not a moment too late."""
    event = system.create_event(**plan, onSaleAt=(later := from_now(hours=1)))
    with Socket(system, live(event), quiet_s=60) as socket:
        until(socket, is_open=False, opens_at=later, closes_at=None)
        change(system, event, onSaleAt=(soon := from_now(seconds=0.6)))
        told = until(socket, is_open=True, opens_at=soon, closes_at=None)
        assert system.buy(1, event_id=event).status == 200
        assert told["position"] == beyond(end(system, event), -1)
        change(system, event, offSaleAt=(close := from_now(seconds=0.6)))
        until(socket, is_open=False, opens_at=soon, closes_at=close)
        refused = system.buy(1, event_id=event)
        assert (refused.status, refused.json["closesAt"]) == (409, close)
        change(system, event, offSaleAt=None)
        until(socket, is_open=True, opens_at=soon, closes_at=None)
        assert system.buy(1, event_id=event).status == 200


@PLANS
def test_who_comes_later_is_told_too(system: System, plan: dict[str, Any]) -> None:
    """Also who comes back: the times may have changed, or come, while nobody told them."""
    event = system.create_event(**plan, onSaleAt=(opens := from_now(hours=1)))
    since = snapshot(system, event)["since"]
    change(system, event, onSaleAt=None)
    for start in (None, since, snapshot(system, event)["since"]):
        with Socket(system, live(event, start)) as socket:
            assert (
                until(socket, is_open=True, opens_at=None, closes_at=None)["since"] == snapshot(system, event)["since"]
            )
    change(system, event, onSaleAt=opens)
    with Socket(system, live(event, since)) as socket:
        until(socket, is_open=False, opens_at=opens, closes_at=None)


def test_an_event_that_never_had_such_a_time_tells_none(system: System) -> None:
    event = system.create_event(seatingPlan=HALL)
    with Socket(system, live(event)) as socket:
        assert socket.message()["type"] == "SNAPSHOT_NEEDED"
        bought = system.buy(1, event_id=event).json
        assert [message["type"] for message in socket.until(bought["position"])] == ["SEATS"]
