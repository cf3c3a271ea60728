"""A client that a generator makes of the OpenAPI document buys seats."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.system import System

PROGRAMS = Path(sys.executable).parent
PACKAGE = "generated_seating_client"


@pytest.fixture
def generated(system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Imports a module of the generated package by its name."""
    done = subprocess.run(
        [
            *(str(PROGRAMS / "openapi-python-client"), "generate", "--meta", "none", "--fail-on-warning"),
            *("--url", f"http://127.0.0.1:{system.port}/openapi.json", "--output-path", str(tmp_path / PACKAGE)),
        ],
        env={**os.environ, "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"},  # It formats with ruff.
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda name: import_module(f"{PACKAGE}.{name}" if name else PACKAGE)
    for name in [name for name in sys.modules if name.startswith(PACKAGE)]:
        del sys.modules[name]


def test_it_buys_a_seat(system: System, generated: Any) -> None:
    event = system.create_event(seatingPlan={"generate": {"sections": 1, "rows": 1, "seatsPerRow": 2}})
    models, buy_seats = generated("models"), generated("api.purchases.buy_seats")
    body, key = models.EventPurchase(seats=["sec-1-row-A-seat-1"]), str(uuid.uuid4())

    with generated("").Client(base_url=f"http://127.0.0.1:{system.port}", raise_on_unexpected_status=True) as client:
        bought = buy_seats.sync(event, client=client, body=body, idempotency_key=key)
        again = buy_seats.sync_detailed(event, client=client, body=body, idempotency_key=key)
        refused = buy_seats.sync(event, client=client, body=body, idempotency_key=str(uuid.uuid4()))
        view = generated("api.purchases.get_purchase").sync(bought.purchase_id, client=client)
        events = generated("api.events.list_events").sync(client=client, limit=1)
        with pytest.raises(TypeError, match="idempotency_key"):
            buy_seats.sync(event, client=client, body=body)

    assert isinstance(bought, models.PurchaseAnswer)
    assert (bought.seats, bought.seats_remaining) == (["sec-1-row-A-seat-1"], 1)
    assert again.parsed == bought
    assert again.headers["Idempotent-Replayed"] == "true"
    assert isinstance(refused, models.Problem)
    assert (refused.status, refused.code) == (409, models.ErrorCode.SEAT_UNAVAILABLE)
    assert refused["seats"] == ["sec-1-row-A-seat-1"]
    assert isinstance(view, models.PurchaseView)
    assert view.purchase_id == bought.purchase_id
    assert len(events.events) == 1
    assert isinstance(events.next_, str)
