"""Metrics: in two forms, and summed over all processes."""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.servers import wait_until
from tests.system import System
from tests.web import exchange, get, table

JSON = "application/json"
TEXT = "text/plain"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    table(
        {
            "nothing said": (None, JSON),
            "anything": ("*/*", JSON),
            "JSON": ("application/json", JSON),
            "JSON rather": ("text/plain;q=0.5, application/json;q=0.9", JSON),
            "an HTTP library": ("application/json, text/plain, */*", JSON),
            "a browser": ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON),
            "something else": ("image/png", JSON),
            "not a type": ("\xff;;q=x", JSON),
            "text": ("text/plain", TEXT),
            "text rather": ("text/plain;q=0.9, application/json;q=0.5", TEXT),
            "text in a version": ("text/plain;version=0.0.4", TEXT),
            "OpenMetrics": ("application/openmetrics-text", TEXT),
            "Prometheus 2": (
                "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
                "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                TEXT,
            ),
            "Prometheus 3": (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
                "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
                "text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                TEXT,
            ),
        }
    ),
)
def test_form(system: System, accept: str | None, media_type: str) -> None:
    answer = exchange(system, get("/metrics", *([f"Accept: {accept}"] if accept else [])))
    assert answer.status == 200
    assert answer.headers["Content-Type"].partition(";")[0] == media_type
    if media_type == JSON:
        assert answer.json.keys() == {"totalRequests", "statusDistribution", "averageResponseTime", "uptime"}
        assert answer.json["statusDistribution"].keys() == {"2xx", "3xx", "4xx", "5xx"}
    else:
        assert "# TYPE seating_http_requests_total counter" in answer.body.decode()


@contextmanager
def answered_by(worker: psutil.Process) -> Iterator[None]:
    """Holds the other process of the web, so that every new connection is this one's."""
    [other] = [process for process in worker.parent().children() if process != worker]
    other.suspend()
    try:
        wait_until(lambda: other.status() == psutil.STATUS_STOPPED, what="the other process to stop")
        yield
    finally:
        other.resume()


@pytest.fixture
def workers(system: System) -> list[psutil.Process]:
    found = psutil.Process(system.parts["web"].process.pid).children()
    assert len(found) == 2
    return found


def test_http_totals_are_of_all_processes(system: System, workers: list[psutil.Process]) -> None:
    """Whichever process is asked, and exactly. A reading counts from the next one on."""
    before = system.get("/metrics").json
    for worker in workers:
        with answered_by(worker):
            assert [system.get("/health").status for _ in range(5)] == [200] * 5
            assert [system.get("/nope").status for _ in range(3)] == [404] * 3
            assert system.get("/docs").status == 308
    for readings, worker in enumerate(workers, start=1):
        with answered_by(worker):
            after = system.get("/metrics").json
        grown = {
            name: after["statusDistribution"][name] - count for name, count in before["statusDistribution"].items()
        }
        assert grown == {"2xx": 10 + readings, "3xx": 2, "4xx": 6, "5xx": 0}
        assert after["totalRequests"] == before["totalRequests"] + sum(grown.values())
        assert after["totalRequests"] == sum(after["statusDistribution"].values())
        assert after["averageResponseTime"] > 0
        assert after["uptime"] > 0


def test_text_names_the_instance_that_counted(system: System, workers: list[psutil.Process]) -> None:
    """Whichever of its processes is asked."""
    named = set()
    for worker in workers:
        with answered_by(worker):
            named.add(system.get("/metrics", {"Accept": "text/plain"}).headers["Instance"])
    assert len(named) == 1
    assert "Instance" not in system.get("/metrics").headers


def test_sale_totals_are_of_all_processes(system: System, workers: list[psutil.Process]) -> None:
    event = system.create_event(totalSeats=4)
    before = system.get("/api/v1/stats").json
    for worker in workers:
        with answered_by(worker):
            assert system.buy(2, event_id=event).status == 200
            assert [system.buy(5, event_id=event).json["code"] for _ in range(3)] == ["SOLD_OUT"] * 3
    for worker in workers:
        with answered_by(worker):
            after = system.get("/api/v1/stats").json
        assert after["successPurchases"] == before["successPurchases"] + 2
        assert after["failedPurchases"] == before["failedPurchases"] + 6
        assert after["totalRequests"] == after["successPurchases"] + after["failedPurchases"]
        assert after["p95Latency"] > 0


def test_both_forms_say_the_same(system: System) -> None:
    text = system.get("/metrics", {"Accept": "text/plain"}).body.decode()
    counts = re.findall(r"^seating_http_requests_total{.*} ([\d.e+]+)$", text, re.MULTILINE)
    # The text does not count the request for itself.
    assert sum(map(float, counts)) + 1 == system.get("/metrics").json["totalRequests"]


def test_addresses_from_outside_make_no_series(system: System) -> None:
    """What clients make up must not fill the metrics: unknown addresses and methods are counted as one."""
    for _ in range(3):
        name = uuid.uuid4().hex
        exchange(system, get(f"/{name}", method="BREW"))
        system.get(f"/api/v1/events/{name}")
        assert name not in system.get("/metrics", {"Accept": "text/plain"}).body.decode()
    text = system.get("/metrics", {"Accept": "text/plain"}).body.decode()
    assert 'seating_http_requests_total{method="any",route="unknown",status="404"}' in text


def test_a_process_that_was_killed_when_it_began_hides_no_figures(system: System) -> None:
    """It leaves a file without a byte in it."""
    left = [system.folder / "metrics" / f"{kind}_0.db" for kind in ("counter", "histogram", "gauge_livesum")]
    for path in left:
        path.touch()
    try:
        for path in ("/metrics", "/api/v1/stats"):
            assert system.get(path).status == 200
        assert b"seating_http_requests_total" in system.get("/metrics", {"Accept": "text/plain"}).body
    finally:
        for path in left:
            path.unlink()


def outcomes(system: System, kind: str) -> dict[str, tuple[float, float]]:
    """How many requests ended with each outcome, and how many of them were timed."""
    text = system.get("/metrics", {"Accept": "text/plain"}).body.decode()
    counted = re.findall(rf'^seating_{kind}s_total{{outcome="(\w+)"}} (\S+)$', text, re.MULTILINE)
    timed = re.findall(rf'^seating_{kind}_seconds_count{{outcome="(\w+)"}} (\S+)$', text, re.MULTILINE)
    times = {outcome: float(count) for outcome, count in timed}
    return {outcome: (float(count), times.get(outcome, 0.0)) for outcome, count in counted}


def grown(before: dict[str, tuple[float, float]], after: dict[str, tuple[float, float]]) -> dict[str, tuple[int, int]]:
    return {
        outcome: (int(count - before.get(outcome, (0, 0))[0]), int(timed - before.get(outcome, (0, 0))[1]))
        for outcome, (count, timed) in after.items()
        if (count, timed) != before.get(outcome)
    }


def test_purchases_are_counted_and_timed_by_outcome(system: System) -> None:
    """But for the time of those who wait for SQL: they want to."""
    event = system.create_event(totalSeats=4)
    before = outcomes(system, "purchase")
    key = str(uuid.uuid4())
    assert system.buy(1, key, event).status == system.buy(1, key, event).status == 200
    assert system.buy(1, event_id=event, Prefer="wait=5").status == 200
    assert system.buy(5, event_id=event).status == 409
    assert system.buy(1, "short", event).status == 400
    assert grown(before, outcomes(system, "purchase")) == {
        "sold": (2, 1),
        "replayed": (1, 1),
        "sold_out": (1, 1),
        "invalid_idempotency_key": (1, 1),
    }


def test_holds_are_counted_and_timed_by_outcome(system: System) -> None:
    event = system.create_event(seatingPlan={"generate": {"sections": 1, "rows": 1, "seatsPerRow": 4}})
    path = f"/api/v1/events/{event}/holds"
    before = outcomes(system, "hold")
    headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
    held = [system.request("POST", path, b'{"quantity": 2}', headers).json["holdToken"] for _ in range(2)]
    hold = f"{path}/{held[0]}"
    json = {"Content-Type": "application/json"}
    assert system.request("PATCH", hold, b'{"add": ["sec-1-row-A-seat-4"]}', json).status == 200
    assert system.request("PATCH", hold).status == 200
    assert system.request("POST", path, b'{"quantity": 4}', json).status == 409
    assert system.request("DELETE", hold).status == 204
    assert system.request("DELETE", hold).status == 409
    outcome = ("held", "replayed", "changed", "extended", "sold_out", "released", "hold_expired")
    assert grown(before, outcomes(system, "hold")) == dict.fromkeys(outcome, (1, 1))
