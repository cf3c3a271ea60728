"""What operators decide while persistence records or a sender pauses: one waits, and Postgres sees no deadlock."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection, text, update
from structlog.testing import capture_logs

from seating.domain.change_json import change_json
from seating.domain.changes import Purchased
from seating.domain.errors import RecordUnavailable
from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.domain.seating_plan import GeneratedPlan, generate
from seating.domain.webhook import Webhook
from seating.services import webhook_sender
from seating.services.webhooks import Webhooks
from seating.storage import answered, erasure, watermarks, webhook_cursors, webhooks
from seating.storage.answered import ConfirmedRange
from seating.storage.database import Database
from seating.storage.quarantine import FORK, LOST, QuarantinedEntry, put_aside
from seating.storage.tables import quarantine
from tests.books.test_cancel import poison
from tests.one_process import OPERATOR, OneProcess
from tests.servers import wait_until
from tests.webhooks.endpoint import new_sender, tick_for

_PLAN = generate(GeneratedPlan(sections=1, rows=2, seatsPerRow=6))
_PURCHASE = change_json(Purchased(5_000, 2, 4, [], "0123456789abcdef", "hash", "print", 1, None))

_Situation = tuple[str, Callable[[OneProcess], object]]

pytestmark = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)


def _replay(sale: OneProcess) -> _Situation:
    event = sale.open(plan=_PLAN)
    receipt = sale.buy(event, "aside")
    poison(sale, event, _PLAN.seats_of(receipt.runs)[0])
    sale.persist(event)
    sale.database.write(lambda c: c.execute(text("DELETE FROM sold_seats WHERE purchase_id LIKE '%.1-999.%'")))
    return event, lambda operator: operator.quarantine.replay(event, str(receipt.id.position), OPERATOR)


def _cancel_fork(sale: OneProcess) -> _Situation:
    event = sale.open(10)
    fork = LogEntry(Position(1, 5), _PURCHASE, "5" * 40)
    sale.database.write(put_aside, [QuarantinedEntry(event, fork, FORK, "it was lost", None)])
    return event, lambda operator: operator.quarantine.cancel(event, "1-5", OPERATOR)


def _settle(sale: OneProcess) -> _Situation:
    event = sale.open(10)
    receipt = LogEntry(Position(7, 3), _PURCHASE, "7" * 40)
    sale.database.write(put_aside, [QuarantinedEntry(event, receipt, LOST, "it was lost", None)])
    sale.database.write(answered.remember, {(event, 7): ConfirmedRange(3, 4)})
    return event, lambda operator: operator.losses.settle(event, 7, OPERATOR)


def somebody_waits(onlooker: Database) -> bool:
    query = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    return bool(onlooker.read(lambda connection: connection.execute(query).scalar()))


def _errors(sale: OneProcess, event: str, decide: Callable[[OneProcess], object]) -> list[BaseException]:
    """Begin as persistence does, let an operator decide meanwhile, and go on to quarantine as persistence does."""
    persistence, onlooker = (Database(sale.database.url) for _ in range(2))
    errors: list[BaseException] = []

    with ThreadPoolExecutor() as threads:

        def record(connection: Connection) -> None:
            mark = watermarks.read(connection, event)
            assert mark
            assert watermarks.advance(connection, event, mark, mark)
            decided.append(threads.submit(lambda: decide(sale.another())))
            wait_until(lambda: somebody_waits(onlooker))
            connection.execute(update(quarantine).where(quarantine.c.event_id == event).values(error="it was seen"))

        decided = []
        try:
            persistence.write(record)
        except RecordUnavailable as error:
            errors.append(error)
        found = decided[0].exception()
    return errors + ([found] if found else [])


@pytest.mark.parametrize("situation", [_replay, _cancel_fork, _settle])
def test_no_deadlock(sale: OneProcess, situation: Callable[[OneProcess], _Situation]) -> None:
    assert _errors(sale, *situation(sale)) == []


def test_a_deadlock_without_the_lock(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seating.services.quarantine.watermarks", SimpleNamespace(lock=lambda *_: 0))
    (error,) = _errors(sale, *_replay(sale))
    assert "deadlock detected" in str(error.__cause__)


_DECISIONS: dict[str, Callable[[Database, Webhook], object]] = {
    "remove": lambda database, webhook: Webhooks(database).remove(webhook.id, OPERATOR),
    "pause": lambda database, webhook: Webhooks(database).pause(webhook.id, OPERATOR),
    "resume": lambda database, webhook: Webhooks(database).resume(webhook.id, OPERATOR),
    "delete its event": lambda database, webhook: database.write(erasure.delete_event, webhook.event_id),
}


def _pause_interrupted(sale: OneProcess, monkeypatch: pytest.MonkeyPatch, before: str, decision: str) -> list[str]:
    """Let an operator decide while a sender pauses an endpoint, before it does that step; return what fails."""
    event = sale.open(10)
    sale.persist(event)
    # Nobody listens there.
    webhook = Webhooks(sale.database).add("http://127.0.0.1:1/", event, [], OPERATOR, allow_private=True)
    sale.buy(event, "k")
    sale.persist(event)
    operator, onlooker = (Database(sale.database.url) for _ in range(2))
    module = webhook_cursors if before == "move" else webhook_sender.webhooks
    step, decided = getattr(module, before), []

    with ThreadPoolExecutor() as threads, capture_logs() as lines:

        def interrupted(*args: Any) -> Any:
            monkeypatch.setattr(module, before, step)
            decided.append(threads.submit(_DECISIONS[decision], operator, webhook))
            wait_until(lambda: somebody_waits(onlooker))
            return step(*args)

        monkeypatch.setattr(module, before, interrupted)
        tick_for(new_sender(sale.database, retry_s=0), lambda: decided and decided[0].done())
    found = decided[0].exception()
    failures = [line["error"] for line in lines if line["event"] == "webhook interrupted"]
    return [*failures, str(found.__cause__ or found)] if found else failures


@pytest.mark.parametrize("before", ["move", "pause"])
@pytest.mark.parametrize("decision", _DECISIONS)
def test_no_deadlock_with_a_sender(
    sale: OneProcess, monkeypatch: pytest.MonkeyPatch, before: str, decision: str
) -> None:
    assert _pause_interrupted(sale, monkeypatch, before, decision) == []


def test_a_deadlock_with_a_sender_without_the_lock(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    lockless = SimpleNamespace(**vars(webhooks) | {"lock": lambda *_: None})
    monkeypatch.setattr(webhook_sender, "webhooks", lockless)
    (error,) = _pause_interrupted(sale, monkeypatch, "pause", "remove")
    assert "deadlock detected" in error
