"""Too much waits for SQL, or Redis has no memory left: no before acceptance, and out of it without help.

And logs that cannot be written, which stop nothing.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crowd import at_once, new_keys
from tests.servers import RedisServer, wait_until
from tests.system import Answer, System, running_system

_LIMIT_MB = 16


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path / "redis", maxmemory_mb=_LIMIT_MB)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def system(redis: RedisServer, tmp_path: Path) -> Iterator[System]:
    running = System(
        tmp_path / "data",
        redis,
        f"sqlite:///{tmp_path / 'seating.db'}",
        BACKLOG_MAX_ENTRIES="400",
        BACKLOG_MEMORY_PERCENT="60",
    )
    yield running
    running.stop()


def _is_backlog_full(answer: Answer) -> bool:
    if answer.status == 503:
        assert answer.json["error"] == "BACKLOG_FULL"
        assert int(answer.headers["Retry-After"]) > 0
    return answer.status == 503


def test_a_backlog_of_entries(system: System) -> None:
    system.start("cron", "web")
    answers = [answer for _ in range(6) for answer in at_once(system, new_keys(100))]
    sold = [answer for answer in answers if answer.status == 200]
    assert len(sold) == 400
    assert all(_is_backlog_full(answer) for answer in answers if answer.status != 200)
    assert system.get("/api/v1/event").json["seatsSold"] == 400
    system.start_part("worker")
    system.wait_recorded()
    assert system.buy(1).status == 200


def test_a_backlog_of_bytes(system: System, redis: RedisServer) -> None:
    """Before memory runs out, and whatever fills it."""
    system.start("cron", "web")
    client = redis.client()
    ballast: list[str] = []
    while client.info("memory")["used_memory"] < _LIMIT_MB * 2**20 * 0.8:
        ballast.append(f"ballast-{len(ballast)}")
        client.set(ballast[-1], b"x" * 2**17)
    answers = at_once(system, new_keys(100))
    assert sum(answer.status == 200 for answer in answers) < 64
    assert all(_is_backlog_full(answer) for answer in answers if answer.status != 200)
    client.delete(*ballast)
    assert system.buy(1).status == 200


def test_no_memory_at_all(system: System, redis: RedisServer) -> None:
    """RQ cannot take a job then: what was sold is recorded without it, and that frees the memory."""
    system.start("web")
    event = system.create_event(totalSeats=1000)
    keys = new_keys(200)
    first = at_once(system, keys, event_id=event)
    assert {answer.status for answer in first} == {200}
    client = redis.client()
    limit = client.config_get("maxmemory")["maxmemory"]
    client.config_set("maxmemory", client.info("memory")["used_memory"] * 3 // 4)
    refused = at_once(system, new_keys(20), event_id=event)
    assert all(_is_backlog_full(answer) for answer in refused)
    assert at_once(system, keys, event_id=event)[7].body == first[7].body
    system.start_part("cron")
    wait_until(lambda: _recorded(system, first), 30, "everything sold to be recorded")
    assert system.get(f"/api/v1/events/{event}").json["seatsSold"] == 200
    client.config_set("maxmemory", limit)
    assert system.buy(1, event_id=event).status == 200


def _recorded(system: System, answers: list[Answer]) -> bool:
    states = {system.get(f"/api/v1/purchases/{answer.json['purchaseId']}").json["state"] for answer in answers}
    return states == {"persisted"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_logs_that_cannot_be_written_fail_nothing(tmp_path: Path, log_format: str) -> None:
    """No request once got its response, although its seats were sold."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("web", "worker", "cron"):
        (folder / f"{name}.log").symlink_to("/dev/full")
    with running_system(tmp_path, LOG_FORMAT=log_format) as system:
        assert system.buy(1).status == 200
        system.wait_recorded()
        assert system.buy(1).status == 200
