"""The books after a sale: was every yes kept, exactly once, and does the count come out?"""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from gevent.pool import Group
from pydantic import ValidationError

from seating.onsale.buyers import Buyer, Outcome
from seating.onsale.crowd import Progress
from seating.onsale.sale import Counts, Record, Sale, Sold, record_of
from seating.onsale.server import Client

_READING_AT_ONCE: Final = 16


class Wrong(NamedTuple):
    """One thing that should never be: its kind in words, and the case."""

    kind: str
    case: str


def read_answers(buyers: Iterable[Buyer]) -> tuple[list[Sold], list[Wrong]]:
    """What the buyers were told that they bought, and the 200s that cannot be read."""
    bought: list[Sold] = []
    wrong: list[Wrong] = []
    for buyer in buyers:
        if buyer.answer is None or buyer.outcome is not Outcome.SOLD:
            continue
        try:
            bought.append(Sold.model_validate_json(buyer.answer.body))
        except ValidationError as error:
            field = ".".join(map(str, error.errors()[0]["loc"])) or "no JSON"
            wrong.append(Wrong("a 200 does not say what was bought", field))
    return bought, wrong


def check_replays(buyers: Iterable[Buyer]) -> Iterator[Wrong]:
    """A repetition gets the first answer again, byte for byte, and is marked as one.

    One that a server in trouble left without an answer, or with a 5xx, contradicts nothing.
    """
    for buyer in buyers:
        first, second = buyer.answer, buyer.second
        if first is None or second is None or second.status >= 500:
            continue
        if second.status != 200:
            yield Wrong("a repetition with the same key did not get its purchase again", f"{second.status}")
        elif second.body != first.body:
            yield Wrong("a repetition got another answer than the first", f"{second.body[:200]!r}")
        elif not second.replayed:
            yield Wrong("a repetition is not marked Idempotent-Replayed", f"{second.body[:200]!r}")


def check_answers(sale: Sale, bought: Sequence[Sold]) -> Iterator[Wrong]:
    """No purchase, position or seat was given to two buyers, and each got what it asked for."""
    yield from _twice("two buyers got the same purchase", (sold.purchase_id for sold in bought))
    yield from _twice("two buyers got the same position", (str(sold.position) for sold in bought))
    yield from _twice("a seat was sold twice", ((sold.event_id, seat) for sold in bought for seat in sold.seats))
    for sold in bought:
        if sold.seats and len(sold.seats) != sale.quantity:
            yield Wrong(f"a buyer of {sale.quantity} got {len(sold.seats)} seats", sold.purchase_id)
        if sale.event_id is not None and sold.event_id != sale.event_id:
            yield Wrong("a purchase is of another event", sold.purchase_id)


def check_counts(before: Counts, after: Counts, seats_bought: int, seats_unsure: int) -> Iterator[Wrong]:
    """Sold and left are the whole, and sold grew by what was bought here.

    `seats_unsure` may be sold besides: seats of buyers whose answer never came, or was a 5xx.
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


def check_records(sale: Sale, bought: Sequence[Sold], checked: Progress) -> Iterator[Wrong]:
    """Each purchase is in SQL as it was answered; once, since its id is the primary key there. Raises Unreachable."""

    def compare(share: Sequence[Sold]) -> list[Wrong]:
        client = Client(sale.server)
        found: list[Wrong] = []
        for sold in share:
            found += _differences(sale, sold, record_of(client, sold.purchase_id))
            checked()
        client.close()
        return found

    shares = [bought[first::_READING_AT_ONCE] for first in range(_READING_AT_ONCE)]
    for differences in Group().imap_unordered(compare, shares):
        yield from differences


def _differences(sale: Sale, sold: Sold, record: Record | str) -> Iterator[Wrong]:
    if isinstance(record, str):
        yield Wrong("a purchase cannot be found again", f"{sold.purchase_id} {record}")
    elif record.state != "persisted":
        yield Wrong("a purchase is not in SQL", f"{sold.purchase_id} is {record.state}")
    elif record.quantity != sale.quantity or sorted(record.seats) != sorted(sold.seats):
        yield Wrong("SQL has a purchase otherwise than it was answered", sold.purchase_id)


def _twice(kind: str, things: Iterable[Hashable]) -> Iterator[Wrong]:
    for thing, times in Counter(things).items():
        if times > 1:
            named = " ".join(thing) if isinstance(thing, tuple) else thing
            yield Wrong(kind, f"{named}, {times} times")
