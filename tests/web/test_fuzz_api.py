"""Every operation of the OpenAPI document, asked by Schemathesis with an operator's key; then the books are right."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.catalogue.stand_in import StandIn
from tests.servers import RedisServer
from tests.system import System

REQUESTS = int(os.environ.get("SEATING_FUZZ_REQUESTS", "0"))
"""About how many; 0 for as many as 15 s allow."""

TOKEN = "an-operator-of-these-requests-alone"
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
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


@pytest.mark.timeout(max(180, REQUESTS))
def test_answers_are_as_declared_and_the_books_are_right(own_system: System, tmp_path: Path) -> None:
    extent = ["--max-examples", str(REQUESTS // 42)] if REQUESTS else ["--max-time", "15"]
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            *("--config-file", str(CONFIGURATION)),
            *("run", f"http://127.0.0.1:{own_system.port}/openapi.json"),
            *("--header", f"Authorization: Bearer {TOKEN}"),
            *("--checks", ",".join(CHECKS)),
            *("--seed", "1", "--no-color"),
            *extent,
        ],
        cwd=tmp_path,
        env=own_system.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert own_system.get("/api/v1/stats").json["successPurchases"] > 0
    own_system.wait_recorded()
    own_system.command("reconcile")
    own_system.command("verify", "demo")
