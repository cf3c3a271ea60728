"""The world of one sale: two Redis servers, SQL with backups, two web processes, two workers and an operator.

Everything in it is real but the clock, the network address of the primary, and who runs when.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from seating.domain.errors import EventNotFound, SeatingError
from seating.domain.merging import Preference
from seating.domain.position import Position
from seating.domain.purchase import Order, PurchaseId
from seating.domain.receipt import Receipt
from seating.redis_store import keys
from seating.redis_store.calls import Scripts
from seating.redis_store.open_events import OpenEvents
from seating.redis_store.terms import LogKeeping
from seating.services.answered import Answered
from seating.services.books import Books
from seating.services.event_changes import Fence
from seating.storage import watermarks
from seating.storage.database import Database
from seating.storage.quarantine import QuarantinedEntry
from seating.storage.terms import first_epoch
from tests import frozen_clock
from tests.one_process import OPERATOR, OneProcess
from tests.terms.backups import Backup, backup, restore
from tests.terms.hall import PLAN
from tests.terms.invariants import Invariants
from tests.terms.redis_pair import Content, RedisNode, RedisPair, texts
from tests.terms.stepwise import Job, StepwiseCalls
from tests.terms.told import Promise, Promises

LEASE_OVER_S: Final = 20


class NotedAnswers(Answered):
    """Knows what was noted last."""

    last: Position | None = None

    def note(self, event_id: str, position: Position, receipt: Receipt | None = None, idempotency: str = "") -> None:
        super().note(event_id, position, receipt, idempotency)
        self.last = position


class WebCalls(StepwiseCalls):
    """Asks SQL for the running terms before anything is sold on a new connection, as web processes do."""

    fence: Fence | None = None

    def _ask(self, calls: Any) -> Any:
        self._connection.connect()
        if self._connection.is_new and self.fence:
            self._connection.is_new = False
            self.fence.on_new_connection()
        return super()._ask(calls)

    @property
    def run_id(self) -> str | None:
        return self._connection.run_id


class Process:
    """One process of the sale. `number` tells it from the one that was there before a restart."""

    def __init__(self, world: "World", number: int) -> None:
        self.number = number
        self.one = OneProcess.build(
            world.pair.url, world.database, world.scripts, world.keeping, calling=WebCalls, answering=NotedAnswers
        )
        assert isinstance(self.one.calls, WebCalls)
        assert isinstance(self.one.answered, NotedAnswers)
        self.calls, self.noted = self.one.calls, self.one.answered
        self.calls.fence = Fence(world.database, self.one.inventory, self.one.seen)
        self.job: Job | None = None
        self.restores = 0
        self.known_epoch = 0


class World:
    """`faults` are what has happened that may lose something."""

    def __init__(
        self,
        pair: RedisPair,
        database: Database,
        clock: "WorldClock",
        scripts: Scripts | None = None,
        keep_s: int = 0,
    ) -> None:
        self.pair, self.database, self.clock = pair, database, clock
        self.scripts = scripts or frozen_clock.scripts()
        self.keeping = LogKeeping(keep_s)
        self.faults: set[str] = set()
        self.promises = Promises()
        self.tokens: list[str] = []
        self._processes = 0
        self.invariants = Invariants(self)
        pair.begin()
        restore(database, {})
        clock.now_ms = frozen_clock.NOON_MS
        pair.set_clock(clock.now_ms)
        self.webs = [self.new_process() for _ in range(2)]
        self.workers = [self.new_process() for _ in range(2)]
        self.event = self.workers[0].one.open(plan=PLAN)
        self.backups: list[Backup] = [backup(database)]
        pair.replicate()
        self.invariants.learn_terms()

    def new_process(self) -> Process:
        self._processes += 1
        return Process(self, self._processes)

    def close(self) -> None:
        for process in (*self.webs, *self.workers):
            if process.job:
                process.job.kill()
            process.calls.close()

    def move_clock(self, seconds: int) -> None:
        self.clock.now_ms += seconds * 1000
        self.pair.set_clock(self.clock.now_ms)

    # What web processes do, and tell.

    def tell(self, web: Process, kind: str, ask: Callable[[], Any], subject: str = "", key: str = "") -> Any:
        """The answer, noted as a promise; None where it was refused."""
        web.noted.last = None
        try:
            answer = ask()
        except SeatingError:
            return None
        position = web.noted.last
        if position is None:  # A purchase in quarantine was taken back: no seat has changed.
            return answer
        seats: tuple[str, ...] = ()
        if isinstance(answer, Receipt):
            subject, seats = str(answer.id), tuple(PLAN.seats_of(answer.runs))
        self.invariants.of_sale(web)
        self.invariants.of_position(web, position)
        known = self.promises.purchase(subject) if kind == "bought" else None
        if known:
            known.by.add(web.number)
        else:
            self.promises.told.append(Promise(kind, position, {web.number}, subject, seats, key))
        return answer

    def buy(self, number: int, key: str, order: Order) -> Receipt | None:
        web = self.webs[number]
        receipt: Receipt | None = self.tell(
            web, "bought", lambda: web.one.purchases.buy(self.event, "anonymous", key, order).receipt, key=key
        )
        if receipt:
            promise = self.promises.purchase(str(receipt.id))
            assert promise, "it was noted just now"
            assert promise.receipt in (None, receipt), "invariant 11: one purchase, two receipts"
            promise.order, promise.receipt = order, receipt
        return receipt

    def cancel(self, web: Process, promise: Promise) -> None:
        receipt_id = self.ids[promise.subject]
        self.promises.withdrawn.add(promise.subject)
        self.tell(web, "cancelled", lambda: web.one.cancel(receipt_id), subject=promise.subject)

    @property
    def ids(self) -> dict[str, Any]:
        return {one.subject: PurchaseId.parse(one.subject) for one in self.promises.told if one.kind == "bought"}

    def wait(self, web: Process, promise: Promise) -> None:
        """Asks whether SQL has the purchase, as `Prefer: wait` does."""
        if web.one.purchases.watch.wait(self.ids[promise.subject], 0):
            self.invariants.of_wait(promise)

    def set_seat(self, web: Process, seat: str, word: str) -> None:
        if word != "sold":
            self.promises.withdrawn.add(seat)
        kind = "box office" if word == "sold" else "other"
        self.tell(web, kind, lambda: web.one.seats.set(self.event, seat, word, OPERATOR), subject=seat)

    def flush(self, web: Process) -> None:
        """What it does every second; it knows the running term then."""
        web.one.answered.flush()
        web.known_epoch = web.one.seen.of([keys.inventory(self.event)]).epoch

    def replay(self, web: Process, number: int) -> None:
        """The operator takes what waits in quarantine after all."""
        aside = self._waiting(web, number)
        if aside:
            with suppress(SeatingError):
                web.one.quarantine.replay(self.event, str(aside.entry.position), OPERATOR)

    def take_back(self, web: Process, number: int) -> None:
        """The operator cancels what waits in quarantine."""
        aside = self._waiting(web, number)
        if aside:
            self.promises.withdrawn.add(str(aside.purchase_id))
            with suppress(SeatingError):
                web.one.quarantine.cancel(self.event, str(aside.entry.position), OPERATOR)
                self.promises.taken_back.add(str(aside.purchase_id))

    def _waiting(self, web: Process, number: int) -> QuarantinedEntry | None:
        try:
            found = web.one.quarantine.page(self.event, number, 1).items
        except EventNotFound:  # SQL was replaced.
            return None
        return found[0] if found else None

    def restart_web(self, number: int) -> None:
        self.webs[number].calls.close()
        self.webs[number] = self.new_process()

    # What workers and the operator do.

    def begin(self, worker: Process, work: Callable[[], object]) -> None:
        """Starts a job, unless one is running."""
        if worker.job is None:
            worker.restores = self.restores
            worker.job = Job(work)

    def go_on(self, worker: Process, steps: int) -> None:
        """Takes a worker's job further, by so many steps."""
        for _ in range(steps):
            job = worker.job
            if job is None:
                return
            self.invariants.of_step(worker, job.steps[-1] if job.steps else "")
            job.go_on()
            self.invariants.learn_terms()
            if job.is_over:
                worker.job = None
                self.invariants.of_error(worker, job.error)
                self.invariants.of_books()

    def round(self, worker: Process) -> None:
        self.begin(worker, lambda: worker.one.persistence.run_now(self.event))
        self.go_on(worker, 1000)
        assert worker.job is None, "invariant 9: a round that never ends"

    def kill(self, worker: Process) -> None:
        if worker.job:
            worker.job.kill()
            worker.job = None

    # What goes wrong.

    restores = 0

    def fail_over(self, old: str) -> None:
        self.faults.add("failover")
        self.pair.fail_over(old)

    def fail_back(self) -> None:
        self.faults.add("failover")
        self.pair.fail_back()

    def come_back(self, content: Content) -> None:
        self.faults.add("failover")
        self.pair.come_back(content)
        self.pair.set_clock(self.clock.now_ms)

    def empty(self) -> None:
        self.faults.add("emptied")
        self.pair.empty(self.clock.now_ms)

    def restore(self, kept: Backup) -> None:
        self.faults.add("restore")
        self.restores += 1
        restore(self.database, kept)
        # Nobody restores a database within the second of its backup, nor before the clock has reached the epochs that
        # were handed out meanwhile: in the product they are at least as far apart as the terms.
        ahead_s = self.invariants.highest_epoch() - first_epoch(self.clock.time())
        self.move_clock(max(2, ahead_s + 1))

    # What there is.

    def node_of(self, process: Process) -> RedisNode:
        run_id = process.calls.run_id
        return next((n for n in self.pair.nodes if n.identity.startswith(f"{run_id}:")), self.pair.primary)

    def inventory(self) -> dict[str, str]:
        return texts(self.pair.primary.client.hgetall(keys.inventory(self.event)))

    @property
    def books(self) -> Books:
        return Books(self.database, self.pair.primary.client, OpenEvents(self.workers[0].one.calls))

    # The end.

    def finish(self, prefer: Preference) -> None:
        """No more faults: the old primary is fenced off, all reconnect, rounds go on each second."""
        self.pair.standby.demote()
        self.pair.standby.cut_connections()
        for process in (*self.webs, *self.workers):
            self.kill(process)
            process.calls.close()
        self.move_clock(LEASE_OVER_S)
        if "epoch" not in self.inventory() and self.database.read(watermarks.read, self.event) is None:
            return  # Neither store remembers that there was such an event.
        if not self._settle():
            operator = self.workers[1].one
            operator.merge.run(self.event, prefer, OPERATOR)
            self.invariants.learn_terms()
            assert self._settle(), f"invariant 9: neither sold nor stopped: {self.inventory()}"
        self.invariants.of_end()

    def _settle(self) -> bool:
        """Some rounds, with what else is done every few seconds; True if it sells then, False if it is stopped."""
        for _ in range(6):
            for web in self.webs:
                self.flush(web)
            self.round(self.workers[0])
            self.move_clock(3)
        inventory = self.inventory()
        if inventory.get("stopped"):
            return False
        assert inventory.get("server") == self.pair.primary.identity, f"invariant 9: closed for good: {inventory}"
        assert inventory["seq"] == inventory["persisted"], "invariant 9: not recorded"
        return True


class WorldClock:
    """Stands in for the module `time`; the scripts read the same moment in Redis."""

    def __init__(self) -> None:
        self.now_ms = frozen_clock.NOON_MS

    def time(self) -> float:
        return self.now_ms / 1000

    def time_ns(self) -> int:
        return self.now_ms * 1_000_000

    def monotonic(self) -> float:
        return self.now_ms / 1000

    def sleep(self, seconds: float) -> None:
        """Takes no time: who else goes on, and when, is for the test to say."""
