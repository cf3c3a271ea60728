"""What a snapshot of a large hall costs the process that serves it."""

import tracemalloc
from collections.abc import Callable

import pytest

from tests.processes import client, clock
from tests.users.conftest import Web, web

__all__ = ["client", "clock", "web"]

SEATS = 50_000
HALL = {"generate": {"sections": 50, "rows": 10, "seatsPerRow": 100}}
SMALLEST_OBJECT_BYTES = 16


@pytest.fixture
def database_url(tmp_path: object) -> str:
    """A snapshot needs none."""
    return f"sqlite:///{tmp_path}/seating.db"


def most_bytes_while_answering(one: Web, path: str) -> int:
    """Of Python's memory, and beyond what was in use before."""
    one.get(path)  # So that what is made once, at the first request, is there.
    tracemalloc.start()
    try:
        assert one.get(path, **{"Accept-Encoding": "gzip"}).status_code == 200
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_no_object_is_made_for_each_seat(web: Callable[..., Web]) -> None:
    created = web().client.post("/api/v1/events", json={"name": "Large", "seatingPlan": HALL}).json["id"]
    one = web(default_event=created)
    assert most_bytes_while_answering(one, f"/api/v1/events/{created}/seats") < SEATS * SMALLEST_OBJECT_BYTES
    # The twin: the list of the default event has an object a seat, and that shows.
    assert most_bytes_while_answering(one, "/seats") > 5 * SEATS * SMALLEST_OBJECT_BYTES
