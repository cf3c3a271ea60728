"""What the background looks of readiness see, and how `/ready` shows it."""

import time
from typing import Any, Final, NamedTuple

from seating.redis_store.persist_queue import SeenQueue
from seating.redis_store.upkeep_reports import SeenReport
from seating.redis_store.write_check import RedisState, WriteVerdict
from seating.services.background_look import Seen
from seating.services.open_sales import EventSight, SalesSight
from seating.storage.answered import Loss

SILENCE_S: Final = 1.0
"""A look still running after this long is reported as silence."""
_SHOWN_LOSSES: Final = 20


class SaleSight(NamedTuple):
    """`sales` is None if Redis does not answer, or until the events are known."""

    redis: WriteVerdict
    sales: SalesSight | None


class SharedSight(NamedTuple):
    """What Redis knows of other processes. `upkeep` is None if no cron has reported lately."""

    event_ids: list[str]
    upkeep: SeenReport | None
    queue: SeenQueue | None
    breakers: dict[str, Any]


class RecordSight(NamedTuple):
    """What SQL returned at `read_s`, on the monotonic clock; `failure` is why later reads failed, or ""."""

    event_ids: frozenset[str]
    losses: list[Loss]
    read_s: float | None
    failure: str


def redis_check(verdict: WriteVerdict, age_s: float) -> dict[str, Any]:
    check = {"status": verdict.state.value, "ageS": rounded(age_s)}
    if verdict.state is not RedisState.UP:
        check["missing" if verdict.state is RedisState.NOT_DURABLE else "reason"] = verdict.reason
    return check


def event_checks(sales: SalesSight) -> dict[str, Any]:
    """Show the default event in detail, and each open event in brief."""
    default = sales.events[0]
    checks: dict[str, Any] = {"inventory": _event_check(default)}
    if default.snapshot:
        backlog = default.snapshot.backlog
        checks["persistence"] = {
            "position": str(backlog.position),
            "persisted": str(backlog.persisted_position),
            "lag": backlog.lag,
        }
    return checks | {"events": [_event_check(sight) for sight in sales.open_events]}


def _event_check(sight: EventSight) -> dict[str, Any]:
    check: dict[str, Any] = {"eventId": sight.event_id, "status": sight.state.value}
    if sight.snapshot:
        backlog = sight.snapshot.backlog
        check["lag"] = backlog.lag
        if backlog.stopped:
            check["reason"] = f"{backlog.stopped}: run seating merge {sight.event_id}"
    return check


def upkeep_check(shared: Seen[SharedSight]) -> dict[str, Any]:
    """Show the workers seen lately, and the cron's report on all events."""
    if shared.value is None:
        return {"cron": "not seen"}
    workers = shared.value.queue.workers if shared.value.queue else None
    check: dict[str, Any] = {"cron": "not seen", "workers": workers, "ageS": rounded(shared.age_s)}
    if shared.value.upkeep:
        report, age_s = shared.value.upkeep
        check |= {"cron": f"seen {age_s + shared.age_s:.1f} s ago", "events": report._asdict()}
    return check


def record_checks(record: Seen[RecordSight]) -> dict[str, Any]:
    """Show whether SQL answers, and the losses it knows of."""
    failure = sql_failure(record)
    if record.value is None or record.value.read_s is None:
        return {"sql": {"status": "down", "reason": failure, "ageS": rounded(record.age_s)}, "losses": None}
    age_s = time.monotonic() - record.value.read_s
    shown = record.value.losses[:_SHOWN_LOSSES]
    lost = [
        {"eventId": loss.event_id, "first": str(loss.first), "last": str(loss.last), "changes": loss.lost}
        for loss in shown
    ]
    sql = {"status": "down", "reason": failure} if failure else {"status": "up"}
    return {"sql": {**sql, "ageS": rounded(age_s)}, "losses": lost}


def sql_failure(record: Seen[RecordSight]) -> str:
    """Return why SQL does not answer, or "" if it does."""
    if record.silent_s > SILENCE_S:
        return f"no reply for {record.silent_s:.1f} s"
    return record.value.failure if record.value else "not asked yet"


def rounded(age_s: float) -> float:
    return round(age_s, 1)
