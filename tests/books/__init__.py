"""What the proofs of the books share: commands, losses, and what must hold after every one of them."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Table, select

from seating.storage.database import Database
from seating.storage.tables import ledger, sold_seats
from tests.crowd import at_once, new_keys
from tests.servers import wait_until
from tests.system import PROJECT, Answer, Client, System


class Said(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    error: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def seating(system: System, *words: str) -> Said:
    """Runs `seating <words>` to its end; buyers who are greenlets go on meanwhile."""
    out, error = (system.folder / f"command.{name}" for name in ("out", "error"))
    with out.open("wb") as to_out, error.open("wb") as to_error:
        command = [sys.executable, "-m", "seating", *words]
        process = subprocess.Popen(command, cwd=PROJECT, env=system.environment, stdout=to_out, stderr=to_error)
        wait_until(lambda: process.poll() is not None, 60, f"seating {' '.join(words)} to end")
    return Said(process.returncode, out.read_text(), error.read_text())


def assert_books_right(system: System, event_id: str) -> None:
    """By the operator's own commands."""
    assert seating(system, "reconcile", event_id) == (0, "the books are right\n", "")
    verified = seating(system, "verify", event_id)
    assert verified.status == 0, verified


def buy_each(client: Client, keys: Iterable[str], event_id: str | None = None) -> dict[str, Answer]:
    """A purchase for each key, all at once; every one of them succeeds."""
    keys = list(keys)
    answers = dict(zip(keys, at_once(client, keys, event_id=event_id), strict=True))
    assert Counter(answer.status for answer in answers.values()) == {200: len(keys)}, answers
    return answers


def buy_some(client: Client, count: int, event_id: str | None = None) -> dict[str, Answer]:
    return buy_each(client, new_keys(count), event_id)


def buy_recorded(client: Client, count: int, event_id: str | None = None) -> dict[str, Answer]:
    """Purchases whose buyers waited until SQL had them."""
    bought = {}
    for key in new_keys(count):
        bought[key] = client.buy(1, key, event_id, Prefer="wait=30")
        assert bought[key].headers.get("Preference-Applied") == "wait", bought[key]
    return bought


def assert_replayed(client: Client, bought: Mapping[str, Answer], event_id: str | None = None) -> None:
    """Every repetition gets the bytes of the first answer."""
    for key, first in bought.items():
        again = client.buy(1, key, event_id)
        assert (again.status, again.body) == (200, first.body)
        assert again.headers["Idempotent-Replayed"] == "true"


def seconds_closed(client: Client, event_id: str | None = None) -> float:
    """How long purchases are refused from now on; refused as they should be."""
    began = time.monotonic()
    while (answer := client.buy(1, event_id=event_id)).status != 200:
        assert (answer.status, answer.json["code"]) == (503, "INVENTORY_UNAVAILABLE"), answer
        assert int(answer.headers["Retry-After"]) > 0
        assert time.monotonic() - began < 60, "the sale does not begin again"
        time.sleep(0.02)
    return time.monotonic() - began


def positions(answers: Iterable[Answer]) -> list[str]:
    """In the order of the log."""
    return sorted((answer.json["position"] for answer in answers), key=lambda text: int(text.partition("-")[2]))


def rows(system: System, table: Table, event_id: str) -> list[Any]:
    database = Database(system.database_url)
    try:
        return list(
            database.read(
                lambda connection: connection.execute(select(table).where(table.c.event_id == event_id)).all()
            )
        )
    finally:
        database.close()


def recorded_positions(system: System, event_id: str) -> list[str]:
    """Every entry of the ledger, by its position."""
    return [f"{row.epoch}-{row.seq}" for row in sorted(rows(system, ledger, event_id), key=lambda row: row.seq)]


def assert_each_seat_once(system: System, event_id: str, answers: Iterable[Answer]) -> None:
    """`answers` are all purchases of the event that stand: nobody shares a seat, and SQL has exactly theirs."""
    owners = [(seat, answer.json["purchaseId"]) for answer in answers for seat in answer.json["seats"]]
    assert len({seat for seat, _ in owners}) == len(owners)
    assert sorted((row.seat_id, row.purchase_id) for row in rows(system, sold_seats, event_id)) == sorted(owners)
