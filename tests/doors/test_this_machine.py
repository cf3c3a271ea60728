"""In development operators need no key at the machine itself, and nowhere else."""

import pytest

from tests.doors import assert_unauthorized
from tests.system import Answer, System
from tests.web import exchange, post, seats_sold, table

NEW_EVENT = b'{"name":"Test","totalSeats":5}'


def create(system: System, *, version: str = "1.1", **headers: str | None) -> Answer:
    request = post("/api/v1/events", NEW_EVENT, **headers)
    return exchange(system, request.replace(b"HTTP/1.1", f"HTTP/{version}".encode(), 1))


@pytest.mark.parametrize(
    "headers",
    table(
        {
            "by its address": ({"Host": "127.0.0.1:{port}"},),
            "by its name": ({"Host": "localhost:{port}"},),
            "by its IPv6 address": ({"Host": "[::1]:{port}"},),
            "without a port": ({"Host": "localhost"},),
            "from a page of its own": (
                {"Host": "localhost:{port}", "Origin": "http://localhost:{port}", "Sec_Fetch_Site": "same-origin"},
            ),
            "typed into a browser": ({"Sec_Fetch_Site": "none"},),
        }
    ),
)
def test_open_at_this_machine(system: System, headers: dict[str, str]) -> None:
    before = seats_sold(system)
    created = create(system, **{name: value.format(port=system.port) for name, value in headers.items()})
    assert created.status == 201
    assert seats_sold(system) == before | {created.json["id"]: 0}


@pytest.mark.parametrize(
    "headers",
    table(
        {
            "a name that leads here": ({"Host": "evil.example"},),
            "a name that looks like it": ({"Host": "localhost.evil.example"},),
            "an address that looks like it": ({"Host": "127.0.0.1.evil.example"},),
            "a user before it": ({"Host": "localhost@evil.example"},),
            "a page of another origin": ({"Origin": "https://evil.example"},),
            "a page of another port": ({"Origin": "http://127.0.0.1:1"},),
            "a page of no origin": ({"Origin": "null"},),
            "a page of another site": ({"Sec_Fetch_Site": "cross-site"},),
            "a page of the same site": ({"Sec_Fetch_Site": "same-site"},),
            "Forwarded": ({"Forwarded": "for=192.0.2.1"},),
            "X-Forwarded-For": ({"X_Forwarded_For": "192.0.2.1"},),
            "X-Forwarded-For of this machine": ({"X_Forwarded_For": "127.0.0.1"},),
            "X-Forwarded-For, empty": ({"X_Forwarded_For": ""},),
            "x-forwarded-for": ({"x_forwarded_for": "192.0.2.1"},),
            "X-Forwarded-Host": ({"X_Forwarded_Host": "tickets.example"},),
            "X-Forwarded-Proto": ({"X_Forwarded_Proto": "https"},),
            "X-Real-IP": ({"X_Real_IP": "192.0.2.1"},),
            "Via": ({"Via": "1.1 proxy"},),
        }
    ),
)
def test_closed_to_pages_and_proxies(system: System, headers: dict[str, str]) -> None:
    before = seats_sold(system)
    assert_unauthorized(create(system, **headers))
    assert seats_sold(system) == before


def test_closed_to_old_proxies(system: System) -> None:
    """As nginx asks unless it is told otherwise."""
    refused = create(system, version="1.0")
    assert_unauthorized(refused)
    assert "HTTP/1.0" in refused.json["message"]


def test_open_routes_stay_open_to_old_proxies(system: System) -> None:
    asked = b"GET /api/v1/event HTTP/1.0\r\nHost: tickets.example\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"
    assert exchange(system, asked).status == 200
