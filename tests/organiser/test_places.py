"""The organiser's places in general admission: counted, with and without categories, and who did so, when and why."""

import pytest

from seating.domain.actor import Actor
from seating.domain.change_json import change_json
from seating.domain.changes import SeatSet
from seating.domain.errors import InvalidRequest, SoldOut
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import GENESIS, Checkpoint, LogEntry
from seating.domain.merging import merge
from seating.domain.offer import CategoryOffer, Offer
from seating.domain.position import Position
from seating.domain.replay import Replay
from seating.domain.replay_decision import Outcome
from seating.domain.seat_selection import PlacesOutcomeUnknown, SeatSelection
from seating.domain.seat_status import AVAILABLE, BLOCKED, BOX_OFFICE, SETTABLE
from seating.redis_store import keys
from seating.storage import audit as audit_record
from seating.storage.tables import ledger
from tests.one_process import OPERATOR, OneProcess
from tests.redis_store.conftest import proxy
from tests.redis_store.tcp_proxy import Fault, TcpProxy
from tests.terms.backups import backup, restore, trim

__all__ = ["proxy"]

ADA = Actor("ada", why="for the sponsor")
FLOOR, BOX = (CategoryOffer(name, capacity=8, blocks=((n, n),)) for n, name in enumerate(("Floor", "Box")))


@pytest.fixture(params=[None, "Floor"])
def category(request: pytest.FixtureRequest) -> str | None:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def event(sale: OneProcess, category: str | None) -> str:
    offer = Offer((FLOOR, BOX)) if category else None
    return sale.event_creation.create("Open air", 16 if offer else 8, None, OPERATOR, offer).event.id


class Organiser:
    def __init__(self, sale: OneProcess, event: str, category: str | None) -> None:
        self.sale, self.event, self.category = sale, event, category

    def set(self, status: str, quantity: int, now: str = "available", by: Actor = OPERATOR) -> int:
        chosen = SeatSelection(category=self.category, quantity=quantity, places_are=SETTABLE[now])
        return self.sale.seats.set_all(self.event, chosen, status, by).changed

    def counts(self) -> tuple[int, int, int, int]:
        """Sold, held, blocked and, of the category, remaining."""
        found = self.sale.now(self.event).counts
        return found.sold, found.held, found.blocked, found.remaining - (8 if self.category else 0)

    def listed(self, status: str | None = None) -> list[tuple[str, int, str | None, str | None]]:
        found = self.sale.seats.set_by_organiser(self.event, "", 10, status)
        assert found.page.items == []
        assert {one.category for one in found.places} <= {self.category}
        return [(one.status, one.quantity, one.by and one.by.name, one.by and one.by.why) for one in found.places]


@pytest.fixture
def organiser(sale: OneProcess, event: str, category: str | None) -> Organiser:
    return Organiser(sale, event, category)


def right(sale: OneProcess, event: str) -> None:
    sale.persist(event)
    assert sale.check.reconcile(event) == []
    assert sale.check.verify(event).broken is None


def test_places_are_counted_and_listed(sale: OneProcess, event: str, organiser: Organiser) -> None:
    sale.buy(event, "k", 1)
    assert [organiser.set("reserved", 2), organiser.set("sold", 2), organiser.set("held", 1)] == [2, 2, 1]
    assert organiser.set("reserved", 1, by=ADA) == 1
    assert organiser.counts() == (3, 1, 3, 1)
    with pytest.raises(SoldOut) as refused:
        organiser.set("sold", 2)
    assert refused.value.facts["seats_remaining"] == 1
    for now in ("sold", "held"):  # The buyer's are none of them.
        with pytest.raises(SoldOut):
            organiser.set("available", 3, now)
    right(sale, event)
    assert organiser.listed() == [
        ("b", 2, "operator", "a test"),
        ("o", 1, "operator", "a test"),
        ("r", 3, "ada", "for the sponsor"),
    ]
    assert organiser.listed("held") == [("o", 1, "operator", "a test")]
    assert [organiser.set("available", 1, "sold"), organiser.set("available", 1, "held")] == [1, 1]
    assert organiser.counts() == (2, 0, 3, 3)
    sale.persist(event)
    assert [(status, quantity) for status, quantity, *_ in organiser.listed()] == [("b", 1), ("r", 3)]
    (sold,) = sale.box_office.sales(event)
    assert (sold.seat, sold.category, sold.quantity) == ("", organiser.category, 1)
    assert sold.at_ms
    acts = sale.database.read(audit_record.page, None, 10, event, None)
    target = "1 of Floor" if organiser.category else "1 place"
    assert (acts[0].act.target, acts[0].act.before, acts[0].act.after) == (target, "held", "available")


def test_an_unknown_outcome_is_looked_at_before_it_is_repeated(
    sale: OneProcess, event: str, organiser: Organiser, proxy: TcpProxy
) -> None:
    cut = Organiser(OneProcess.build(proxy.url, sale.database), event, organiser.category)
    proxy.strike(b"for the sponsor", Fault.DROP_REPLY)
    with pytest.raises(PlacesOutcomeUnknown) as unknown:
        cut.set("reserved", 2, by=ADA)
    assert unknown.value.retry_after_s is None
    sale.persist(event)
    assert organiser.listed() == [("r", 2, "ada", "for the sponsor")]


@pytest.mark.parametrize("way", ["lost", "rebuild"])
def test_a_rebuild_knows_them(sale: OneProcess, event: str, organiser: Organiser, way: str) -> None:
    organiser.set("reserved", 3)
    organiser.set("sold", 2)
    sale.persist(event)
    if way == "lost":
        sale.calls.command("UNLINK", *keys.all_of(event))
        sale.persist(event)
    else:
        sale.rebuild.run(event, "a drill", claimable="any")
    right(sale, event)
    assert organiser.counts() == (2, 0, 3, 3)
    assert organiser.set("available", 2, "sold") == 2
    right(sale, event)
    assert [(status, quantity) for status, quantity, *_ in organiser.listed()] == [("r", 3)]


def test_a_merge_knows_them(sale: OneProcess, event: str, organiser: Organiser) -> None:
    organiser.set("sold", 1)
    sale.persist(event)
    saved = backup(sale.database)
    organiser.set("sold", 2)
    organiser.set("reserved", 1)
    sale.persist(event)
    trim(sale, event)
    restore(sale.database, saved)
    sale.persist(event)
    sale.merge.run(event, "sql", OPERATOR)
    right(sale, event)
    acts = sale.database.read(audit_record.page, None, 10, event, None)
    (blocked,) = [one.act for one in acts if one.act.after == "reserved"]  # All that the log still had.
    assert blocked.target == ("1 of Floor" if organiser.category else "1 place")
    assert organiser.counts() == (3, 0, 1, 4)
    assert organiser.listed() == [("b", 3, None, None), ("r", 1, None, None)]
    assert [(one.quantity, one.at_ms) for one in sale.box_office.sales(event)] == [(3, None)]
    organiser.set("reserved", 1, by=ADA)
    sale.persist(event)
    assert organiser.listed("reserved") == [("r", 2, "ada", "for the sponsor")]


def test_what_no_longer_fits_waits() -> None:
    """Another history has sold the places meanwhile."""
    record = InventoryState([], capacity=8, sold=6)
    changes = [SeatSet(2, AVAILABLE, BOX_OFFICE, 0, [], quantity=number) for number in (3, 2)]
    changes.append(SeatSet(3, BLOCKED, AVAILABLE, 0, [], quantity=1))
    fork = [LogEntry(Position(1, seq), change_json(change), "") for seq, change in enumerate(changes, 2)]
    outcomes = Replay(record, Checkpoint(Position(2, 5), GENESIS), 9).run(fork)
    assert [one.outcome for one in outcomes] == [Outcome.WAITS, Outcome.REPLAYED, Outcome.WAITS]
    assert (record.sold, record.organised) == (8, "b2o0r0")
    preferred = InventoryState([], capacity=8, sold=7)
    merged = merge("e", preferred, InventoryState([], capacity=8, sold=3, organised="b3o0r0"), str)
    assert (preferred.sold, preferred.organised) == (8, "b1o0r0")
    assert [run.length for run in merged.box_office] == [2]


def test_a_damaged_count_is_made_anew(sale: OneProcess) -> None:
    event = sale.open(capacity=8)
    organiser = Organiser(sale, event, None)
    organiser.set("held", 2)
    sale.persist(event)
    sale.calls.command("HSET", keys.inventory(event), "organised", "nonsense")
    assert sale.check.reconcile(event) != []
    sale.rebuild.run(event, "a drill", claimable="any")
    right(sale, event)
    assert organiser.set("available", 2, "held") == 2


def test_a_category_is_named_where_there_are_any(sale: OneProcess) -> None:
    with_categories = sale.event_creation.create("Open air", 16, None, OPERATOR, Offer((FLOOR, BOX))).event.id
    without = sale.open(capacity=8)
    for event, category, field in ((with_categories, None, "category"), (without, "Floor", "category")):
        with pytest.raises(InvalidRequest) as refused:
            sale.seats.set_all(event, SeatSelection(category=category, quantity=1), "reserved", OPERATOR)
        assert refused.value.facts["field"] == field
    assert sale.rows(ledger, without)[0].seq == 1
