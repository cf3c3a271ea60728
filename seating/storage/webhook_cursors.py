"""How far each webhook has got with each event's ledger, and with the notices beside it."""

from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Join, and_, case, func, insert, literal, or_, select, update

from seating.domain.position import Position
from seating.domain.webhook import CursorReport, DeliveryCursor, Failing
from seating.storage.database import insert_new
from seating.storage.tables import ledger, watermarks, webhook_cursors, webhook_notices, webhooks

_MOST_NEW: Final = 1_000

_last_notice: Final = (
    select(func.coalesce(func.max(webhook_notices.c.number), 0))
    .where(webhook_notices.c.event_id == watermarks.c.event_id)
    .scalar_subquery()
)
_of_event: Final = watermarks.c.event_id == webhook_cursors.c.event_id


class WebhookSight(NamedTuple):
    """How deliveries fare, over all endpoints.

    `unattended` endpoints have something to be told now, and no sender has a claim on them. `lag` counts the entries
    that active ones have not been told yet. `failing_since_ms`, since 1970, is of the one that has failed for longest;
    one that the sender paused for that still fails.
    """

    active: int
    paused: int
    unattended: int
    lag: int
    failing: int
    failing_since_ms: int | None


def begin(connection: Connection, webhook_id: str, event_id: str | None) -> None:
    """Let a new endpoint begin with what happens from now on, in one event or in all that there are."""
    now = select(literal(webhook_id), watermarks.c.event_id, watermarks.c.seq, _last_notice)
    if event_id is not None:
        now = now.where(watermarks.c.event_id == event_id)
    connection.execute(insert(webhook_cursors).from_select(["webhook_id", "event_id", "seq", "notice"], now))


def lacking(connection: Connection) -> list[dict[str, object]]:
    """Return the cursors that endpoints need for events that began after they were added, at the beginning of each."""
    wanted = or_(webhooks.c.event_id.is_(None), webhooks.c.event_id == watermarks.c.event_id)
    known = and_(webhook_cursors.c.webhook_id == webhooks.c.id, _of_event)
    pairs = (
        select(webhooks.c.id, watermarks.c.event_id)
        .select_from(webhooks.join(watermarks, wanted).outerjoin(webhook_cursors, known))
        .where(webhook_cursors.c.webhook_id.is_(None))
        # The next tick finds the others.
        .limit(_MOST_NEW)
    )
    return [
        {"webhook_id": row.id, "event_id": row.event_id, "seq": 0, "notice": 0} for row in connection.execute(pairs)
    ]


def add(connection: Connection, rows: list[dict[str, object]]) -> None:
    insert_new(connection, webhook_cursors, rows)


def due_webhooks(connection: Connection, now_ms: int) -> set[str]:
    """Return the ids of the endpoints that have something to be told now."""
    query = select(webhook_cursors.c.webhook_id).distinct().select_from(_with_ends()).where(*_is_due(now_ms))
    return set(connection.execute(query).scalars())


def due(connection: Connection, webhook_id: str, now_ms: int, count: int) -> list[DeliveryCursor]:
    """Return at most `count` cursors of an endpoint with something to be told now, the longest waiting first."""
    query = select(webhook_cursors).select_from(_with_ends()).where(*_is_due(now_ms))
    ordered = query.where(webhook_cursors.c.webhook_id == webhook_id).order_by(
        webhook_cursors.c.next_ms, webhook_cursors.c.event_id
    )
    return [_cursor(row) for row in connection.execute(ordered.limit(count))]


def move(connection: Connection, cursor: DeliveryCursor, now_ms: int) -> DeliveryCursor | None:
    """Store a cursor; None if another sender or an operator has changed it since it was read, or it is gone.

    `now_ms` is when it was served, so that others come first next time.
    """
    failing = cursor.failing
    changed = connection.execute(
        update(webhook_cursors)
        .where(*_here(cursor.webhook_id, cursor.event_id), webhook_cursors.c.version == cursor.version)
        .values(
            seq=cursor.seq,
            notice=cursor.notice,
            version=cursor.version + 1,
            attempts=failing.attempts if failing else 0,
            failing_since_ms=failing.since_ms if failing else None,
            next_ms=failing.next_ms if failing else now_ms,
            error=failing.reason[:200] if failing else None,
        )
    )
    return cursor._replace(version=cursor.version + 1) if changed.rowcount == 1 else None


def retry_now(connection: Connection, webhook_id: str) -> None:
    """Forget the failures of an endpoint, so that all is tried at once."""
    # With a new version, or a sender that is at work would store its failures again.
    connection.execute(
        update(webhook_cursors)
        .where(webhook_cursors.c.webhook_id == webhook_id)
        .values(version=webhook_cursors.c.version + 1, attempts=0, failing_since_ms=None, next_ms=0, error=None)
    )


def put_off(connection: Connection, webhook_id: str, until_ms: int) -> None:
    """Let an endpoint have nothing until then."""
    here = (webhook_cursors.c.webhook_id == webhook_id, webhook_cursors.c.next_ms < until_ms)
    connection.execute(update(webhook_cursors).where(*here).values(next_ms=until_ms))


def go_back(connection: Connection, webhook_id: str, event_id: str, seq: int, notice: int) -> bool:
    """Put a cursor back behind `seq` and behind `notice`; return False if there is no such cursor.

    A cursor that has not got as far as one of them stays there: moving it forward would skip messages.
    """
    columns = webhook_cursors.c
    values: dict[str, Any] = {
        "seq": case((columns.seq < seq, columns.seq), else_=seq),
        "notice": case((columns.notice < notice, columns.notice), else_=notice),
    }
    values |= {"version": columns.version + 1, "attempts": 0, "failing_since_ms": None, "next_ms": 0, "error": None}
    return connection.execute(update(webhook_cursors).where(*_here(webhook_id, event_id)).values(values)).rowcount == 1


def page(connection: Connection, webhook_id: str, after_event: str, count: int) -> list[CursorReport]:
    """Return at most `count` cursors of an endpoint, in order of event ids behind `after_event`."""
    # The ledger may have no entry at a cursor: merges leave gaps, and so does what waits in quarantine.
    behind = ledger.alias()
    last = (
        select(func.max(behind.c.seq))
        .where(behind.c.event_id == webhook_cursors.c.event_id, behind.c.seq <= webhook_cursors.c.seq)
        .scalar_subquery()
    )
    at = and_(ledger.c.event_id == webhook_cursors.c.event_id, ledger.c.seq == last)
    query = (
        select(webhook_cursors, ledger.c.epoch, ledger.c.seq.label("ledger_seq"), _lag().label("lag"))
        .select_from(_with_ends().outerjoin(ledger, at))
        .where(webhook_cursors.c.webhook_id == webhook_id, webhook_cursors.c.event_id > after_event)
        .order_by(webhook_cursors.c.event_id)
        .limit(count)
    )
    return [
        CursorReport(_cursor(row), Position(row.epoch, row.ledger_seq) if row.epoch else None, row.lag)
        for row in connection.execute(query)
    ]


def totals(connection: Connection) -> dict[str, tuple[int, int | None, str | None]]:
    """Return for each endpoint how many entries are left, since when deliveries fail, and one failure's reason."""
    query = (
        select(
            webhook_cursors.c.webhook_id,
            func.sum(_lag()).label("lag"),
            func.min(webhook_cursors.c.failing_since_ms).label("since_ms"),
            func.max(webhook_cursors.c.error).label("error"),
        )
        .select_from(_with_ends())
        .group_by(webhook_cursors.c.webhook_id)
    )
    # Postgres sums BIGINT as NUMERIC, which arrives as a Decimal.
    return {row.webhook_id: (int(row.lag or 0), row.since_ms, row.error) for row in connection.execute(query)}


def look(connection: Connection, now_ms: int) -> WebhookSight:
    """Return how deliveries fare. For half a second, an endpoint may be unattended though a sender runs."""
    is_due = case((and_(*_is_due(now_ms)), 1), else_=0)
    cursors = webhook_cursors.join(watermarks, _of_event)
    query = (
        select(
            webhooks.c.id,
            webhooks.c.paused_ms,
            and_(webhooks.c.claimed_by.is_not(None), webhooks.c.claimed_until_ms > now_ms).label("claimed"),
            func.sum(_lag()).label("lag"),
            func.max(is_due).label("due"),
            func.min(webhook_cursors.c.failing_since_ms).label("since_ms"),
        )
        .select_from(webhooks.outerjoin(cursors, webhook_cursors.c.webhook_id == webhooks.c.id))
        .group_by(webhooks.c.id)
    )
    rows = connection.execute(query).all()
    # Cursors of new events are a sender's to add.
    begun = {row["webhook_id"] for row in lacking(connection)} if rows else set()
    active = [row for row in rows if row.paused_ms is None]
    failing = [row.since_ms for row in rows if row.since_ms is not None]
    return WebhookSight(
        len(active),
        len(rows) - len(active),
        sum((row.due or row.id in begun) and not row.claimed for row in active),
        sum(int(row.lag or 0) for row in active),
        len(failing),
        min(failing, default=None),
    )


def _with_ends() -> Join:
    return webhook_cursors.join(watermarks, _of_event).join(webhooks, webhooks.c.id == webhook_cursors.c.webhook_id)


def _is_due(now_ms: int) -> tuple[ColumnElement[bool], ...]:
    more = or_(webhook_cursors.c.seq < watermarks.c.seq, webhook_cursors.c.notice < _last_notice)
    return (webhooks.c.paused_ms.is_(None), webhook_cursors.c.next_ms <= now_ms, more)


def _lag() -> ColumnElement[int]:
    return watermarks.c.seq - webhook_cursors.c.seq + _last_notice - webhook_cursors.c.notice


def _here(webhook_id: str, event_id: str) -> tuple[ColumnElement[bool], ...]:
    return (webhook_cursors.c.webhook_id == webhook_id, webhook_cursors.c.event_id == event_id)


def _cursor(row: Any) -> DeliveryCursor:
    failing = None
    if row.attempts:
        failing = Failing(row.attempts, row.failing_since_ms, row.next_ms, row.error or "")
    return DeliveryCursor(row.webhook_id, row.event_id, row.seq, row.notice, row.version, failing)
