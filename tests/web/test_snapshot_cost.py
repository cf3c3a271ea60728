"""What a snapshot of a large hall costs the process that serves it."""

import tracemalloc
from collections.abc import Callable
from typing import Any

from seating.web.seats import SeatList
from tests.one_process import on_sqlite
from tests.processes import client, clock
from tests.users.conftest import Web, web

pytestmark = on_sqlite  # A snapshot needs none.

__all__ = ["client", "clock", "web"]

SEATS = 50_000
HALL = {"generate": {"sections": 50, "rows": 10, "seatsPerRow": 100}}
SMALLEST_OBJECT_BYTES = 16
GZIP = {"Accept-Encoding": "gzip"}


def most_bytes_while(work: Callable[[], object]) -> int:
    """Of Python's memory, and beyond what was in use before."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def most_bytes_while_answering(one: Web, path: str) -> int:
    """After a sale, so that nothing that is kept will do."""
    one.get(path, **GZIP)  # So that what is made once, at the first request, is there.
    key = {"Idempotency-Key": path.rjust(16, "-")}
    assert one.client.post("/api/v1/purchase", json={"quantity": 1}, headers=key).status_code == 200
    found: list[int] = []
    most = most_bytes_while(lambda: found.append(one.get(path, **GZIP).status_code))
    assert found == [200]
    return most


def test_no_object_is_made_for_each_seat(web: Callable[..., Web]) -> None:
    created: Any = web().client.post("/api/v1/events", json={"name": "Large", "seatingPlan": HALL})
    event = created.json["id"]
    one = web(default_event=event)
    assert most_bytes_while_answering(one, f"/api/v1/events/{event}/seats") < SEATS * SMALLEST_OBJECT_BYTES
    # The list is its text, once more as bytes, and pointers to its parts.
    listed = one.get("/seats")
    assert most_bytes_while_answering(one, "/seats") < 3 * len(listed.data)
    # The twin: an object a seat shows.
    assert most_bytes_while(lambda: SeatList.model_validate(listed.json)) > 5 * len(listed.data)
