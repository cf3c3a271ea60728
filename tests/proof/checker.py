"""Prove from a recorded run and the final stores that every promise was kept, or tell of each that was broken.

`check` returns all breaches; `tell` in story.py makes a story of one. None is the proof for:

- I1 no seat with two owners, totals within the capacity
- I2 what was acknowledged is in SQL exactly once, or reported as lost after a fault that may lose
- I3 what is recorded was asked for, by a request that succeeded or whose outcome is unknown
- I4 one effect for each key, and the same answer to the byte
- I5 holds last to their last millisecond, and their seats are free within a second after
- I6 Redis, log and SQL agree at rest, with an intact chain and a complete audit log
- I7 released seats can be sold within a second
- I8 every viewer's map shows what is
- I9 SQL has everything within 60 s of the last fault
- I10 `Preference-Applied: wait` was never said of what SQL lacked
- I11 webhooks delivered every change at least once, in order
- linearizable: each seat behaves as if its operations took effect one by one
"""

from collections.abc import Iterable
from itertools import islice
from typing import Final

from tests.proof import at_rest, confirmed, hold_times, keys_once, linearizability, owners, sources, webhook_order
from tests.proof.evidence import Breach, Evidence
from tests.proof.final_state import FinalState
from tests.proof.history import RecordedHistory

MOST_OF_A_GROUP = 100
"""Of one event: where one entry is wrong, all that follow may be."""
CHECKS: Final = {
    "I1": owners.check,
    "I2": confirmed.check,
    "I3": sources.check,
    "I4": keys_once.check,
    "I5": hold_times.check,
    "I6": at_rest.check,
    "I7": hold_times.check,
    "I8": at_rest.check,
    "I9": at_rest.check,
    "I10": confirmed.check,
    "I11": webhook_order.check,
    "linearizable": linearizability.check,
}
"""What looks for breaches of each invariant; some look for others, too."""
INVARIANTS: Final = tuple(CHECKS)


def check(
    history: RecordedHistory, finals: Iterable[FinalState], invariants: Iterable[str] = INVARIANTS
) -> list[Breach]:
    """Return what is broken, the breaches with the fewest requests first: those are the shortest stories.

    Of `invariants`, and of those that are looked for together with them.
    """
    found: list[Breach] = []
    looks = dict.fromkeys(CHECKS[invariant] for invariant in invariants)
    for final in finals:
        evidence = Evidence(history.of_event(final.event), final)
        for look in looks:
            found += (breach._replace(event=final.event) for breach in islice(look(evidence), MOST_OF_A_GROUP))
    return sorted(found, key=lambda breach: (INVARIANTS.index(breach.invariant), len(breach.operations) or 1_000))
