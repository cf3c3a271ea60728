"""Write batches of log entries into SQL, each in one transaction."""

from dataclasses import dataclass, field
from time import perf_counter

from sqlalchemy import Connection

from seating.domain.changes import Trusted
from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.recovery_errors import Overtaken
from seating.domain.seating_plan import SeatingPlan
from seating.memo import Memo
from seating.services import purchase_log
from seating.storage import events, ledger, quarantine, watermarks
from seating.storage.database import Database
from seating.storage.ledger import Written
from seating.telemetry import tracing

_PLANS_KEPT = 100


@dataclass(frozen=True, slots=True)
class LedgerWriter:
    database: Database
    _plans: Memo[str, SeatingPlan | None] = field(default_factory=lambda: Memo(max_weight=_PLANS_KEPT))

    def write(
        self, event_id: str, checkpoint: Checkpoint, entries: list[LogEntry]
    ) -> tuple[Checkpoint, list[LogEntry]]:
        """Record the entries after `checkpoint`; return where the record then ends, and those that are quarantined.

        Raises Overtaken if another worker has recorded beyond `checkpoint`, UnreadableEntry, RecordUnavailable.
        """
        if not entries:
            return checkpoint, []
        rows = ledger.read_rows(entries)
        last = Checkpoint.of(rows[-1].entry)
        # A transaction that waited for this read would block other writers.
        plan = self._plans.get(event_id, lambda: self.database.read(events.plan_of, event_id))

        def commit(connection: Connection) -> Written:
            # First of all: from here on no other worker can write the same entries.
            if not watermarks.advance(connection, event_id, checkpoint, last):
                raise Overtaken("the record has moved on")
            written = ledger.write(connection, event_id, rows, plan)
            # From a term's beginning on, the record has all that is left of earlier terms.
            if any(isinstance(row.change, Trusted) for row in rows):
                written.quarantined.extend(quarantine.look_again(connection, event_id))
            return written

        started = perf_counter()
        with tracing.batch(event_id, (row.entry.traceparent for row in rows)) as span, tracing.call("sql", "write"):
            written = self.database.write(commit)
        purchase_log.recorded(event_id, rows, written, perf_counter() - started, span.trace_id)
        return last, written.quarantined
