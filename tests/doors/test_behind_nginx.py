"""Behind a real nginx: whom the doors open to, whose address counts, and which pages are ours."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.doors import TOKEN, assert_unauthorized, bearer, web_alone
from tests.live.client import Socket, live, refusal
from tests.nginx import running_nginx
from tests.programs import program
from tests.servers import wait_until
from tests.system import Client, System, free_port
from tests.web import JSON, assert_problem

ANN, BEN = "127.0.0.2", "127.0.0.3"
"""Addresses of clients; nginx asks from 127.0.0.1."""
SPOOFED = {"X-Forwarded-For": "203.0.113.7, 127.0.0.1"}

SERVERS = """
map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
server {{
  listen 127.0.0.1:{plain};
  location / {{ proxy_pass http://127.0.0.1:{upstream}; }}
}}
server {{
  listen 127.0.0.1:{forwarding};
  location / {{
    proxy_pass http://127.0.0.1:{upstream};
    proxy_http_version 1.1;
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
  }}
}}
"""


class Nginx(NamedTuple):
    """Two ports in front of a system: `plain` by nginx's defaults, `forwarding` as its manual has it for an API."""

    system: System
    plain: int
    forwarding: int


@contextmanager
def nginx(folder: Path, system: System) -> Iterator[Nginx]:
    running = Nginx(system, free_port(), free_port())
    servers = SERVERS.format(plain=running.plain, forwarding=running.forwarding, upstream=system.port)
    with running_nginx(folder, servers):
        both = (Client(running.plain), Client(running.forwarding))
        wait_until(lambda: all(client.get("/health").status == 200 for client in both), what="nginx to answer")
        yield running


@pytest.fixture(scope="module", autouse=True)
def _nginx() -> None:
    program("nginx")


@pytest.fixture(scope="module")
def in_front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """Of a system that knows of no proxy, in development, without a key."""
    folder = tmp_path_factory.mktemp("unknown-proxy")
    with web_alone(folder) as system, nginx(folder / "nginx", system) as running:
        yield running


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """Of a system that trusts it and has an operator's key."""
    folder = tmp_path_factory.mktemp("trusted-proxy")
    settings = {"TRUSTED_PROXIES": "127.0.0.1/32", "ADMIN_TOKEN": TOKEN, "RATE_LIMIT_SALE": "3/1h"}
    with web_alone(folder, **settings) as system, nginx(folder / "nginx", system) as running:
        yield running


def test_no_operator_comes_through_a_proxy_without_a_key(in_front: Nginx) -> None:
    new_event = ("POST", "/api/v1/events", b'{"name":"Test","totalSeats":5}', JSON)
    events = in_front.system.get("/api/v1/events").json
    messages = []
    for port in (in_front.plain, in_front.forwarding):
        for path in ("/api/v1/quarantine", "/api/v1/audit", "/api/v1/losses"):
            assert_unauthorized(Client(port).get(path))
        refused = Client(port).request(*new_event)
        assert_unauthorized(refused)
        messages.append(refused.json["message"])
    assert "HTTP/1.0" in messages[0]
    assert "(X-Forwarded-For)" in messages[1]
    assert in_front.system.get("/api/v1/events").json == events
    assert in_front.system.request(*new_event).status == 201


def test_buyers_come_through(in_front: Nginx) -> None:
    for port in (in_front.plain, in_front.forwarding):
        before = in_front.system.get("/api/v1/event").json["seatsSold"]
        assert Client(port).buy(2).status == 200
        assert Client(port).get("/api/v1/event").json["seatsSold"] == before + 2
        assert Client(port).get("/seats").status == 200


def test_an_operator_with_a_key_is_recorded_by_the_own_address(trusted: Nginx) -> None:
    operator = Client(trusted.forwarding, ANN)
    event = json.dumps({"name": "Of Ann", "totalSeats": 5}).encode()
    assert_unauthorized(operator.request("POST", "/api/v1/events", event, JSON | SPOOFED))
    created = operator.request("POST", "/api/v1/events", event, JSON | SPOOFED | bearer(TOKEN))
    assert created.status == 201
    acts = operator.get(f"/api/v1/audit?event={created.json['id']}", bearer(TOKEN)).json["acts"]
    assert [(act["actor"], act["address"], act["action"]) for act in acts] == [("operator", ANN, "event.create")]


def test_a_limit_counts_the_client_whatever_it_says(trusted: Nginx) -> None:
    """Each by its own address, not by that of nginx."""
    ann, ben = Client(trusted.forwarding, ANN), Client(trusted.forwarding, BEN)
    spoofs = ["203.0.113.1", "203.0.113.2, 127.0.0.1", "not an address", f"{BEN}, {BEN}"]
    answers = [ann.buy(1, X_Forwarded_For=spoof) for spoof in spoofs]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert_problem(answers[-1], 429, "RATE_LIMITED")
    assert [ben.buy(1, X_Forwarded_For=ANN).status for _ in range(4)] == [200, 200, 200, 429]
    directly = Client(trusted.system.port, "127.0.0.4")
    assert [directly.buy(1, X_Forwarded_For=f"203.0.113.{number}").status for number in range(4)] == [200] * 3 + [429]


@pytest.mark.parametrize("path", ["/", live("demo")])
def test_the_feed_knows_our_own_page_without_the_port(trusted: Nginx, path: str) -> None:
    """`Host $host` drops it, so that the page's Origin has a port and the host has none."""
    host = f"tickets.example:{trusted.forwarding}"
    client = Client(trusted.forwarding)
    with Socket(client, path, {"Host": host, "Origin": f"http://{host}"}) as feed:
        bought = trusted.system.buy(1, event_id="demo", **bearer(TOKEN)).json
        assert feed.until(bought["position"])
    foreign = refusal(client, path, {"Host": host, "Origin": "http://evil.example"})
    assert (foreign.code, foreign.reason.partition(":")[0]) == (4403, "ORIGIN_NOT_ALLOWED")


def test_without_trust_the_port_must_be_right(in_front: Nginx) -> None:
    """A page on another port of the same host is another origin, and nobody says that a proxy dropped the port."""
    host = f"tickets.example:{in_front.forwarding}"
    assert refusal(Client(in_front.forwarding), "/", {"Host": host, "Origin": f"http://{host}"}).code == 4403
