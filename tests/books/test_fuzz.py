"""The scripts on a real Redis against a plain model of a sale: whatever happens, both say the same.

`make fuzz` tries more histories, each of 50 steps.
"""

import tempfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from seating.domain.errors import HoldExpired, SeatingError
from seating.domain.purchase import Order
from seating.domain.receipt import Receipt
from seating.domain.seat_selection import SeatSelection
from seating.domain.seat_status import SETTABLE
from seating.domain.seating_plan import SeatingPlan
from seating.redis_store import keys
from seating.services.holds import HeldSeats
from seating.storage import migrations
from seating.storage.database import Database
from tests import frozen_clock
from tests.books.sale_model import Refused, SaleModel
from tests.fuzz_runs import fuzz_runs, takes_long
from tests.one_process import HOLD_LIMITS, OPERATOR, OneProcess

PLAN = SeatingPlan(
    [
        [[f"A{n}" for n in range(7)], [f"B{n}" for n in range(4)]],
        [[f"C{n}" for n in range(3)], [f"D{n}" for n in range(5)]],
    ]
)
SEATS = [seat for block in PLAN.blocks for row in block for seat in row]

MAX_MS = HOLD_LIMITS.max_s * 1000

some_seats = st.lists(st.sampled_from(SEATS), min_size=1, max_size=4, unique=True)
holders = st.sampled_from(["one", "another"])


class SaleMachine(RuleBasedStateMachine):
    sale: OneProcess

    tokens: Bundle[str] = Bundle("tokens")
    bought: Bundle[Any] = Bundle("bought")

    @initialize()
    def begin(self) -> None:
        self.sale.calls.command("FLUSHALL")
        self.sale.calls.command("SET", frozen_clock.CLOCK, frozen_clock.NOON_MS)
        self.event = self.sale.open(plan=PLAN)
        limits_ms = (HOLD_LIMITS.ttl_s * 1000, MAX_MS, HOLD_LIMITS.extend_step_s * 1000)
        self.model = SaleModel(PLAN, *limits_ms, HOLD_LIMITS.max_seats, frozen_clock.NOON_MS)
        self.keys: dict[str, tuple[str, Order]] = {}
        self.steps = 0

    def both(self, product: Callable[[], Any], model: Callable[[], Any]) -> Any:
        """What the product answers, None where both refuse, for one reason."""
        refusal, expected = _outcome(model)
        if refusal is not None:
            with pytest.raises(SeatingError) as refused:
                product()
            assert refused.value.code == refusal
            return None
        answer = product()
        if isinstance(answer, Receipt):
            assert PLAN.seats_of(answer.runs) == expected
        if isinstance(answer, HeldSeats) and isinstance(expected, list):
            assert answer.seats == expected
        return answer

    def key(self) -> str:
        self.steps += 1
        return f"key {self.steps}"

    def buy(self, order: Order, model: Callable[[str], Any]) -> Any:
        key = self.key()
        receipt = self.both(
            lambda: self.sale.purchases.buy(self.event, "anonymous", key, order).receipt, lambda: model(key)
        )
        return multiple() if receipt is None else (key, order, receipt)

    @rule(target=bought, quantity=st.integers(1, 10), together=st.booleans())
    def buy_quantity(self, quantity: int, together: bool) -> Any:
        return self.buy(Order(quantity, together), lambda key: self.model.buy(key, quantity, together=together))

    @rule(target=bought, seats=some_seats)
    def buy_chosen(self, seats: list[str]) -> Any:
        return self.buy(Order(len(seats), seats=tuple(seats)), lambda key: self.model.buy(key, seats=seats))

    @rule(target=bought, token=tokens)
    def buy_held(self, token: str) -> Any:
        return self.buy(Order(0, hold_token=token), lambda key: self.model.buy_held(key, token))

    @rule(purchase=bought)
    def buy_again(self, purchase: tuple[str, Order, Receipt]) -> None:
        key, order, receipt = purchase
        assert self.sale.purchases.buy(self.event, "anonymous", key, order).receipt == receipt

    @rule(purchase=bought, chosen=st.sets(st.integers(0, 9), min_size=1))
    def cancel_part(self, purchase: tuple[str, Order, Receipt], chosen: set[int]) -> None:
        key, _, receipt = purchase
        own = PLAN.seats_of(receipt.runs)
        seats = {own[number % len(own)] for number in chosen}
        self.model.cancel_part(key, seats)
        for _ in range(2):
            found = self.sale.purchases.cancel(receipt.id, OPERATOR, ",".join(sorted(seats)))
            assert seats <= set(found.cancelled_seats)
            assert set(own) - set(found.cancelled_seats) == set(self.model.purchases[key])
            assert (found.state == "cancelled") == (not self.model.purchases[key])

    @rule(purchase=consumes(bought))
    def cancel(self, purchase: tuple[str, Order, Receipt]) -> None:
        self.model.cancel(purchase[0])
        for _ in range(2):
            assert self.sale.cancel(purchase[2].id) == "cancelled"

    @rule(target=tokens, quantity=st.integers(1, 10), holder=holders, keyed=st.booleans())
    def hold_quantity(self, quantity: int, holder: str, keyed: bool) -> Any:
        return self.hold(Order(quantity), holder, keyed, quantity, None)

    @rule(target=tokens, seats=some_seats, holder=holders, keyed=st.booleans())
    def hold_chosen(self, seats: list[str], holder: str, keyed: bool) -> Any:
        return self.hold(Order(len(seats), seats=tuple(seats)), holder, keyed, 0, seats)

    def hold(self, order: Order, holder: str, keyed: bool, quantity: int, seats: list[str] | None) -> Any:
        key = self.key() if keyed else None
        held = self.both(
            lambda: self.sale.holds.hold(self.event, "anonymous", holder, key, order),
            lambda: self.model.hold("new", holder, quantity, seats),
        )
        if held is None:
            return multiple()
        self.model.holds[held.token] = self.model.holds.pop("new")
        if key is not None:
            self.keys[held.token] = key, order
        return held.token

    @rule(token=tokens)
    def hold_again(self, token: str) -> None:
        """With the key of a hold, while that tells it, and for a while after its end."""
        if token not in self.keys:
            return
        key, order = self.keys[token]
        hold = self.model.holds.get(token)
        if hold and self.model.now_ms < hold.until_ms:
            again = self.sale.holds.hold(self.event, "anonymous", "anybody", key, order)
            assert (again.token, again.seats, again.replayed) == (token, hold.seats, True)
            assert (again.record.until_ms, again.record.left_ms) == (hold.until_ms, hold.until_ms - self.model.now_ms)
        elif self.model.now_ms < self.model.ended_ms.get(token, 0) + MAX_MS or hold:
            with pytest.raises(HoldExpired):
                self.sale.holds.hold(self.event, "anonymous", "anybody", key, order)

    @rule(token=tokens, add=st.lists(st.sampled_from(SEATS), max_size=3, unique=True), remove=some_seats)
    def change(self, token: str, add: list[str], remove: list[str]) -> None:
        remove = [seat for seat in remove if seat not in add]
        self.both(
            lambda: self.sale.holds.change(self.event, token, add, remove),
            lambda: self.model.change(token, add, remove),
        )

    @rule(token=tokens)
    def extend(self, token: str) -> None:
        expected: list[int] = []
        held = self.both(
            lambda: self.sale.holds.extend(self.event, token), lambda: expected.append(self.model.extend(token))
        )
        if held is not None:
            assert [held.record.until_ms] == expected

    @rule(token=tokens)
    def release(self, token: str) -> None:
        self.both(lambda: self.sale.holds.release(self.event, token), lambda: self.model.release(token))

    @rule(move_ms=st.integers(1, 700_000))
    def time_passes(self, move_ms: int) -> None:
        self.model.now_ms += move_ms
        self.sale.calls.command("SET", frozen_clock.CLOCK, self.model.now_ms)

    @rule(token=tokens, before_ms=st.sampled_from([1, 0]))
    def time_passes_to_the_end_of(self, token: str, before_ms: int) -> None:
        hold = self.model.holds.get(token)
        if hold and hold.until_ms > self.model.now_ms:
            self.time_passes(hold.until_ms - before_ms - self.model.now_ms)

    @rule()
    def sweep(self) -> None:
        self.model.release_due()
        self.sale.holds.store.expire(self.event)

    @rule(
        seats=st.lists(st.sampled_from(SEATS), min_size=1, max_size=4, unique=True), word=st.sampled_from([*SETTABLE])
    )
    def set_seats(self, seats: set[str], word: str) -> None:
        chosen = SeatSelection(tuple(sorted(seats)))
        self.both(
            lambda: self.sale.seats.set_all(self.event, chosen, word, OPERATOR),
            lambda: self.model.set_seats(sorted(seats), SETTABLE[word]),
        )

    @rule(state=st.sampled_from(["on_sale", "on_sale", "paused"]))
    def set_state(self, state: str) -> None:
        self.model.state = state
        self.sale.events.set_state(self.event, state, OPERATOR)

    @rule()
    def persist(self) -> None:
        self.sale.persist(self.event)

    @precondition(lambda self: self.steps % 7 == 3)
    @rule()
    def rebuild(self) -> None:
        self.sale.persist(self.event)
        self.sale.calls.command("UNLINK", *keys.all_of(self.event))
        self.sale.persist(self.event)
        self.model.release_due()
        self.model.forget_holders()

    @precondition(lambda self: self.steps % 5 == 2)
    @rule()
    def restart(self) -> None:
        """Redis comes back as it was, as another server."""
        self.sale.calls.command("HSET", keys.inventory(self.event), "server", "before")
        self.sale.persist(self.event)

    @precondition(lambda self: self.steps % 5 == 4)
    @rule()
    def diverge(self) -> None:
        """The log has lost the entry that SQL has last: all that follows is of another history, and is replayed."""
        recorded = self.sale.now(self.event).backlog.persisted_position
        self.sale.calls.command("XDEL", keys.log(self.event), str(recorded))
        self.sale.persist(self.event)
        self.model.release_due()
        self.model.forget_holders()
        self.keys.clear()  # Those of holds that lapsed before they were replayed are forgotten.

    @invariant()
    def same_seats(self) -> None:
        """Neither sweeps for this look: what is due is released by whatever needs it, in both."""
        counts = self.sale.now(self.event).counts
        assert {"sold": counts.sold, "held": counts.held, "blocked": counts.blocked} == self.model.counts()
        found = self.sale.calls.command("HGETALL", keys.seats(self.event))
        maps = {int(block): seats.decode() for block, seats in zip(found[::2], found[1::2], strict=True)}
        assert [maps[block] for block in sorted(maps)] == self.model.maps()

    def teardown(self) -> None:
        if not hasattr(self, "event"):
            return
        self.sale.persist(self.event)
        assert self.sale.check.reconcile(self.event) == []
        assert self.sale.check.verify(self.event).broken is None


def _outcome(model: Callable[[], Any]) -> tuple[str | None, Any]:
    """The code of the refusal, or what the model answers."""
    try:
        return None, model()
    except Refused as refusal:
        return str(refusal), None


@takes_long
def test_product_and_model_agree(redis_url: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/seating.db", checkpoints=True)
        migrations.upgrade(database)
        SaleMachine.sale = OneProcess.build(redis_url, database, frozen_clock.scripts())
        run_state_machine_as_test(
            SaleMachine,
            settings=settings(
                max_examples=fuzz_runs(15),
                stateful_step_count=50,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
        database.close()
