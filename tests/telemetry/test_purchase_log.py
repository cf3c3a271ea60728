"""One purchase, followed by one grep from its request to SQL and beyond; and what the line of each request says."""

import json
import subprocess
from typing import Any

import pytest

from seating.domain.caller import Role
from seating.storage.api_keys import ApiKeys
from seating.storage.tables import ledger
from seating.web.request_log import shown_address
from tests.books import order, rows
from tests.doors import bearer
from tests.servers import wait_until
from tests.system import System


def grep(system: System, text: str) -> list[dict[str, Any]]:
    """The lines of all parts that have `text`, in the order in which they were written."""
    files = sorted(system.folder.glob("*.log"))
    found = subprocess.run(["grep", "-hF", text, *files], capture_output=True, text=True, check=False, timeout=30)
    return sorted((json.loads(line) for line in found.stdout.splitlines()), key=lambda line: line["timestamp"])


def _wait_recorded(system: System, event_id: str, entries: int) -> None:
    wait_until(lambda: len(rows(system, ledger, event_id)) == entries, what=f"{entries} entries on record")


def test_one_grep_tells_a_purchases_life(system: System) -> None:
    event = system.create_event(totalSeats=10)
    bought = order(system, event, "a-key-to-follow-it", quantity=2)
    purchase_id = bought.json["purchaseId"]
    again = order(system, event, "a-key-to-follow-it", quantity=2)
    assert again.body == bought.body
    _wait_recorded(system, event, 3)
    assert system.get(f"/api/v1/purchases/{purchase_id}").json["state"] == "persisted"
    assert system.request("DELETE", f"/api/v1/purchases/{purchase_id}").status == 200
    _wait_recorded(system, event, 4)
    wait_until(lambda: len(grep(system, purchase_id)) == 7, what="all its lines")
    found = grep(system, purchase_id)
    assert {line["event_id"] for line in found} == {event}
    web = [line for line in found if line["event"] != "entries persisted"]
    assert [(line["event"], line.get("outcome"), line.get("status")) for line in web] == [
        ("request", "sold", 200),
        ("request", "replayed", 200),
        ("request", None, 200),
        ("purchase cancelled", None, None),
        ("request", None, 200),
    ]
    assert web[3]["request_id"] == web[4]["request_id"]
    assert (web[3]["caller"], web[3]["quantity"]) == ("operator", 2)
    sold, cancelled = (line for line in found if line["event"] == "entries persisted")
    assert (sold["purchases"], sold["cancelled"]) == ([purchase_id], [])
    assert (cancelled["purchases"], cancelled["cancelled"]) == ([], [purchase_id])
    assert cancelled["first"] == cancelled["last"] == f"{bought.json['position'].partition('-')[0]}-4"
    assert cancelled["ms"] > 0


def test_a_request_is_one_line(system: System) -> None:
    event = system.create_event(totalSeats=3)
    system.buy(2, event_id=event, X_Request_Id="a-sold-request")
    system.buy(2, event_id=event, X_Request_Id="a-refused-request")
    (sold,) = grep(system, "a-sold-request")
    (refused,) = grep(system, "a-refused-request")
    same = {"event": "request", "method": "POST", "route": "/api/v1/events/<event_id>/purchases", "event_id": event}
    same |= {"caller": "anonymous", "address": "127.0.0.0/24", "level": "info"}
    for line in (sold, refused):
        assert same.items() <= line.items()
        assert line["ms"] > 0
    assert (sold["status"], sold.get("code")) == (200, None)
    assert (refused["status"], refused["code"], refused.get("purchase_id")) == (409, "SOLD_OUT", None)


@pytest.mark.parametrize(
    ("path", "headers", "facts"),
    [
        ("/api/v1/event", {}, {"event_id": "demo", "status": 200}),
        ("/nothing-here", {}, {"route": "unknown", "code": "NOT_FOUND", "status": 404}),
        ("/api/v1/quarantine", bearer("no-such-key-at-all-0123456789abcdef"), {"code": "UNAUTHORIZED", "status": 401}),
        ("/users/1", {}, {"caller": "anonymous", "status": 200}),
        (
            "/api/v1/event",
            {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
            {"trace_id": "0af7651916cd43dd8448eb211c80319c"},
        ),
        ("/api/v1/event", {"traceparent": "00-" + "0" * 32 + "-b7ad6b7169203331-01"}, {"trace_id": None}),
    ],
)
def test_the_line_says_who_asked_for_what(
    system: System, path: str, headers: dict[str, str], facts: dict[str, Any]
) -> None:
    request_id = f"a-line-{abs(hash((path, *headers.items()))):x}"
    system.get(path, {"X-Request-Id": request_id, **headers})
    (line,) = grep(system, request_id)
    assert {name: line.get(name) for name in facts} == facts


def test_a_caller_is_named_even_if_refused(system: System) -> None:
    event = system.create_event(totalSeats=3)
    keys = ApiKeys(system.folder / "api-keys")
    key = keys.add("reader", Role.READ, "2026-01-01T00:00:00Z")
    try:
        system.buy(1, event_id=event, X_Request_Id="a-reader-buys", **bearer(key))
    finally:
        keys.remove(lambda each: each.name == "reader")
    (line,) = grep(system, "a-reader-buys")
    assert (line["caller"], line["code"]) == ("reader", "FORBIDDEN")


@pytest.mark.parametrize(
    ("address", "addresses", "shown"),
    [
        ("192.0.2.17", "network", "192.0.2.0/24"),
        ("192.0.2.17", "full", "192.0.2.17"),
        ("2001:db8:1:2:3::4", "network", "2001:db8:1::/48"),
        ("2001:db8:1:2:3::4", "full", "2001:db8:1:2:3::4"),
        ("::ffff:192.0.2.17", "network", "192.0.2.0/24"),
        ("no address", "full", None),
    ],
)
def test_addresses_are_shortened(address: str, addresses: str, shown: str | None) -> None:
    assert shown_address(address, addresses) == shown
