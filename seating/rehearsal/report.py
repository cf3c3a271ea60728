"""The figures of a rehearsal for people: one per line, aligned."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

from seating.rehearsal.books import Wrong
from seating.rehearsal.buyers import Buyer, BuyerOutcome, Rush
from seating.rehearsal.sale import Counts, RehearsedSale

_CASES_SHOWN: Final = 5


def opening(sale: RehearsedSale, buyers: int, before: Counts) -> str:
    event = f"event {sale.event_id}" if sale.event_id else "the default event"
    each = "1 seat" if sale.quantity == 1 else f"{sale.quantity} seats"
    left = f"{before.seats_remaining:,} of {before.total_seats:,} seats left"
    return f"{buyers:,} buyers at once, {each} each, {event} at {sale.server.url}: {left}"


def figures(buyers: Sequence[Buyer], rush: Rush) -> str:
    """Return counts, duration and percentiles. A wait runs from the release of all buyers to a buyer's response."""
    reasons = {
        outcome: Counter(buyer.reason for buyer in buyers if buyer.outcome is outcome)
        for outcome in (BuyerOutcome.REFUSED, BuyerOutcome.FAILED)
    }
    sold = sum(buyer.outcome is BuyerOutcome.SOLD for buyer in buyers)
    repetitions = sum(buyer.repeats and buyer.outcome is BuyerOutcome.SOLD for buyer in buyers)
    replayed = sum(answer.replayed for buyer in buyers for answer in (buyer.answer, buyer.second) if answer)
    broken = sum(buyer.broken for buyer in buyers)
    answered = [buyer for buyer in buyers if buyer.outcome is not BuyerOutcome.FAILED]
    waits_ms = sorted((buyer.answered_at - rush.started_at) * 1000 for buyer in answered)
    rate = (len(buyers) + repetitions) / rush.duration_s
    busy = rush.client_cpu_s / rush.duration_s
    lines = [
        _line("sold", f"{sold:,}"),
        *(_line(outcome, f"{found.total():,}", _most_common(found)) for outcome, found in reasons.items()),
        _line("replayed", f"{replayed:,}", f"{repetitions:,} repeated on purpose"),
        *([_line("broken", f"{broken:,}", "connections, used again with the same key")] if broken else []),
        _line("duration", f"{rush.duration_s:.3f} s", f"{rate:,.0f} answers/s; this client used {busy:.0%} of a core"),
        *(_line(f"p{percent}", f"{percentile(waits_ms, percent):,.0f} ms") for percent in (50, 95, 99)),
    ]
    return "\n".join(lines)


def lag(seconds: float | None, within_s: float) -> str:
    if seconds is None:
        return _line("lag zero", "never", f"not within {within_s:.0f} s")
    return _line("lag zero", f"{seconds:.3f} s", "after the last answer")


def books(after: Counts, bought: int, wrong: Sequence[Wrong]) -> str:
    """Return one line if the books are right, else one for each kind of violation."""
    if wrong:
        return "\n".join((_line("books", "WRONG"), *_by_kind(wrong)))
    aside = f" + {after.aside:,} held or blocked" if after.aside else ""
    total = f"{after.seats_sold:,} sold + {after.seats_remaining:,} left{aside} = {after.total_seats:,}"
    return _line("books", "right", f"{total}; each of the {bought:,} purchases is in SQL once")


def percentile(ordered: Sequence[float], percent: int) -> float:
    """Return the percentile by nearest rank; NaN for an empty sequence."""
    return ordered[math.ceil(len(ordered) * percent / 100) - 1] if ordered else math.nan


def _line(name: str, value: str, note: str = "") -> str:
    return f"{name:<9}{value:>10}  {note}".rstrip()


def _most_common(reasons: Counter[str]) -> str:
    if len(reasons) == 1:
        return next(iter(reasons))
    return ", ".join(f"{count:,} x {reason}" for reason, count in reasons.most_common())


def _by_kind(wrong: Sequence[Wrong]) -> list[str]:
    cases = defaultdict(list)
    for kind, case in wrong:
        cases[kind].append(case)
    lines = []
    for kind, found in cases.items():
        count = f" ({len(found):,} cases)" if len(found) > 1 else ""
        more = f"; and {len(found) - _CASES_SHOWN:,} more" if len(found) > _CASES_SHOWN else ""
        lines.append(f"  - {kind}{count}: {'; '.join(found[:_CASES_SHOWN])}{more}")
    return lines
