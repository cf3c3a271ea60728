"""Checks the books after a sale: is every confirmed purchase recorded exactly once, and do the counts add up?"""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple

from gevent.pool import Pool
from pydantic import ValidationError

from seating.rehearsal.buyers import Buyer, BuyerOutcome, Progress
from seating.rehearsal.sale import Counts, RecordedPurchase, RehearsedSale, Sold
from seating.rehearsal.server import READING_AT_ONCE


class Wrong(NamedTuple):
    """One violation: its kind in words, and the case."""

    kind: str
    case: str


def read_answers(buyers: Iterable[Buyer]) -> tuple[list[Sold], list[Wrong]]:
    """Return the purchases confirmed to buyers, and the 200s that cannot be read."""
    bought: list[Sold] = []
    wrong: list[Wrong] = []
    for buyer in buyers:
        if buyer.answer and buyer.outcome is BuyerOutcome.SOLD:
            try:
                bought.append(Sold.model_validate_json(buyer.answer.body))
            except ValidationError as error:
                field = ".".join(map(str, error.errors()[0]["loc"])) or "no JSON"
                wrong.append(Wrong("a 200 does not say what was bought", field))
    return bought, wrong


def check(
    sale: RehearsedSale,
    buyers: Sequence[Buyer],
    bought: Sequence[Sold],
    before: Counts,
    after: Counts,
    checked: Progress,
) -> Iterator[Wrong]:
    """Yield every violation. Raises Unreachable."""
    unsure = sum(buyer.may_have_bought for buyer in buyers)
    yield from _check_replays(buyers)
    yield from _check_answers(sale, bought)
    yield from check_counts(before, after, len(bought) * sale.quantity, unsure * sale.quantity)
    # `list` makes each check read within its greenlet; a generator would read in this loop, one by one.
    for differences in Pool(READING_AT_ONCE).imap_unordered(lambda sold: list(_check_record(sale, sold)), bought):
        yield from differences
        checked()


def check_counts(before: Counts, after: Counts, seats_bought: int, seats_unsure: int) -> Iterator[Wrong]:
    """Check that sold and left seats add up to the capacity, and that the sold ones grew by what was bought here.

    `seats_unsure` more may be sold: those of buyers whose response never came, or was a 5xx.
    """
    sold, left, aside = after.seats_sold, after.seats_remaining, after.aside
    sum_in_words = f"{sold:,} sold + {left:,} left + {aside:,} held or blocked, of {after.total_seats:,}"
    if sold + left + aside != after.total_seats or min(sold, left, aside) < 0:
        yield Wrong("sold and left are not the capacity", sum_in_words)
    elif after.seats_held is None and aside > before.aside:
        yield Wrong("seats are neither sold nor left (or somebody else holds them)", sum_in_words)
    grown = sold - before.seats_sold
    if not seats_bought <= grown <= seats_bought + seats_unsure:
        told = f"{seats_bought:,} were bought here, yet sold grew by {grown:,}"
        yield Wrong("the count of sold seats is off (or somebody else bought or cancelled meanwhile)", told)


def _check_replays(buyers: Iterable[Buyer]) -> Iterator[Wrong]:
    """Check that a repeated request gets the first response again, byte for byte, marked as a replay.

    A repetition without a response, or with a 5xx, proves nothing.
    """
    for buyer in buyers:
        first, second = buyer.answer, buyer.second
        if first is None or second is None or second.status >= 500:
            continue
        if second.status != 200:
            yield Wrong("a repetition with the same key did not get its purchase again", f"{second.status}")
        elif second.body != first.body:
            yield Wrong("a repetition got another response than the first", f"{second.body[:200]!r}")
        elif not second.replayed:
            yield Wrong("a repetition is not marked Idempotent-Replayed", f"{second.body[:200]!r}")


def _check_answers(sale: RehearsedSale, bought: Sequence[Sold]) -> Iterator[Wrong]:
    """Check that no two buyers got the same purchase, position or seat, and that each got what it asked for."""
    yield from _twice("two buyers got the same purchase", (sold.purchase_id for sold in bought))
    yield from _twice("two buyers got the same position", (sold.position for sold in bought))
    yield from _twice("a seat was sold twice", (f"{sold.event_id} {seat}" for sold in bought for seat in sold.seats))
    for sold in bought:
        if sold.seats and len(sold.seats) != sale.quantity:
            yield Wrong(f"a buyer of {sale.quantity} got {len(sold.seats)} seats", sold.purchase_id)
        if sale.event_id is not None and sold.event_id != sale.event_id:
            yield Wrong("a purchase belongs to another event", sold.purchase_id)


def _check_record(sale: RehearsedSale, sold: Sold) -> Iterator[Wrong]:
    """Check that SQL has it as confirmed. It is there once only: its id is the primary key."""
    record = sale.record_of(sold.purchase_id)
    if not isinstance(record, RecordedPurchase):
        yield Wrong("a purchase cannot be found again", f"{sold.purchase_id} {record}")
    elif record.state != "persisted":
        yield Wrong("a purchase is not in SQL", f"{sold.purchase_id} is {record.state}")
    elif record.quantity != sale.quantity or sorted(record.seats) != sorted(sold.seats):
        yield Wrong("a purchase in SQL differs from its response", sold.purchase_id)


def _twice(kind: str, things: Iterable[Hashable]) -> Iterator[Wrong]:
    for thing, times in Counter(things).items():
        if times > 1:
            yield Wrong(kind, f"{thing}, {times} times")
