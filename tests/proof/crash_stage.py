"""One sale in which something crashes: what its callers were told, and what must have become of it in the end."""

import itertools
from collections import Counter

import pytest
import redis

from seating.domain.errors import SeatUnavailable
from seating.domain.purchase import Order
from seating.domain.receipt import Receipt
from seating.domain.seating_plan import GeneratedPlan, generate
from seating.redis_store import keys
from seating.redis_store.calls import Scripts
from seating.redis_store.persist_queue import PersistQueue
from seating.storage.database import Database
from seating.storage.tables import purchases, quarantine, sold_seats
from tests import frozen_clock
from tests.one_process import SHORT_LOGS, OneProcess
from tests.terms.backups import restore
from tests.webhooks.receiver import Receiver

HALL = generate(GeneratedPlan(sections=4, rows=10, seatsPerRow=10))

LEASE_OVER_MS = 70_000
"""That of a rebuild, and the claim of a sender that waits a minute for its receiver."""


class Stage:
    """`sold` and `cancelled` have the purchases that were confirmed, by key; `held` the seats of holds, by token.

    `aside` are those of a fork, whose seats others have. `unrecorded` are the cancelled ones that SQL has in quarantine
    only, and `returned` are the seats of purchases that were cancelled in part.
    """

    def __init__(self, redis_url: str, database: Database, scripts: Scripts) -> None:
        self.redis_url, self.database, self.scripts = redis_url, database, scripts
        self.now_ms = frozen_clock.NOON_MS
        self.sold: dict[str, Receipt] = {}
        self.cancelled: dict[str, Receipt] = {}
        self.orders: dict[str, Order] = {}
        self.held: dict[str, list[str]] = {}
        self.unrecorded: set[str] = set()
        self.returned: set[str] = set()
        self.aside: dict[str, Receipt] = {}
        self.receiver: Receiver | None = None
        self._keys = (f"key-{number}" for number in itertools.count())
        # From the far end, so that the best seats are others.
        self._seats = reversed([seat for block in HALL.blocks for row in block for seat in row])
        restore(database, {})
        self.one = self.new_process()
        self.one.calls.command("FLUSHALL")
        self.move_clock(0)
        self.event = self.one.open(plan=HALL)

    def new_process(self) -> OneProcess:
        return OneProcess.build(self.redis_url, self.database, self.scripts, SHORT_LOGS)

    def close(self) -> None:
        self.one.calls.close()
        if self.receiver:
            self.receiver.stop()

    def move_clock(self, ms: int) -> None:
        self.now_ms += ms
        self.one.calls.command("SET", frozen_clock.CLOCK, self.now_ms)

    def new_key(self) -> str:
        return next(self._keys)

    def new_seat(self) -> str:
        return next(self._seats)

    # What callers do who get an answer.

    def buy(self, *seats: str) -> str:
        """The key of the purchase."""
        key = self.new_key()
        self.orders[key] = Order(len(seats) or 1, seats=seats)
        self.sold[key] = self.one.order(self.event, key, self.orders[key])
        return key

    def hold(self, *seats: str) -> str:
        """The token."""
        key = self.new_key()
        held = self.one.hold(self.event, *seats, key=key, holder=key)
        self.held[held.token] = held.seats
        return held.token

    def cancel(self, key: str) -> None:
        assert self.one.cancel(self.sold[key].id) == "cancelled"
        self.cancelled[key] = self.sold.pop(key)

    # What becomes of it.

    def recover(self) -> None:
        """What the rest of the system does within seconds: claims lapse, the cron sweeps, it is sold on."""
        self.move_clock(LEASE_OVER_MS)
        self._sweep()
        for _ in range(5):
            self.one.persistence.run_now(self.event)
            found = self.one.inventory.read(self.event)
            if found and found.backlog.is_recorded:
                # What was cancelled in quarantine, but not recorded yet, the first sweep copied to Redis again.
                self._sweep()
                return
        pytest.fail(f"it does not sell: {self.one.calls.command('HGETALL', keys.inventory(self.event))}")

    def _sweep(self) -> None:
        self.one.upkeep(PersistQueue(redis.Redis.from_url(self.redis_url))).tick()

    def check_now(self) -> None:
        """What Redis has is what was told. Holds are honoured, and over then, as the clock moves much in a stage."""
        for token, seats in self.held.items():
            assert self.one.holds.get(self.event, token).seats == seats
            with pytest.raises(SeatUnavailable):
                self.one.buy_seats(self.event, self.new_key(), seats[0])
            self.one.holds.release(self.event, token)
        self.held.clear()
        counts = self.one.now(self.event).counts
        assert (counts.sold, counts.held) == (len(self._owned()), 0)
        assert self.one.set_aside.quarantined([self.event]) == len(self.aside)

    def check(self) -> None:
        """Nothing is oversold, lost or doubled, and the books agree."""
        self.recover()
        one = self.new_process()
        try:
            self._check_promises(one)
            self._check_record(one)
        finally:
            one.calls.close()

    def _check_promises(self, one: OneProcess) -> None:
        for key, receipt in {**self.sold, **self.cancelled}.items():
            assert one.order(self.event, key, self.orders[key]) == receipt, "one key, one receipt"

    def _check_record(self, one: OneProcess) -> None:
        owners = Counter((row.seat_id, row.purchase_id) for row in one.rows(sold_seats, self.event))
        assert owners == Counter(self._owned())
        recorded = {row.id for row in one.rows(purchases, self.event)}
        confirmed = {str(receipt.id) for receipt in (*self.sold.values(), *self.cancelled.values())}
        assert recorded == confirmed - self.unrecorded
        waiting = sum(row.resolution is None for row in one.rows(quarantine, self.event))
        assert waiting == len(self.aside)
        findings = [finding.what for finding in one.check.reconcile(self.event)]
        assert findings == ([f"{waiting} entries wait in quarantine"] if waiting else [])
        assert one.check.verify(self.event).broken is None

    def _owned(self) -> list[tuple[str, str]]:
        seats = [(seat, str(each.id)) for each in self.sold.values() for seat in HALL.seats_of(each.runs)]
        return [(seat, owner) for seat, owner in seats if seat not in self.returned]
