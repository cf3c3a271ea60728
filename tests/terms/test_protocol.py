"""Random histories of two Redis servers, SQL and all who use them: whatever happens, no promise is broken silently.

`SEATING_TERMS_RUNS` is how many histories are tried, with SQLite and with Postgres.
"""

import os
import sys
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from seating.domain.merging import Preference
from seating.domain.purchase import Order
from seating.redis_store.rebuilding import Claimable
from seating.storage.database import Database
from tests.one_process import OPERATOR
from tests.terms.backups import backup
from tests.terms.hall import SEATS
from tests.terms.histories import HISTORIES
from tests.terms.redis_pair import RedisPair
from tests.terms.world import LEASE_OVER_S, World, WorldClock

SHORT = 10
RUNS = int(os.environ.get("SEATING_TERMS_RUNS", SHORT))

some_web = st.integers(0, 1)
some_worker = st.integers(0, 1)
some_seat = st.sampled_from(SEATS)
prefers: st.SearchStrategy[Preference] = st.sampled_from(["redis", "sql"])
claimables: st.SearchStrategy[Claimable] = st.sampled_from(["closed", "recorded"])


class Protocol(RuleBasedStateMachine):
    pair: RedisPair
    database: Database
    clock: WorldClock

    @initialize(prefer=prefers, keep_s=st.sampled_from([0, 86_400]), before=st.sampled_from(HISTORIES))
    def begin(self, prefer: Preference, keep_s: int, before: Callable[[World], None]) -> None:
        self.world = World(self.pair, self.database, self.clock, keep_s=keep_s)
        self.prefer = prefer
        before(self.world)

    @rule(web=some_web, seat=some_seat, variant=st.integers(0, 1))
    def buy_seat(self, web: int, seat: str, variant: int) -> None:
        self.world.buy(web, f"{seat} {variant}", Order(1, seats=(seat,)))

    @rule(web=some_web, quantity=st.integers(1, 2), variant=st.integers(0, 3))
    def buy_best(self, web: int, quantity: int, variant: int) -> None:
        self.world.buy(web, f"{quantity} best {variant}", Order(quantity))

    @rule(web=some_web, number=st.integers(0, 3))
    def buy_held(self, web: int, number: int) -> None:
        if number < len(self.world.tokens):
            token = self.world.tokens[number]
            self.world.buy(web, token, Order(0, hold_token=token))

    @rule(web=some_web, seat=some_seat)
    def hold(self, web: int, seat: str) -> None:
        process = self.world.webs[web]
        held = self.world.tell(process, "other", lambda: process.one.hold(self.world.event, seat))
        if held:
            self.world.tokens.append(held.token)

    @rule(web=some_web, number=st.integers(0, 3))
    def release(self, web: int, number: int) -> None:
        world, process = self.world, self.world.webs[web]
        if number < len(world.tokens):
            world.tell(process, "other", lambda: process.one.holds.release(world.event, world.tokens[number]) or True)

    @rule(web=some_web, number=st.integers(0, 5))
    def cancel(self, web: int, number: int) -> None:
        bought = [one for one in self.world.promises.told if one.kind == "bought"]
        if number < len(bought):
            self.world.cancel(self.world.webs[web], bought[number])

    @rule(web=some_web, number=st.integers(0, 5))
    def wait(self, web: int, number: int) -> None:
        bought = [one for one in self.world.promises.told if one.kind == "bought"]
        if number < len(bought):
            self.world.wait(self.world.webs[web], bought[number])

    @rule(web=some_web, number=st.integers(0, 1))
    def replay(self, web: int, number: int) -> None:
        self.world.replay(self.world.webs[web], number)

    @rule(web=some_web, number=st.integers(0, 1))
    def take_back(self, web: int, number: int) -> None:
        self.world.take_back(self.world.webs[web], number)

    @rule(web=some_web, seat=some_seat, word=st.sampled_from(["sold", "available"]))
    def set_seat(self, web: int, seat: str, word: str) -> None:
        self.world.set_seat(self.world.webs[web], seat, word)

    @rule(web=some_web, state=st.sampled_from(["paused", "on_sale", "on_sale", "on_sale", "closed"]))
    def set_state(self, web: int, state: str) -> None:
        process = self.world.webs[web]
        kind = "closed" if state == "closed" else "other"
        self.world.tell(process, kind, lambda: process.one.events.set_state(self.world.event, state, OPERATOR))

    @rule(web=some_web)
    def flush(self, web: int) -> None:
        self.world.flush(self.world.webs[web])

    @rule(web=some_web)
    def restart_web(self, web: int) -> None:
        self.world.restart_web(web)

    @rule(worker=some_worker, steps=st.integers(1, 12))
    def work(self, worker: int, steps: int) -> None:
        process = self.world.workers[worker]
        self.world.begin(process, lambda: process.one.persistence.run_now(self.world.event))
        self.world.go_on(process, steps)

    @rule(worker=some_worker)
    def round(self, worker: int) -> None:
        self.world.round(self.world.workers[worker])

    @rule(worker=some_worker)
    def kill_worker(self, worker: int) -> None:
        self.world.kill(self.world.workers[worker])

    @rule(prefer=prefers, steps=st.integers(1, 30))
    def merge(self, prefer: Preference, steps: int) -> None:
        operator = self.world.workers[1]
        self.world.begin(operator, lambda: operator.one.merge.run(self.world.event, prefer, OPERATOR))
        self.world.go_on(operator, steps)

    @rule(claimable=claimables, steps=st.integers(1, 30))
    def rebuild(self, claimable: Claimable, steps: int) -> None:
        operator = self.world.workers[1]
        self.world.begin(
            operator,
            lambda: operator.one.rebuild.run(self.world.event, "asked", claimable=claimable),
        )
        self.world.go_on(operator, steps)

    @rule(seconds=st.sampled_from([1, LEASE_OVER_S, 700]))
    def time_passes(self, seconds: int) -> None:
        self.world.move_clock(seconds)

    @rule()
    def replicate(self) -> None:
        self.world.pair.replicate()

    @rule(old=st.sampled_from(["gone", "demoted", "sells on"]))
    def fail_over(self, old: str) -> None:
        self.world.fail_over(old)

    @rule()
    def fail_back(self) -> None:
        self.world.fail_back()

    @rule()
    def restart_redis(self) -> None:
        self.world.pair.restart()

    @rule()
    def empty_redis(self) -> None:
        self.world.empty()

    @rule()
    def back_up(self) -> None:
        self.world.backups.append(backup(self.database))

    @rule(number=st.sampled_from([0, 1, 2, None]))
    def restore(self, number: int | None) -> None:
        """None is an empty database."""
        if number is None:
            self.world.restore({})
        elif number < len(self.world.backups):
            self.world.restore(self.world.backups[number])

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            if sys.exc_info()[0] is None:  # What a step has found is not to be hidden by what comes of it.
                self.world.finish(self.prefer)
        finally:
            self.world.close()


@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("database", ["sqlite"] if RUNS == SHORT else ["sqlite", "postgres"], indirect=True)
def test_no_promise_is_broken(pair: RedisPair, database: Database, clock: WorldClock) -> None:
    Protocol.pair, Protocol.database, Protocol.clock = pair, database, clock
    run_state_machine_as_test(
        Protocol,
        settings=settings(
            max_examples=RUNS,
            derandomize=RUNS == SHORT,  # The short form is the same each time; new histories are for the long one.
            stateful_step_count=40,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            **({"phases": [Phase.generate]} if os.environ.get("NOSHRINK") else {}),
        ),
    )
