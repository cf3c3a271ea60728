"""All operations of the OpenAPI document, asked by Schemathesis with an operator's key; then the books are right."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.catalogue.stand_in import StandIn
from tests.servers import RedisServer
from tests.system import System
from tests.web.mixed_requests import ask, recorded

REQUESTS = int(os.environ.get("SEATING_FUZZ_REQUESTS", "0"))
"""About how many; 0 for as many as 10 s allow."""

GENERATED = REQUESTS // 40
"""Of these, Schemathesis makes one in forty. The others are made of parts of its own."""

FUZZERS = (os.cpu_count() or 1) if REQUESTS else 1
"""How many ask at once, each by its own seed: a request takes six times as much CPU time to make as to answer."""

OPERATIONS = 48
COUNTED = re.compile(rb"^seating_http_requests_total{.*} (\d+)", re.MULTILINE)
TOKEN = "an-operator-of-these-requests-alone"
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
HAR = "requests.har"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "missing_required_header",
)


@pytest.fixture
def own_system(tmp_path: Path, own_redis: RedisServer) -> Iterator[System]:
    partner = StandIn(tmp_path / "partner")
    limits = ("users", "sale", "shops", "holds", "wrong_keys")
    running = System(
        tmp_path / "data",
        own_redis,
        f"sqlite:///{tmp_path / 'seating.db'}",
        ADMIN_TOKEN=TOKEN,
        EVENT_API_BASE_URL=partner.url,
        **{f"RATE_LIMIT_{name.upper()}": "off" for name in limits},
    )
    try:
        yield running.start()
    finally:
        running.stop()
        partner.stop()


def _start(system: System, folder: Path, seed: int) -> tuple["subprocess.Popen[bytes]", Path]:
    """Return a running Schemathesis, and where it writes what it finds."""
    folder.mkdir()
    log = folder / "log"
    extent = ["--max-examples", str(GENERATED // FUZZERS // OPERATIONS)] if REQUESTS else ["--max-time", "10"]
    if seed > 1:  # The other phases make the same requests by every seed.
        extent += ["--phases", "fuzzing,stateful"]
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        *("--config-file", str(CONFIGURATION)),
        *("run", f"http://127.0.0.1:{system.port}/openapi.json"),
        *("--header", f"Authorization: Bearer {TOKEN}"),
        *("--checks", ",".join(CHECKS)),
        *("--report", "har", "--report-har-path", str(folder / HAR), "--report-preserve-bytes"),
        *("--seed", str(seed), "--no-color"),
        *extent,
    ]
    with log.open("wb") as output:
        return subprocess.Popen(command, cwd=folder, env=system.environment, stdout=output, stderr=output), log


@pytest.mark.timeout(max(180, REQUESTS))
def test_answers_are_as_declared_and_the_books_are_right(own_system: System, tmp_path: Path) -> None:
    begun = time.monotonic()
    fuzzers = [_start(own_system, tmp_path / f"fuzzer-{seed}", seed) for seed in range(1, FUZZERS + 1)]
    try:
        statuses = [process.wait() for process, _ in fuzzers]
    finally:
        for process, _ in fuzzers:
            process.kill()
    assert not any(statuses), "\n".join(log.read_text() for _, log in fuzzers)
    requests = [request for seed in range(1, FUZZERS + 1) for request in recorded(tmp_path / f"fuzzer-{seed}" / HAR)]
    count = REQUESTS - GENERATED if REQUESTS else 2000
    answers = ask(own_system.port, TOKEN, requests, count)
    assert answers.total() > count / 2
    print(answers)
    answered = own_system.get("/metrics", {"Accept": "text/plain"}).body
    print(sum(map(int, COUNTED.findall(answered))), "requests in", round(time.monotonic() - begun), "s")
    assert own_system.get("/api/v1/stats").json["successPurchases"] > 0
    own_system.wait_recorded()
    own_system.command("reconcile")
    own_system.command("verify", "demo")
