"""What the proofs of the books share: commands, losses, and what must hold after every one of them."""

import json
import os
import signal
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest
import structlog
from click.testing import CliRunner
from sqlalchemy import Table, select, text

from seating.cli.main import main
from seating.storage.database import Database
from seating.storage.tables import ledger, sold_seats
from tests.crowd import at_once, new_keys
from tests.servers import RedisServer
from tests.system import Answer, Client, System


class Said(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    error: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def seating(system: System, *words: str, given: str = "") -> Said:
    """Run `seating <words>`, with `given` as standard input.

    In this process: a command takes much longer to start than to run.
    """
    return command(system.environment, *words, given=given)


def command(environment: Mapping[str, str], *words: str, given: str = "") -> Said:
    """Run `seating <words>` with this environment and no other."""
    logging, configure = structlog.get_config(), structlog.configure

    def configure_for_now(**options: Any) -> None:
        configure(**options | {"cache_logger_on_first_use": False})

    patches = ExitStack()
    try:
        with patches, CliRunner().isolation(given) as (out, error, _):
            patches.enter_context(patch.dict(os.environ, environment, clear=True))
            patches.enter_context(patch("sys.argv", ["seating", *words]))
            patches.enter_context(patch("structlog.configure", configure_for_now))
            with pytest.raises(SystemExit) as ended:
                main()
            sys.stdout.flush()
            return Said(int(ended.value.code or 0), out.getvalue().decode(), error.getvalue().decode())
    finally:
        structlog.configure(**logging)


def assert_books_right(system: System, event_id: str) -> None:
    """By the operator's own commands."""
    reconciled = seating(system, "reconcile", event_id)
    assert reconciled == (0, "the books are right\n", ""), reconciled
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


def order(client: Client, event_id: str, key: str, **body: object) -> Answer:
    """A purchase with any body."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    return client.request("POST", f"/api/v1/events/{event_id}/purchases", json.dumps(body).encode(), headers)


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
        assert (again.status, again.body) == (200, first.body), again
        assert again.headers["Idempotent-Replayed"] == "true"


class Reopened(NamedTuple):
    """The first purchase after a sale stood still, and for how long it did."""

    after_s: float
    answer: Answer


def reopened(client: Client, event_id: str | None = None) -> Reopened:
    """Asks for a seat, as a buyer would, until there is one; refused meanwhile as one should be."""
    began, key = time.monotonic(), str(uuid.uuid4())
    while (answer := client.buy(1, key, event_id)).status != 200:
        assert (answer.status, answer.json["code"]) == (503, "INVENTORY_UNAVAILABLE"), answer
        assert int(answer.headers["Retry-After"]) > 0
        assert time.monotonic() - began < 60, "the sale does not begin again"
        time.sleep(0.02)
    return Reopened(time.monotonic() - began, answer)


def positions(answers: Iterable[Answer]) -> list[str]:
    """In the order of the log."""
    return sorted((answer.json["position"] for answer in answers), key=seq_of)


def seq_of(position: str) -> int:
    return int(position.partition("-")[2])


def term_of(answer: Answer) -> int:
    """The epoch of a purchase's position."""
    return int(answer.json["position"].partition("-")[0])


@contextmanager
def suspended(system: System, part: str) -> Iterator[None]:
    """SIGSTOP, and SIGCONT at the end."""
    process = system.parts[part].process
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def waiting_for_sql(redis: RedisServer) -> int:
    """How many have said nothing to Redis since they read a log: persistence, which goes on to SQL."""
    return sum(client["cmd"] == "xrange" for client in redis.client().client_list())


@contextmanager
def locked_sql(system: System) -> Iterator[None]:
    """Whoever has read a log waits before it writes."""
    database = Database(system.database_url)
    with database.engine.begin() as connection:  # In SQLite that is the lock already.
        if connection.dialect.name == "postgresql":
            connection.execute(text("LOCK TABLE watermarks IN EXCLUSIVE MODE"))
        yield
    database.close()


def has_said(system: System, part: str, **line: object) -> bool:
    """Whether a part has logged such a line."""
    lines = (system.folder / f"{part}.log").read_text().splitlines()
    return any(line.items() <= json.loads(said).items() for said in lines if said.startswith("{"))


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
