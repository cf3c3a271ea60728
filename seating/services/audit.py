"""Operators' acts: list them, and record those that no other transaction records."""

import time
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from seating.domain.actor import Actor
from seating.domain.audit import Act, Action
from seating.domain.errors import RecordUnavailable
from seating.domain.page import Page, first_of
from seating.storage import audit
from seating.storage.audit import RecordedAct
from seating.storage.database import Database
from seating.storage.replica import LaggingReads

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Audit:
    """Acts that change an inventory are recorded with their log entries (`seating/storage/ledger.py`), not here."""

    database: Database
    reads: LaggingReads

    def page(
        self, below_id: int | None, count: int, event_id: str | None = None, actor: str | None = None
    ) -> Page[RecordedAct, int]:
        """Return at most `count` acts, newest first, optionally of one event or actor. Raises RecordUnavailable."""
        rows = self.reads.read(audit.page, below_id, count + 1, event_id, actor)
        return first_of(rows, count, lambda row: row.id)

    def note(self, act: Act) -> None:
        """Record a completed act that did not touch SQL. If SQL is unavailable, log it instead."""
        try:
            self.database.write(audit.add, [act])
        except (RecordUnavailable, SQLAlchemyError) as error:
            _log.error("act not recorded", **_described(act), error=str(error.__cause__ or error))


def act_now(
    by: Actor,
    action: Action,
    event_id: str | None = None,
    target: str | None = None,
    before: str | None = None,
    after: str | None = None,
) -> Act:
    """Return an act that happens now and makes no log entry."""
    return Act(time.time_ns() // 1_000_000, by, action, event_id, target, before, after)


def _described(act: Act) -> dict[str, object]:
    """Return the act's set fields for a log line, with the event under its usual name."""
    said = {"actor": act.actor.name, "address": act.actor.address, "request_id": act.actor.request_id}
    said |= {"why": act.actor.why, "action": act.action, "event_id": act.event_id, "target": act.target}
    said |= {"before": act.before, "after": act.after}
    return {"at_ms": act.at_ms} | {name: value for name, value in said.items() if value is not None}
