"""One trace from a request to Redis, links from there to recording, and an exporter that delays nobody."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest

from seating.domain.caller import Role
from seating.redis_store import keys
from seating.storage.api_keys import ApiKeys
from seating.storage.tables import ledger, quarantine
from seating.telemetry import tracing
from tests.books import rows
from tests.doors import TOKEN, bearer
from tests.servers import wait_until
from tests.system import PROJECT, System, clean_environment, running_system
from tests.telemetry.collector import Collector

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
BUY = "/api/v1/events/<event_id>/purchases"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    collecting = Collector()
    yield collecting
    collecting.stop()


@pytest.fixture(scope="module")
def traced(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """With traces, and a partner that keeps the headers."""
    folder = tmp_path_factory.mktemp("traced")
    settings = {
        "ADMIN_TOKEN": TOKEN,
        "EVENT_API_BASE_URL": collector.url,
        "LOG_DIR": str(folder / "logs"),
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
    }
    with running_system(folder, **settings) as running:
        yield running


@pytest.fixture(scope="module")
def event(traced: System) -> str:
    return _create_event(traced)


def _create_event(traced: System) -> str:
    body = b'{"name":"Test","totalSeats":1000}'
    headers = {"Content-Type": "application/json", **bearer(TOKEN)}
    event_id: str = traced.request("POST", "/api/v1/events", body, headers).json["id"]
    return event_id


def _entry(system: System, event_id: str, position: str) -> dict[bytes, bytes]:
    ((_, fields),) = system.redis.client().xrange(keys.log(event_id), position, position)
    return dict(fields)


def test_a_purchase_is_one_trace_and_its_recording_links_to_it(
    traced: System, collector: Collector, event: str
) -> None:
    bought = traced.buy(1, event_id=event, traceparent=TRACEPARENT, tracestate="shop=a1")
    assert bought.status == 200
    version, trace, span, flags = bought.headers["traceresponse"].split("-")
    assert (version, trace, flags) == ("00", TRACE, "01")
    wait_until(lambda: collector.named(f"POST {BUY}", TRACE), what="the request's span")
    wait_until(
        lambda: any(link[0] == TRACE for one in collector.named("record entries") for link in one.links),
        what="the batch's span",
    )
    (request,) = collector.named(f"POST {BUY}", TRACE)
    assert (request.service, request.span, request.parent, request.failed) == ("seating-web", span, PARENT, False)
    assert request.facts["http.response.status_code"] == 200
    assert request.facts["seating.event_id"] == event
    assert request.facts["seating.purchase_id"] == bought.json["purchaseId"]
    (script,) = collector.named("redis purchase", TRACE)
    assert script.parent == request.span
    fields = _entry(traced, event, bought.json["position"])
    assert list(fields) == [b"change", b"link", b"traceparent"]
    assert fields[b"traceparent"].decode() == f"00-{TRACE}-{script.span}-01"
    (batch,) = [one for one in collector.named("record entries") if (TRACE, script.span) in one.links]
    assert (batch.service, batch.parent) == ("seating-worker", "")
    assert batch.trace != TRACE
    (write,) = collector.named("sql write", batch.trace)
    assert write.parent == batch.span
    traced.command("verify", event)
    log = (traced.folder / "web.log").read_text()
    (line,) = [line for line in log.splitlines() if bought.json["purchaseId"] in line]
    assert f'"trace_id":"{TRACE}"' in line


def test_a_batch_links_to_all_that_it_records(traced: System, collector: Collector, event: str) -> None:
    """Their own spans' default would be 128."""
    sent = [f"00-{number:032x}-{PARENT}-01" for number in range(1, 201)]
    traced.parts["worker"].process.send_signal(19)
    try:
        bought = [gevent.spawn(traced.buy, 1, event_id=event, traceparent=traceparent) for traceparent in sent]
        gevent.joinall(bought, timeout=60)
        assert {one.get().status for one in bought} == {200}
    finally:
        traced.parts["worker"].process.send_signal(18)
    wanted = {traceparent.split("-")[1] for traceparent in sent}
    wait_until(lambda: any({link[0] for link in one.links} >= wanted for one in collector.named("record entries")))


def test_a_trace_that_is_not_recorded_leaves_nothing(traced: System, collector: Collector, event: str) -> None:
    bought = traced.buy(1, event_id=event, traceparent=f"00-{'ab' * 16}-{PARENT}-00")
    assert bought.headers["traceresponse"].startswith(f"00-{'ab' * 16}-")
    assert bought.headers["traceresponse"].endswith("-00")
    assert list(_entry(traced, event, bought.json["position"])) == [b"change", b"link"]
    later = traced.buy(1, event_id=event)
    trace = later.headers["traceresponse"].split("-")[1]
    wait_until(lambda: collector.named(f"POST {BUY}", trace), what="the span of a later request")
    assert [span for span in collector.spans if span.trace == "ab" * 16] == []


@pytest.mark.parametrize("header", ["", "00-" + "0" * 32 + f"-{PARENT}-01", f"ff-{TRACE}-{PARENT}-01", "x" * 2000])
def test_a_wrong_context_begins_a_new_trace(traced: System, header: str) -> None:
    found = traced.get("/api/v1/event", {"traceparent": header, "tracestate": "\t, =" * 400})
    assert found.headers["traceresponse"].split("-")[1] not in (TRACE, "0" * 32)
    assert "tracestate" not in (traced.folder / "web.log").read_text()


def test_calls_to_the_partner_carry_the_trace_on(traced: System, collector: Collector) -> None:
    collector.partner_headers.clear()
    answer = traced.get("/getEventsByUserId/1", {"traceparent": TRACEPARENT, "tracestate": "shop=a1"})
    assert answer.status == 200, answer.body
    assert len(collector.partner_headers) == 3
    assert {sent["HTTP_TRACESTATE"] for sent in collector.partner_headers} == {"shop=a1"}
    spans = {sent["HTTP_TRACEPARENT"].split("-")[2] for sent in collector.partner_headers}
    assert {sent["HTTP_TRACEPARENT"].split("-")[1] for sent in collector.partner_headers} == {TRACE}
    calls = ("partner GET /getUserById", "partner GET /getEventById")
    wait_until(lambda: spans <= {seen.span for call in calls for seen in collector.named(call, TRACE)})
    assert {seen.facts["seating.operation"] for call in calls for seen in collector.named(call, TRACE)} == {
        "GET /getUserById",
        "GET /getEventById",
    }


def test_personal_data_and_a_trace_stand_side_by_side(traced: System, event: str) -> None:
    key = ApiKeys(traced.folder / "api-keys").add("shop", Role.SELL, "2026-01-01T00:00:00Z")
    body = b'{"quantity":1,"reference":"R-17","buyer":"ada"}'
    headers = {"Content-Type": "application/json", "Idempotency-Key": "a-shop", "traceparent": TRACEPARENT}
    bought = traced.request("POST", f"/api/v1/events/{event}/purchases", body, headers | bearer(key))
    assert bought.status == 200, bought.body
    assert list(_entry(traced, event, bought.json["position"])) == [b"change", b"link", b"private", b"traceparent"]
    path = f"/api/v1/purchases/{bought.json['purchaseId']}"
    wait_until(lambda: traced.get(path).json["state"] == "persisted", what="the purchase in SQL")
    assert traced.get(path, bearer(key)).json["reference"] == "R-17"
    assert rows(traced, quarantine, event) == []


def test_an_error_of_a_part_is_in_the_file_with_its_trace(traced: System) -> None:
    event = _create_event(traced)
    wait_until(lambda: len(rows(traced, ledger, event)) == 2, what="the event on record")
    traced.redis.client().hset(keys.inventory(event), "chain", "0" * 40)
    bought = traced.buy(1, event_id=event, traceparent=TRACEPARENT).json["purchaseId"]
    wait_until(lambda: traced.get(f"/api/v1/purchases/{bought}").json["state"] == "persisted", what="the rebuild")
    errors = [json.loads(line) for line in (traced.folder.parent / "logs" / "errors.log").read_text().splitlines()]
    (line,) = [line for line in errors if line["event"] == "log does not continue the ledger"]
    assert line["event_id"] == event
    assert "continuation" in line["exception"]
    log = (traced.folder / "worker.log").read_text()
    (replayed,) = [line for line in map(json.loads, log.splitlines()) if line["event"] == "purchases replayed"]
    assert replayed["purchases"] == [bought]


def test_a_receiver_that_hangs_delays_nobody(traced: System, collector: Collector, event: str) -> None:
    collector.hangs = True
    started = time.monotonic()
    assert {traced.buy(1, event_id=event).status for _ in range(200)} == {200}
    assert time.monotonic() - started < 20
    started = time.monotonic()
    assert [part.stop() for part in traced.parts.values()] == [0, 0, 0]
    assert time.monotonic() - started < 25
    log = (traced.folder / "web.log").read_text()
    assert "Traceback" not in log


def test_without_traces_entries_and_responses_have_no_more_than_before(system: System) -> None:
    bought = system.buy(1, event_id=system.create_event(totalSeats=5), traceparent=TRACEPARENT)
    assert "traceresponse" not in bought.headers
    fields = _entry(system, bought.json["eventId"], bought.json["position"])
    assert list(fields) == [b"change", b"link"]


def test_without_traces_their_exporter_is_not_even_imported(tmp_path: Path) -> None:
    """Redis's client imports a part of OpenTelemetry by itself, wherever it is installed."""
    wanted = ("seating.telemetry.otlp", "opentelemetry.exporter", "opentelemetry.sdk.trace.export")
    code = f"import sys, wsgi, workers.rq_worker; sys.exit(any(name in sys.modules for name in {wanted}))"
    environment = clean_environment() | {"SEATING_DATA_DIR": str(tmp_path), "REDIS_URL": "unix:///nowhere"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, env=environment, timeout=60, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_without_traces_a_request_pays_next_to_nothing() -> None:
    """In CPU time of this thread, beside one line of the log. A request writes such a line, and much else."""

    def least_s(act: Callable[[], object]) -> float:
        def turn_s() -> float:
            began_s = time.thread_time()
            for _ in range(2000):
                act()
            return time.thread_time() - began_s

        return min(turn_s() for _ in range(5))

    def request() -> None:
        with tracing.request(None, None) as span, tracing.call("redis", "purchase"):
            span.respond("POST", BUY, 200, {})

    line = {"event": "request", "route": BUY, "status": 200, "ms": 1.25, "request_id": "0123456789abcdef"}
    assert least_s(request) < least_s(lambda: json.dumps(line))


def test_a_missing_extra_is_one_line_at_the_start(tmp_path: Path) -> None:
    settings = {
        "SEATING_DATA_DIR": str(tmp_path),
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318",
        "PYTHONPATH": str(PROJECT / "tests" / "without_opentelemetry"),
    }
    command = [sys.executable, "-m", "seating", "web"]
    done = subprocess.run(
        command, cwd=tmp_path, env=clean_environment() | settings, capture_output=True, text=True, timeout=60
    )
    line = "seating: OTEL_EXPORTER_OTLP_ENDPOINT: traces need more packages: pip install 'seating[tracing]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)
