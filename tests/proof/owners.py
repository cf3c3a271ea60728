"""I1: no seat has two owners, and what is sold, held and blocked is never more than there is."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.proof.evidence import Breach, Evidence, purchase_of, seats_of
from tests.proof.history import Operation


def check(evidence: Evidence) -> Iterator[Breach]:
    yield from evidence.breaches_in_ledger("I1")
    yield from _in_tables(evidence)
    yield from _totals(evidence)
    yield from _told(evidence)


def _in_tables(evidence: Evidence) -> Iterator[Breach]:
    final = evidence.final
    owners = defaultdict(list)
    for row in final.purchases:
        for seat in row.standing_seats:
            owners[seat].append(row.id)
    for seat, purchases in owners.items():
        if len(purchases) > 1:
            told = (one for purchase in purchases for one in evidence.bought.get(purchase, ()))
            yield Breach("I1", f"SQL has {seat} in {' and in '.join(purchases)}", tuple(told))
    for seat, times in Counter(seat for seat, _ in final.sold_seats).items():
        if times > 1:
            yield Breach("I1", f"SQL has {seat} sold {times} times")
    for seat, purchase in final.sold_seats:
        if purchase is not None and purchase not in owners.get(seat, ()):
            yield Breach("I1", f"SQL has {seat} sold to {purchase}, which does not have it")
    recorded = {seat for seat, _ in final.sold_seats}
    for seat in owners.keys() - recorded:
        yield Breach("I1", f"SQL has {seat} in {owners[seat][0]}, but not sold")


def _totals(evidence: Evidence) -> Iterator[Breach]:
    final = evidence.final
    standing = sum(row.quantity - row.cancelled for row in final.purchases)
    at_box_office = sum(purchase is None for _, purchase in final.sold_seats)
    if standing + at_box_office > final.capacity:
        yield Breach("I1", f"SQL has {standing} + {at_box_office} places sold, of {final.capacity}")
    counts = [int(final.inventory.get(name, 0)) for name in ("sold", "held", "blocked")]
    if sum(counts) > final.capacity or min(counts) < 0:
        yield Breach("I1", f"Redis counts {counts} sold, held and blocked, of {final.capacity}")


def _told(evidence: Evidence) -> Iterator[Breach]:
    """Two buyers were told that they have a seat, and neither purchase was ever asked to be cancelled, or lost."""
    withdrawn = {str(one.arguments.get("purchase")) for one in evidence.history.operations if one.op == "cancel"}
    told: dict[str, dict[str, Operation]] = defaultdict(dict)
    for one in evidence.history.acknowledged("purchase", "hold_purchase"):
        is_lost = purchase_of(one) not in evidence.rows and evidence.may_be_lost(one)
        if purchase_of(one) not in withdrawn and not is_lost:
            for seat in seats_of(one):
                told[seat].setdefault(purchase_of(one), one)
    for seat, buyers in told.items():
        if len(buyers) > 1:
            first_two = sorted(buyers.values(), key=lambda one: one.returned or 0)[:2]
            yield Breach("I1", f"{len(buyers)} buyers were told that {seat} is theirs", tuple(first_two))
