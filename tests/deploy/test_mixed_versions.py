"""An upgrade, workers before web, and a rollback in reverse: no entry is written that a running worker cannot read."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from seating.domain import log_format
from seating.domain.change_json import _KINDS
from seating.domain.log_format import LOG_FORMAT, format_of, format_read_by, worker_name
from seating.services import event_changes
from seating.storage.database import Database
from seating.storage.tables import purchases
from tests.live.client import Socket, end, live
from tests.one_process import OneProcess
from tests.servers import wait_until
from tests.system import GUNICORN, PROJECT, Answer, Client, Part, System, free_port, running_system
from tests.web import JSON, assert_problem

HALL = {"generate": {"sections": 1, "rows": 4, "seatsPerRow": 10}}
OLDER, NEWER = "tests.deploy.older_version", "seating"


@pytest.fixture(scope="module")
def rollout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A web process of this version; each test starts workers and crons of one version or the other."""
    with running_system(tmp_path_factory.mktemp("rollout"), "web") as running:
        yield running


@pytest.fixture
def parts(rollout: System) -> Iterator[list[Part]]:
    """What a test has started."""
    started: list[Part] = []
    yield started
    _stop(started)


def _run(system: System, version: str, name: str, *words: str, **settings: str) -> Part:
    log = system.folder / f"{version}-{name}.log"
    with log.open("ab") as output:
        command = [sys.executable, "-m", version, name, *words]
        environment = system.environment | {"PYTHONPATH": str(PROJECT), **settings}
        process = subprocess.Popen(command, cwd=system.folder, env=environment, stdout=output, stderr=output)
    return Part(name, process, log)


def _start(system: System, version: str, parts: list[Part]) -> None:
    parts += [_run(system, version, name) for name in ("worker", "cron")]
    wait_until(lambda: all(b" began" in part.log.read_bytes() for part in parts), 30, "worker and cron to begin")
    shown = {"cron": "seen", "workers": 1}
    wait_until(lambda: _upkeep(system).items() >= shown.items(), 30, "the web process to see them")


def _upkeep(system: System) -> dict[str, object]:
    upkeep = system.get("/ready").json["checks"]["upkeep"]
    return {"cron": upkeep["cron"].partition(" ")[0], "workers": upkeep["workers"]}


def _stop(parts: list[Part]) -> None:
    for part in parts:
        part.process.terminate()
    for part in parts:
        part.process.wait(20)
    parts.clear()


def _hold(system: Client, event: str) -> str:
    body = json.dumps({"seats": ["sec-1-row-A-seat-1"]}).encode()
    held = system.request("POST", f"/api/v1/events/{event}/holds", body, JSON)
    assert held.status == 201, held.body
    return f"/api/v1/events/{event}/holds/{held.json['holdToken']}"


def _add(system: System, hold: str, seat: int) -> Answer:
    return system.request("PATCH", hold, json.dumps({"add": [f"sec-1-row-A-seat-{seat}"]}).encode(), JSON)


def _recorded(sale: OneProcess, event: str) -> None:
    wait_until(lambda: sale.lag(event) == 0, 40, "everything to be in SQL")


@pytest.fixture
def sale(rollout: System) -> Iterator[OneProcess]:
    """Another process of this version."""
    database = Database(rollout.database_url)
    yield OneProcess.build(rollout.redis.url, database)
    database.close()


def test_new_entries_wait_for_the_last_old_worker(
    rollout: System, sale: OneProcess, parts: list[Part], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upgrade, and back. The twin is a process that does not look: recording stops until the newer version runs."""
    event, twin = (rollout.create_event(seatingPlan=HALL) for _ in range(2))
    _start(rollout, OLDER, parts)
    hold = _hold(rollout, event)
    refused = _add(rollout, hold, 2)
    assert_problem(refused, 503, "ROLLOUT_IN_PROGRESS")
    assert refused.headers["Retry-After"] == "5"
    limits = rollout.request("PATCH", f"/api/v1/events/{event}", b'{"maxPerPurchase":4}', JSON)
    assert_problem(limits, 503, "ROLLOUT_IN_PROGRESS")
    assert rollout.buy(2, event_id=event).status == 200
    _recorded(sale, event)

    token = _hold(rollout, twin).rpartition("/")[2]
    with monkeypatch.context() as unguarded:
        unguarded.setattr(event_changes, "format_of", lambda kind: 0)
        sale.holds.change(twin, token, ["sec-1-row-A-seat-2"], [])
    bought = rollout.buy(2, event_id=twin)
    assert bought.status == 200, "the sale goes on"
    logs = [part.log for part in parts]
    wait_until(lambda: any(b"event not persisted" in log.read_bytes() for log in logs), 20, "recording to stop")
    assert sale.lag(twin) >= 2

    _stop(parts)
    _start(rollout, NEWER, parts)
    wait_until(lambda: _add(rollout, hold, 2).status == 200, 10, "the new entries to be written")
    assert rollout.request("PATCH", f"/api/v1/events/{event}", b'{"maxPerPurchase":4}', JSON).status == 200
    _recorded(sale, event)
    assert {"hold_changed", "offer"} <= set(sale.told(event))
    _recorded(sale, twin)
    assert [row.id for row in sale.rows(purchases, twin)] == [bought.json["purchaseId"]], "nothing was lost"

    _stop(parts)
    _start(rollout, OLDER, parts)
    wait_until(lambda: _add(rollout, hold, 3).status == 503, 10, "the older version to be noticed")
    assert rollout.buy(2, event_id=event).status == 200
    _recorded(sale, event)
    assert sale.told(event).count("hold_changed") == 1


def test_older_web_processes_serve_beside_newer_ones(rollout: System, sale: OneProcess, parts: list[Part]) -> None:
    """Once the workers are new, new entries are written. An older feed cannot tell what they changed, and says so."""
    event, older = rollout.create_event(seatingPlan=HALL), Client(free_port())
    _start(rollout, NEWER, parts)
    parts.append(_run(rollout, OLDER, "web", *GUNICORN[1:], PORT=str(older.port)))
    older.wait_ready(60)
    hold = _hold(older, event)
    with Socket(older, live(event, end(older, event)), quiet_s=60) as feed:
        wait_until(lambda: _add(rollout, hold, 2).status == 200, 10, "a new entry to be written")
        assert feed.message()["type"] == "SNAPSHOT_NEEDED"
        bought = older.buy(2, event_id=event)
        assert bought.status == 200, bought.body
        assert (sold := feed.message())["position"] == bought.json["position"]
        assert sold["seats"] == bought.json["seats"]
    assert older.get(hold).json["seats"] == ["sec-1-row-A-seat-1", "sec-1-row-A-seat-2"]
    paid = json.dumps({"holdToken": hold.rpartition("/")[2]}).encode()
    headers = JSON | {"Idempotency-Key": "a-key-of-the-buyer"}
    answer = older.request("POST", f"/api/v1/events/{event}/purchases", paid, headers)
    assert answer.status == 200, answer.body
    assert rollout.request("POST", f"/api/v1/events/{event}/purchases", paid, headers).body == answer.body
    _recorded(sale, event)
    assert "hold_changed" in sale.told(event)
    assert sale.check.reconcile(event) == []


def test_every_kind_has_a_format_that_this_version_reads() -> None:
    assert set(log_format._ADDED_IN) - {log_format.PLACES_SET} <= set(_KINDS)
    assert {format_of(kind) for kind in _KINDS} == set(range(LOG_FORMAT + 1))


@pytest.mark.parametrize("name", ["", "4f2a", "reads", "reads-", "reads-x-1", "reads--1", "other-3-x"])
def test_other_names_announce_nothing(name: str) -> None:
    assert format_read_by(name) == 0
    assert format_read_by(worker_name(name)) == LOG_FORMAT
