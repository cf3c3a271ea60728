"""What a new operator does, by the docs alone: from nothing to a sale behind nginx, a refund, and a restored backup."""

import json
import socket
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.deploy.rig import Deployment, TlsClient, deployment
from tests.deploy.test_backup import BACKUP
from tests.doors import bearer
from tests.live.client import handshake
from tests.programs import program
from tests.servers import PostgresServer, wait_until
from tests.system import Answer
from tests.test_deployment import is_healthy
from tests.web import JSON, assert_problem

HALL = {"generate": {"sections": 2, "rows": 5, "seatsPerRow": 10}}
FRONT_ROW = [f"sec-1-row-A-seat-{number}" for number in range(1, 4)]


class Operated:
    """A deployment with an operator, ada, a shop, and the default event."""

    def __init__(self, running: Deployment) -> None:
        self.running = running
        running.one.command("migrate")
        self._operator = bearer(running.one.command("keys", "add", "ada", "--role", "operate").stdout.strip())
        self._shop = bearer(running.one.command("keys", "add", "box-office", "--role", "sell").stdout.strip())
        created = running.one.command("events", "create", "Winter concert", "--seats", "500")
        running.configure(DEFAULT_EVENT=created.stdout.strip())
        running.start()

    def operate(self, method: str, path: str, **fields: Any) -> Answer:
        body = json.dumps(fields).encode() if fields else None
        return self.running.shop.request(method, path, body, JSON | self._operator)

    def buy(self, event: str, **order: Any) -> Answer:
        headers = JSON | self._shop | {"Idempotency-Key": str(uuid.uuid4())}
        return self.running.shop.request(
            "POST", f"/api/v1/events/{event}/purchases", json.dumps(order).encode(), headers
        )


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Operated]:
    program("redis-cli")
    with deployment(tmp_path_factory.mktemp("operator"), postgres_server) as running:
        yield Operated(running)


def test_from_an_event_to_a_restored_backup(operated: Operated) -> None:
    running = operated.running
    event = operated.operate("POST", "/api/v1/events", name="Opera", seatingPlan=HALL, why="season").json["id"]
    blocked = operated.operate(
        "PATCH", f"/api/v1/events/{event}/seats", status="reserved", seats=FRONT_ROW, note="sponsor"
    )
    assert (blocked.status, blocked.json["changed"]) == (200, 3)
    assert_problem(operated.buy(event, seats=FRONT_ROW[:1]), 409, "SEAT_UNAVAILABLE")
    kept, refunded = (operated.buy(event, quantity=2, reference=f"order-{number}") for number in range(2))
    assert (kept.status, refunded.status) == (200, 200)
    purchase = f"/api/v1/purchases/{refunded.json['purchaseId']}"
    assert operated.operate("DELETE", purchase, why="ill").json["state"] == "cancelled"
    _wait_for_right_books(running)

    backup = running.folder / "backup"
    running.run_with_postgres(BACKUP, backup)
    lost = operated.buy(event, quantity=4)
    assert operated.running.shop.get(f"/api/v1/events/{event}").json["seatsSold"] == 6

    running.stop()
    url = running.postgres.new_database_without_tables()
    running.run_with_postgres(
        "pg_restore", "--exit-on-error", f"--dbname={url.replace('+psycopg', '')}", backup / "seating.dump"
    )
    running.redis.restore(backup / "appendonlydir")
    running.configure(DATABASE_URL=url)
    running.start(instances=1)
    wait_until(lambda: running.shop.get(f"/api/v1/events/{event}").json["selling"], 60, "a term to begin")
    shown = running.shop.get(f"/api/v1/events/{event}").json
    assert (shown["seatsSold"], shown["seatsRemaining"]) == (2, shown["totalSeats"] - 2 - len(FRONT_ROW))
    assert running.shop.get(f"/api/v1/purchases/{kept.json['purchaseId']}").json["state"] == "persisted"
    assert running.shop.get(purchase).json["state"] == "cancelled"
    assert running.shop.get(f"/api/v1/purchases/{lost.json['purchaseId']}").status == 404
    assert operated.buy(event, seats=lost.json["seats"]).status == 200
    _wait_for_right_books(running)
    acts = operated.operate("GET", f"/api/v1/audit?event={event}").json["acts"]
    assert {act["actor"] for act in acts} == {"ada"}
    assert {act["address"] for act in acts} == {"127.0.0.1"}


def _wait_for_right_books(running: Deployment) -> None:
    """With everything in SQL: a lag is a finding too."""
    wait_until(lambda: "the books are right" in running.one.command("reconcile").stdout, 30, "right books")


def test_a_hanging_database_stops_neither_sales_nor_health_checks(operated: Operated) -> None:
    running = operated.running
    running.postgres.pause()
    try:
        bought = running.shop.buy(1)
        assert bought.status == 200
        assert is_healthy(running.one.port)
    finally:
        running.postgres.resume()
    wait_until(lambda: _state(running, bought) == "persisted", 30, "the purchase to be recorded")


def _state(running: Deployment, bought: Answer) -> str:
    found = running.shop.get(f"/api/v1/purchases/{bought.json['purchaseId']}")
    return str(found.json["state"]) if found.status == 200 else ""


def test_strangers_do_not_see_how_the_sale_is_run(operated: Operated) -> None:
    stranger = operated.running.client("127.0.0.2")
    for path in ("/health", "/ready", "/metrics"):
        assert operated.running.shop.get(path).status == 200
        assert stranger.get(path).status == 403
    assert stranger.get("/api/v1/event").status == 200


def test_headers_of_nginx(operated: Operated) -> None:
    shop = operated.running.shop
    answer = shop.get("/", {"X-Request-Id": "a-request-of-ours"})
    assert answer.json["websocket"].startswith("wss://127.0.0.1:")
    assert answer.headers["X-Request-Id"] == "a-request-of-ours"
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "/" not in answer.headers["Server"]
    assert shop.request("POST", "/api/v1/purchase", b"x" * 20_000, JSON).status == 413


def test_a_live_feed_comes_through(operated: Operated) -> None:
    with _connected(operated.running.shop) as connection:
        connection.sendall(handshake("/"))
        received = b""
        while b"CONNECTED" not in received:
            part = connection.recv(4096)
            assert part, received
            received += part
    assert received.startswith(b"HTTP/1.1 101 ")


def _connected(shop: TlsClient) -> Any:
    plain = socket.create_connection(("127.0.0.1", shop.port), 20)
    return shop.context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_the_token_of_a_hold_is_in_no_log(operated: Operated) -> None:
    """Nor where nginx says that one of the instances cannot be reached."""
    running = operated.running
    running.other.stop()
    event = running.one.environment["DEFAULT_EVENT"]
    held = running.shop.request("POST", f"/api/v1/events/{event}/holds", b'{"quantity":1}', JSON)
    token = held.json["holdToken"]
    nginx = running.folder / "nginx"
    both = f"upstream=127.0.0.1:{running.other.port}, 127.0.0.1:{running.one.port} "

    def both_were_tried() -> bool:
        assert running.shop.get(f"/api/v1/events/{event}/holds/{token}").status == 200
        return any("/holds/..." in line and both in line for line in (nginx / "seating.log").read_text().splitlines())

    wait_until(both_were_tried, what="nginx to try the instance that is gone")
    logs = [*(path for path in nginx.iterdir() if path.is_file()), running.part("web").log]
    assert not [log.name for log in logs if token in log.read_text()]
