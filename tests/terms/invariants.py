"""What must hold whatever happens to a world, looked at after each step and in the end."""

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from seating.domain.change_json import parse_change
from seating.domain.changes import SeatSet
from seating.domain.errors import SeatingError
from seating.domain.log_entry import Checkpoint
from seating.domain.position import Position
from seating.domain.recovery_errors import Overtaken, RebuildRefused
from seating.domain.seat_status import BOX_OFFICE
from seating.redis_store import keys
from seating.services import recorded_state
from seating.storage import answered, ledger, purchases, watermarks
from seating.storage.tables import answered as answered_table
from seating.storage.tables import ledger as ledger_table
from seating.storage.tables import quarantine as quarantine_table
from seating.storage.tables import terms
from tests.terms.hall import PLAN
from tests.terms.redis_pair import texts
from tests.terms.told import Kept, Promise, twice

if TYPE_CHECKING:
    from tests.terms.world import Process, World


class Invariants:
    def __init__(self, world: "World") -> None:
        self.world = world
        self._links: dict[Position, str] = {}
        self._term_servers: dict[int, str] = {}

    def of_error(self, worker: "Process", error: Exception | None) -> None:
        """A job may give up, and whoever has its database exchanged under it may stumble."""
        exchanged = isinstance(error, IntegrityError) and self.world.restores != worker.restores
        if error and not exchanged and not isinstance(error, SeatingError | Overtaken | RebuildRefused):
            raise error

    def of_sale(self, web: "Process") -> None:
        node = self.world.node_of(web)
        epoch = int(node.client.hget(keys.inventory(self.world.event), "epoch") or 0)
        named = self._term_servers.get(epoch)
        assert epoch >= web.known_epoch, f"invariant 5: a sale in {epoch} by one who knows of {web.known_epoch}"
        assert named is not None, f"invariant 5: a sale in {epoch}, which SQL never had"
        assert named == node.identity, f"invariant 5: a sale in {epoch} on a server that the term does not name"

    def of_position(self, web: "Process", position: Position) -> None:
        found = self.world.node_of(web).client.xrange(keys.log(self.world.event), str(position), str(position))
        if found:
            link = found[0][1][b"link"].decode()
            told = self._links.setdefault(position, link)
            assert told == link, f"invariant 1: {position} was told twice, of two entries"

    def of_step(self, worker: "Process", step: str) -> None:
        if step == "stop":
            assert "restore" in self.world.faults, "invariant 7: SQL is blamed, and was never restored"
        if step == "rebuild_finish" and self.world.restores == worker.restores:
            known = self.world.node_of(worker).client.hget(keys.inventory(self.world.event), "acknowledged")
            if known:
                position, link = known.decode().split(" ")
                checkpoint = Checkpoint(Position.parse(position), link)
                has = self.world.database.read(ledger.has, self.world.event, checkpoint)
                assert has, f"invariant 6: wiped, and SQL lacks {checkpoint}"

    def of_wait(self, promise: Promise) -> None:
        """`promise` was answered as recorded, just now."""
        standing = self.world.database.read(purchases.standing, self.world.event)
        assert promise.subject in standing, f"invariant 4: {promise.subject} is said to be in SQL, and is not"

    def highest_epoch(self) -> int:
        """Of all that a term or an answer was ever told by."""
        return max(*self._term_servers, *(position.epoch for position in self._links), 0, 0)

    def learn_terms(self) -> None:
        query = select(ledger_table.c.epoch, ledger_table.c.change).where(ledger_table.c.change.contains('"trusted"'))
        for epoch, change in self.world.database.read(lambda connection: connection.execute(query).all()):
            self._term_servers[epoch] = json.loads(change)["server"]

    def of_books(self) -> None:
        """Where the primary sells and SQL has all of it, fold, Redis and tables agree."""
        primary = self.world.pair.primary
        inventory = texts(primary.client.hgetall(keys.inventory(self.world.event)))
        if inventory.get("server") != primary.identity or "stopped" in inventory:
            return
        checkpoint = self.world.database.read(watermarks.read, self.world.event)
        reached = f"{inventory['epoch']}-{inventory['seq']} {inventory['chain']}"
        if checkpoint is None or f"{checkpoint.position} {checkpoint.link}" != reached:
            return
        findings = [finding.what for finding in self.world.books.reconcile(self.world.event)]
        wrong = [what for what in findings if "quarantine" not in what and "are lost" not in what]
        assert wrong == [], f"invariant 12: {wrong}"

    def of_end(self) -> None:
        self.of_books()
        verified = self.world.books.verify(self.world.event)
        assert verified.broken is None, f"invariant 12: {verified.broken}"
        kept = self.kept()
        broken = list(self.world.promises.broken(kept, {web.number for web in self.world.webs}))
        assert broken == [], f"invariant 3: {broken}"
        if not self.world.faults:
            assert kept.losses == [], f"nothing happened that loses something: {kept.losses}"
            assert kept.aside == {}, f"nothing happened that puts something aside: {kept.aside}"
        keyed = [one for one in self.world.promises.told if one.kind == "bought" and kept.standing.get(one.subject)]
        assert twice(one.key for one in keyed) == [], "invariant 10: one key has bought twice"
        seats = [seat for one in keyed for seat in one.seats]
        assert twice(seats) == [], "invariant 2: a seat has two owners"
        for one in keyed:
            state = self.world.webs[0].one.purchases.get(self.world.ids[one.subject]).state
            assert state == "persisted", f"invariant 11: {one.subject} is {state}"
            assert one.order
            again = self.world.buy(0, one.key, one.order)
            if again is None:  # Who has seen more than this Redis has closes it until the next term.
                self.world.round(self.world.workers[0])
                again = self.world.buy(0, one.key, one.order)
            assert again == one.receipt, f"invariant 11: {one.subject} has the receipt {again}"

    def _remembered(self, connection: Any) -> dict[int, range]:
        """The seqs of each epoch that SQL knows to be answered; of one without entries, from the lowest told on."""
        begun = set(connection.execute(select(terms.c.epoch).where(terms.c.first_seq.is_not(None))).scalars())
        return {
            row.epoch: range(0 if row.epoch in begun else row.lowest_seq or row.seq, row.seq + 1)
            for row in connection.execute(select(answered_table))
        }

    def kept(self) -> Kept:
        def read(connection: Any) -> Kept:
            aside: dict[Position, set[str | None]] = {}
            named: set[str] = set()
            for row in connection.execute(select(quarantine_table)):
                aside.setdefault(Position(row.epoch, row.seq), set()).add(row.resolution)
                change = parse_change(row.change)
                if isinstance(change, SeatSet):
                    named |= set(PLAN.seats_of(change.runs))
            state = recorded_state.fold(connection, self.world.event)
            return Kept(
                state.state.state,
                set(PLAN.seats_of(state.state.runs_of(BOX_OFFICE))),
                {one: left > 0 for one, left in purchases.standing(connection, self.world.event).items()},
                aside,
                named,
                self._remembered(connection),
                answered.losses(connection, self.world.event),
            )

        return self.world.database.read(read)
