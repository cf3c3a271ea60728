"""The state of each part, as `/ready` shows it."""

import time
from typing import Any, Final

from seating.domain.breaker import BreakerReport
from seating.domain.timestamps import rfc3339
from seating.redis_store.write_check import RedisState, WriteVerdict
from seating.services.background_look import Seen
from seating.services.open_sales import EventSight, SalesSight
from seating.services.readiness import SILENCE_S, RecordSight, Report, SharedSight
from seating.storage.replica import ReplicaSight
from seating.storage.webhook_cursors import WebhookSight

_SHOWN_LOSSES: Final = 20


def checks(report: Report) -> dict[str, Any]:
    """Return what `checks` has in the answer. Ages are in seconds, `ageS`."""
    shared, disk = report.shared, report.free_bytes
    breakers = shared.value.breakers if shared.value else {}
    return {
        "web": {"status": "draining" if report.drains else "up"},
        "redis": _redis_check(report.redis, report.redis_age_s),
        **(_event_checks(report.sales) if report.sales else _unknown_events(report.default_event)),
        "upkeep": _upkeep_check(shared),
        **_record_checks(report.record),
        **({"sqlReplica": _replica_check(report.replica)} if report.replica else {}),
        "webhooks": _webhook_check(report.webhooks),
        "disk": {"freeBytes": disk.value, "ageS": _s(disk.age_s)},
        "partner": {
            "breakers": {name: _breaker_check(breaker) for name, breaker in breakers.items()},
            "ageS": _s(shared.age_s),
        },
    }


def _unknown_events(default_event: str) -> dict[str, Any]:
    return {"inventory": {"eventId": default_event, "status": "unknown"}, "events": []}


def _redis_check(verdict: WriteVerdict, age_s: float) -> dict[str, Any]:
    check = {"status": verdict.state.value, "ageS": _s(age_s)}
    if verdict.reason:
        check["missing" if verdict.state is RedisState.NOT_DURABLE else "reason"] = verdict.reason
    return check


def _event_checks(sales: SalesSight) -> dict[str, Any]:
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


def _upkeep_check(shared: Seen[SharedSight]) -> dict[str, Any]:
    """Show the workers seen lately, and the cron's report on all events."""
    if shared.value is None:
        return {"cron": "not seen"}
    check: dict[str, Any] = {"cron": "not seen", "workers": shared.value.workers, "ageS": _s(shared.age_s)}
    if shared.value.upkeep:
        report, age_s = shared.value.upkeep
        counts = report._asdict()
        # The log format that the cron reads, which is no count of events.
        del counts["reads"]
        check |= {"cron": f"seen {age_s + shared.age_s:.1f} s ago", "events": counts}
    return check


def _record_checks(record: Seen[RecordSight]) -> dict[str, Any]:
    """Show whether SQL answers, and the losses it knows of."""
    failure = record.value.failure if record.value else "not asked yet"
    # A look that hangs leaves the last result as it was, which may say that SQL answers.
    if record.silent_s > SILENCE_S:
        failure = f"no reply for {record.silent_s:.1f} s"
    if record.value is None or record.value.read_s is None:
        return {"sql": {"status": "down", "reason": failure, "ageS": _s(record.age_s)}, "losses": None}
    age_s = time.monotonic() - record.value.read_s
    lost = [
        {"eventId": loss.event_id, "first": str(loss.first), "last": str(loss.last), "changes": loss.lost}
        for loss in record.value.losses[:_SHOWN_LOSSES]
    ]
    sql = {"status": "down", "reason": failure} if failure else {"status": "up"}
    return {"sql": {**sql, "ageS": _s(age_s)}, "losses": lost}


def _replica_check(replica: Seen[ReplicaSight]) -> dict[str, Any]:
    """Show whether lists are read from the replica, and how far it was behind."""
    lag_s, failure = replica.value or ReplicaSight(None, "not asked yet")
    if replica.silent_s > SILENCE_S:
        failure = f"no reply for {replica.silent_s:.1f} s"
    check: dict[str, Any] = {"status": "unused", "reason": failure} if failure else {"status": "used"}
    return check | {"lagS": None if lag_s is None else _s(lag_s), "ageS": _s(replica.age_s)}


def _webhook_check(webhooks: Seen[WebhookSight]) -> dict[str, Any] | None:
    """Count the endpoints; None until SQL was asked."""
    if webhooks.value is None:
        return None
    counts = webhooks.value._asdict()
    del counts["failing_since_ms"]
    return {**counts, "ageS": _s(webhooks.age_s)}


def _breaker_check(report: BreakerReport) -> dict[str, Any]:
    return {
        "state": report.state.value,
        "openedSince": report.opened_at_ms and rfc3339(report.opened_at_ms),
        "nextProbe": report.next_probe_at_ms and rfc3339(report.next_probe_at_ms),
        "failures": report.failures,
        "openings": report.openings,
    }


def _s(age_s: float) -> float:
    return round(age_s, 1)
