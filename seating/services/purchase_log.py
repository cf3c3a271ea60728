"""The lines that a purchase leaves in the log after its request: what became of it, with its id to find it by."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import structlog

from seating.domain.actor import Actor
from seating.domain.changes import Change, Purchased
from seating.domain.log_entry import LogEntry
from seating.domain.purchase import PurchaseId
from seating.storage.ledger import LedgerRow, Written

_IDS_A_LINE: Final = 500
"""As many entries as are recorded in one batch."""

_log = structlog.get_logger(__name__)


def recorded(event_id: str, rows: Sequence[LedgerRow], written: Written, seconds: float, trace_id: str) -> None:
    """Log a batch that is in SQL now, and the entries of it that SQL refused."""
    aside = {entry.position for entry in written.quarantined}
    kept = [row for row in rows if row.entry.position not in aside]
    _log.info(
        "entries persisted",
        event_id=event_id,
        first=str(rows[0].entry.position),
        last=str(rows[-1].entry.position),
        entries=len(kept),
        ms=round(seconds * 1000, 2),
        purchases=purchase_ids(event_id, kept),
        cancelled=written.cancelled,
        **({"trace_id": trace_id} if trace_id else {}),
    )
    if written.quarantined:
        positions = [str(entry.position) for entry in written.quarantined]
        refused = purchase_ids(event_id, ((entry, entry.read()) for entry in written.quarantined))
        _log.error("entries quarantined", event_id=event_id, positions=positions, purchases=refused)


def purchase_ids(event_id: str, entries: Iterable[tuple[LogEntry, Change | None]]) -> list[str]:
    """Return the ids of the purchases among `entries`, which come with their change, decoded."""
    return [
        str(PurchaseId(event_id, change.original or entry.position, change.nonce))
        for entry, change in entries
        if isinstance(change, Purchased)
    ]


def acted(event: str, purchase_id: PurchaseId, by: Actor, **said: Any) -> None:
    """Log what an operator has done to a purchase."""
    _log.info(
        event,
        event_id=purchase_id.event_id,
        purchase_id=str(purchase_id),
        caller=by.name,
        request_id=by.request_id,
        **said,
    )


def happened(event: str, event_id: str, ids: Iterable[str]) -> None:
    """Log, as a warning, what has happened to many purchases: in as many lines as it takes, none for none."""
    for part in _parts(ids):
        _log.warning(event, event_id=event_id, purchases=part)


def _parts(ids: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(ids)
    while part := list(islice(rest, _IDS_A_LINE)):
        yield part
