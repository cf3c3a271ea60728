"""`make bench-footprint`: what a seat, a purchase, a visit and a live message take, in bytes.

ARGS='PURCHASES'.
"""

import json
import re
import socket
import sys
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urljoin

from sqlalchemy import create_engine, text

from bench.report import Measurement, Table
from bench.served import Served, is_recorded, services_of
from seating.domain.idempotency import short_hash
from seating.domain.purchase import Order
from seating.redis_store import keys
from tests.live.client import Socket, live
from tests.servers import PostgresServer, wait_until
from tests.system import System

_SEATS = 50_000
_HALL = {"generate": {"sections": _SEATS // 500, "rows": 20, "seatsPerRow": 25}}
_LINKS = re.compile(r"""(?:src|href|from|import)\s*[=(]?\s*['"](/static/[^'"]+|\.{1,2}/[^'"]+\.js)['"]""")
_TEXT = """{purchases:,} purchases of two seats each, of a generated hall of {seats:,}, all on record in Postgres. **A
seat in Redis** is what the keys of a hall take that has just been put on sale (`MEMORY USAGE`); **a purchase in Redis**
what they grow by for each, while the log keeps it; **in Redis's file** what the append-only file grew by; **in
Postgres** what the database grew by, with its indexes. **A visit** is the answers that a browser gets until the map is
drawn, gzipped where it accepts that; **a purchase on the wire** is request and answer, and **a live message** one frame
for two seats."""


class Footprint(NamedTuple):
    """In bytes."""

    seat_in_redis: float
    purchase_in_redis: float
    purchase_in_file: float
    purchase_in_sql: float
    visit: int
    purchase: int
    message: int


def measure(served: System, purchases: int, database_bytes: Callable[[], int]) -> Footprint:
    client, services = served.redis.client(), services_of(served)

    def memory() -> int:
        """Of the event's keys: what else Redis uses comes and goes."""
        return sum(client.memory_usage(key, samples=0) or 0 for key in keys.all_of(event_id))

    def file_bytes() -> int:
        return int(client.info("persistence")["aof_current_size"])

    event_id = served.create_event(seatingPlan=_HALL)
    opened, filed, rows = memory(), file_bytes(), database_bytes()
    inventory = services.purchases.inventory
    for number in range(purchases):
        inventory.purchase(event_id, "anonymous", short_hash("anonymous", f"footprint-{number}"), Order(2))
    wait_until(lambda: is_recorded(inventory, event_id), 300, "all to be recorded")
    return Footprint(
        opened / _SEATS,
        (memory() - opened) / purchases,
        (file_bytes() - filed) / purchases,
        (database_bytes() - rows) / purchases,
        _visit_bytes(served, event_id),
        *_purchase_bytes(served, event_id),
    )


def database_bytes(url: str) -> int:
    engine = create_engine(url)
    with engine.connect() as connection:
        size = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
    engine.dispose()
    return int(size)


def _visit_bytes(served: System, event_id: str) -> int:
    """The page, all that it loads, and what its scripts ask first."""
    of_event = f"/api/v1/events/{event_id}"
    waiting, seen, size = [f"/events/{event_id}", of_event, f"{of_event}/plan", f"{of_event}/seats"], set(), 0
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        size += len(_answer(served, f"GET {path} HTTP/1.1", "Accept: text/html,*/*", "Accept-Encoding: gzip"))
        plain = served.get(path, {"Accept": "text/html,*/*"})
        if plain.status == 200 and plain.headers["Content-Type"].startswith(("text/html", "text/javascript")):
            waiting += [urljoin(path, link) for link in _LINKS.findall(plain.body.decode())]
    return size


def _purchase_bytes(served: System, event_id: str) -> tuple[int, int]:
    """Request and answer, and the frame that tells of it."""
    body = json.dumps({"quantity": 2})
    head = (f"POST /api/v1/events/{event_id}/purchases HTTP/1.1", "Content-Type: application/json")
    more = (f"Idempotency-Key: {uuid.uuid4()}", f"Content-Length: {len(body)}", "", body)
    with Socket(served, live(event_id)) as feed:
        assert feed.message()["type"] == "SNAPSHOT_NEEDED"
        answer = _answer(served, *head, *more)
        position = json.loads(answer.partition(b"\r\n\r\n")[2])["position"]
        message = feed.until(position)[-1]
        assert len(message["seats"]) == 2
    sent = len("\r\n".join((*head, *more))) + len("Host: seating.test\r\n")
    return sent + len(answer), len(json.dumps(message, separators=(",", ":"))) + 4


def _answer(served: System, *lines: str) -> bytes:
    """Of a connection that is closed after it, whatever that is. `lines` are a request without its Host."""
    lines = (lines[0], "Host: seating.test", "Connection: close", *lines[1:])
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        connection.sendall("\r\n".join(lines if "" in lines else (*lines, "", "")).encode())
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def main(purchases: int = 10_000) -> None:
    with tempfile.TemporaryDirectory(prefix="seating-postgres-") as folder:
        postgres = PostgresServer(Path(folder))
        try:
            with Served(WEB_WORKERS="1", DATABASE_URL=postgres.new_database()) as served:
                served.database_url = served.environment["DATABASE_URL"]
                found = measure(served, purchases, lambda: database_bytes(served.database_url))
        finally:
            postgres.stop()
    names = ("a seat in Redis", "a purchase in Redis", "a purchase in Redis's file", "a purchase in Postgres")
    names = (*names, "a visit", "a purchase on the wire", "a live message")
    rows = [[name, round(size, 1) if size < 10 else round(size)] for name, size in zip(names, found, strict=True)]
    report = Measurement(
        "footprint", "What a sale takes", "make bench-footprint", _TEXT.format(purchases=purchases, seats=_SEATS)
    )
    report.tables = [Table("", "", ["", "bytes"], rows)]
    report.save()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
