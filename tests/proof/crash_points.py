"""The crash points: every call with an effect outside of a process, by which purchases, holds and all else go through.

They are no code of the product, which has nothing of them in it and cannot be made to crash. A test that drives the
ways of crash_ways.py compares the calls that it meets with this table: one that has no name here fails, and so does a
name whose call is not met any more, because its script or function was renamed or is not called.

A call of Redis is named by its script or command, a transaction of SQL by the function that runs in it.
"""

from typing import Final

CRASH_POINTS: Final = {
    "Redis purchase": "purchase.sold",
    "memory answered.note": "purchase.noted",
    "memory nudge": "purchase.nudged",
    "SQL write answered.remember": "purchase.remembered",
    "Redis hold": "hold.held",
    "Redis extend": "hold.extended",
    "Redis change_hold": "hold.changed",
    "Redis release": "hold.released",
    "Redis expire": "hold.expired",
    "Redis cancel": "cancel.cancelled",
    "SQL write purchases.Purchases._cancel_fork.resolve": "cancel.fork_resolved",
    "SQL write ledger_writer.LedgerWriter.write.commit": "persistence.recorded",
    "Redis acknowledge": "persistence.acknowledged",
    "Redis INCR": "persistence.failure_counted",
    "Redis EXPIRE": "persistence.failure_forgotten_later",
    "Redis SET": "persistence.postponed",
    "Redis DEL": "persistence.failure_forgotten",
    "Redis stop": "persistence.stopped",
    "SQL write quarantine.Quarantine._record.move": "persistence.poison_recorded",
    "SQL write quarantine.resolve": "persistence.fork_resolved",
    "Redis HDEL": "persistence.unquarantined",
    "SQL write terms.allocate": "trust.allocated",
    "Redis begin_term": "trust.begun",
    "SQL write event_creation.EventCreation._create.record": "rebuild.event_recorded",
    "Redis rebuild_claim": "rebuild.claimed",
    "SQL write rebuild.Rebuild._begin_epoch.commit": "rebuild.epoch_begun",
    "Redis rebuild_step": "rebuild.step_written",
    "Redis rebuild_finish": "rebuild.finished",
    "Redis rebuild_undo": "rebuild.undone",
    "Redis count": "rebuild.counted",
    "SQL write merged_record.write": "merge.committed",
    "SQL write webhook_cursors.add": "webhook.cursors_added",
    "SQL write webhooks.claim": "webhook.claimed",
    "HTTP send": "webhook.sent",
    "SQL write webhook_sender._Turn._save.write": "webhook.cursor_moved",
    "SQL write webhooks.release": "webhook.released",
}

READS: Final = frozenset(
    f"Redis {name}" for name in ("EXISTS", "GET", "GET+PTTL", "HGET", "HMGET", "MGET", "XRANGE", "count_lapsed", "look")
)
"""Calls of Redis that change nothing. SQL's are known by their transactions."""


def is_read(call: str) -> bool:
    return call in READS or call.startswith("SQL read ")
