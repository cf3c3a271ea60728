"""The purchase script on a real Redis: what it sells, to whom again, and what it refuses."""

import json
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from seating.domain.change_json import parse_change
from seating.domain.changes import Opened, Purchased
from seating.domain.errors import (
    BacklogFull,
    IdempotencyKeyReused,
    InventoryUnavailable,
    NotTogether,
    SoldOut,
)
from seating.domain.log_entry import Checkpoint
from seating.domain.position import Position
from seating.domain.purchase import Order
from seating.domain.seating_plan import GeneratedPlan, SeatRange, generate
from seating.redis_store import keys
from seating.redis_store.calls import Scripts
from seating.redis_store.connection import DirectCalls, ScriptConnection
from seating.redis_store.event_log import EventLog
from seating.redis_store.event_scripts import MissingInventory
from seating.redis_store.inventory import Inventory
from seating.redis_store.set_aside import SetAside
from seating.redis_store.terms import LogKeeping, Terms
from tests.inventory.conftest import whole_log

Open = Callable[..., str]
Acknowledge = Callable[..., bool]


def test_sells_until_nothing_is_left(inventory: Inventory, opened: Open) -> None:
    event = opened(capacity=5)
    assert inventory.purchase(event, "shop", "k1", Order(3)).receipt.left == 2
    with pytest.raises(SoldOut) as refused:
        inventory.purchase(event, "shop", "k2", Order(3))
    assert refused.value.facts == {"seats_remaining": 2}
    assert inventory.purchase(event, "shop", "k3", Order(2)).receipt.left == 0
    found = inventory.read(event)
    assert found is not None
    assert (found.counts.sold, found.counts.remaining) == (5, 0)


def test_a_repetition_gets_the_first_receipt_even_when_sold_out(inventory: Inventory, opened: Open) -> None:
    event = opened(capacity=2)
    first = inventory.purchase(event, "shop", "k", Order(2))
    again = inventory.purchase(event, "shop", "k", Order(2))
    assert (first.replayed, again.replayed) == (False, True)
    assert again.receipt == first.receipt


@pytest.mark.parametrize("other", [Order(1), Order(2, together=True), Order(2, reference="A-1")])
def test_a_key_with_another_order_is_refused(inventory: Inventory, opened: Open, other: Order) -> None:
    event = opened(capacity=9)
    inventory.purchase(event, "shop", "k", Order(2))
    with pytest.raises(IdempotencyKeyReused):
        inventory.purchase(event, "shop", "k", other)


def test_a_refusal_is_not_remembered(inventory: Inventory, opened: Open) -> None:
    event = opened(capacity=1)
    with pytest.raises(SoldOut):
        inventory.purchase(event, "shop", "k", Order(2))
    assert inventory.purchase(event, "shop", "k", Order(1)).receipt.left == 0


def test_each_purchase_is_one_entry_of_an_unbroken_chain(
    inventory: Inventory, calls: DirectCalls, opened: Open
) -> None:
    event = opened(capacity=50)
    for number in range(7):
        inventory.purchase(event, "shop", f"k{number}", Order(2, reference=f'Nr. {number} "ü"\\'))
    entries = whole_log(calls, event)
    for previous, entry in pairwise(entries):
        assert entry.follows(Checkpoint.of(previous))
    changes = [parse_change(entry.change) for entry in entries]
    assert changes[0] == Opened(1_700_000_000_000, 50)
    last = changes[-1]
    assert isinstance(last, Purchased)
    assert (last.quantity, last.left) == (2, 36)
    assert last.personal_data(entries[-1].private).reference == 'Nr. 6 "ü"\\'


def test_a_server_that_was_not_compared_with_sql_sells_nothing(
    inventory: Inventory, calls: DirectCalls, terms: Terms, opened: Open, acknowledge: Acknowledge
) -> None:
    event = opened(capacity=5)
    calls.command("HSET", keys.inventory(event), "server", "another")
    with pytest.raises(InventoryUnavailable):
        inventory.purchase(event, "shop", "k", Order(1))
    found = inventory.read(event)
    assert found is not None
    assert (found.backlog.trusted, found.counts.sold) == (False, 0)
    head = terms.head(event)
    assert head
    assert head.checkpoint
    assert terms.begin(event, head.checkpoint.position.epoch + 1, head.checkpoint, "nonce", "database")
    with pytest.raises(InventoryUnavailable):  # Not before SQL has the entry that begins the term.
        inventory.purchase(event, "shop", "k", Order(1))
    assert acknowledge(event, 3)
    assert inventory.purchase(event, "shop", "k", Order(1)).receipt.left == 4


def test_the_end_of_a_log_opens_no_sale_unless_it_begins_a_term(
    inventory: Inventory, calls: DirectCalls, opened: Open, acknowledge: Acknowledge
) -> None:
    event = opened(capacity=5)
    inventory.purchase(event, "shop", "k", Order(1))
    calls.command("HSET", keys.inventory(event), "server", "")
    assert acknowledge(event, 3)
    with pytest.raises(InventoryUnavailable):
        inventory.purchase(event, "shop", "k2", Order(1))


def test_an_inventory_behind_its_caller_sells_no_more_until_a_higher_term(
    redis_url: str, inventory: Inventory, terms: Terms, opened: Open, acknowledge: Acknowledge
) -> None:
    """The caller has seen an entry that this server does not have: it is another one's replica, or its old primary."""
    event = opened(capacity=5)
    head = terms.head(event)
    assert head
    assert head.checkpoint
    epoch = head.checkpoint.position.epoch
    ahead = DirectCalls(ScriptConnection(redis_url, Scripts()))
    ahead.seen.note(event, Position(epoch, 3))
    with pytest.raises(InventoryUnavailable):
        Inventory(ahead, backlog_max_entries=9, backlog_memory_percent=90).purchase(event, "shop", "k", Order(1))
    with pytest.raises(InventoryUnavailable):  # Nor to one who has seen nothing.
        inventory.purchase(event, "shop", "k", Order(1))
    assert terms.begin(event, epoch, head.checkpoint, "nonce", "database") is None
    assert terms.begin(event, epoch + 1, head.checkpoint, "nonce", "database")
    assert acknowledge(event, 3)
    assert inventory.purchase(event, "shop", "k", Order(1)).receipt.id.position == (epoch + 1, 4)


def test_an_acknowledgement_for_another_server_or_epoch_is_void(
    inventory: Inventory, calls: DirectCalls, terms: Terms, opened: Open
) -> None:
    event = opened(capacity=5)
    inventory.purchase(event, "shop", "k", Order(1))
    last = Checkpoint.of(whole_log(calls, event)[-1])
    epoch, seq = last.position
    head = terms.head(event)
    assert head
    assert terms.acknowledge(event, "another", last, "database", []) is None
    for wrong in (
        Checkpoint(Position(epoch + 1, seq), last.link),
        Checkpoint(last.position, "another"),
        Checkpoint(last.position, ""),
    ):
        assert terms.acknowledge(event, head.server, wrong, "database", []) is None
    found = inventory.read(event)
    assert found is not None
    assert found.backlog.persisted == 2


def test_the_newest_entries_outlive_their_acknowledgement(
    inventory: Inventory, calls: DirectCalls, opened: Open, acknowledge: Acknowledge
) -> None:
    keeping = Terms(calls, LogKeeping(keep_s=0, resume_entries=4))
    event = opened(capacity=20)

    def kept() -> list[int]:
        return [entry.position.seq for entry in whole_log(calls, event)]

    for number in range(8):
        inventory.purchase(event, "shop", f"k{number}", Order(1))
    acknowledge(event, 5, keeping)
    assert kept() == [5, 6, 7, 8, 9, 10]
    acknowledge(event, 10, keeping)
    assert kept() == [7, 8, 9, 10]


def test_entries_outlive_their_acknowledgement_for_a_while(
    calls: DirectCalls, opened: Open, acknowledge: Acknowledge
) -> None:
    inventory = Inventory(calls, backlog_max_entries=100, backlog_memory_percent=90)
    event = opened(capacity=20)
    for number in range(4):
        inventory.purchase(event, "shop", f"k{number}", Order(1))
    acknowledge(event, 6, Terms(calls, LogKeeping(keep_s=3600)))
    assert [entry.position.seq for entry in whole_log(calls, event)] == [2, 3, 4, 5, 6]
    # Where memory is short, they give way at once.
    acknowledge(event, 6, Terms(calls, LogKeeping(keep_s=3600, memory_percent=0)))
    assert [entry.position.seq for entry in whole_log(calls, event)] == [6]


def test_an_old_entry_behind_a_newer_one_stays(calls: DirectCalls, opened: Open) -> None:
    """What is sold again has its first time."""
    event, now_ms = opened(capacity=20), int(time.time() * 1000)
    calls.command("DEL", keys.log(event))
    for seq, at in enumerate((1, now_ms, 1, now_ms), start=1):
        calls.command("XADD", keys.log(event), f"1-{seq}", "change", f'{{"at":{at}}}', "link", "0" * 40)
    Terms(calls, LogKeeping(keep_s=3600)).trim([event])
    assert [entry.position.seq for entry in whole_log(calls, event)] == [2, 3, 4]


def test_the_log_is_trimmed_to_the_watermark_and_keeps_its_entry(
    inventory: Inventory, calls: DirectCalls, terms: Terms, opened: Open, acknowledge: Acknowledge
) -> None:
    event = opened(capacity=9)
    for number in range(5):
        inventory.purchase(event, "shop", f"k{number}", Order(1))
    entries = {entry.position.seq: entry for entry in whole_log(calls, event)}
    head = terms.head(event)
    assert head
    assert terms.acknowledge(event, head.server, Checkpoint.of(entries[5]), "database", [entries[4]])
    assert terms.acknowledge(event, head.server, Checkpoint.of(entries[3]), "database", []) is None  # It is trimmed.
    assert [entry.position.seq for entry in whole_log(calls, event)] == [5, 6, 7]
    found = inventory.read(event)
    assert found is not None
    assert (found.backlog.persisted, found.backlog.lag) == (5, 2)
    assert SetAside(calls).quarantined([event]) == 1
    waiting = calls.command("HGETALL", keys.quarantine(event))
    assert waiting == [str(entries[4].position).encode(), f"{entries[4].link}|{entries[4].change}".encode()]


def test_without_an_inventory_nothing_is_sold(inventory: Inventory) -> None:
    with pytest.raises(MissingInventory):
        inventory.purchase("nowhere", "shop", "k", Order(1))


def test_a_backlog_of_entries_is_bounded_and_replays_go_on(
    calls: DirectCalls, opened: Open, acknowledge: Acknowledge
) -> None:
    narrow = Inventory(calls, backlog_max_entries=2, backlog_memory_percent=90)
    event = opened(capacity=9)
    narrow.purchase(event, "shop", "k1", Order(1))
    first = narrow.purchase(event, "shop", "k2", Order(1))
    with pytest.raises(BacklogFull):
        narrow.purchase(event, "shop", "k3", Order(1))
    assert narrow.purchase(event, "shop", "k2", Order(1)).receipt == first.receipt
    acknowledge(event, 4)
    assert narrow.purchase(event, "shop", "k3", Order(1)).receipt.left == 6


def test_a_backlog_of_bytes_is_bounded(calls: DirectCalls, opened: Open) -> None:
    """Memory is looked at once in 64 entries; until it is free again, no entry is added at all."""
    narrow = Inventory(calls, backlog_max_entries=10_000, backlog_memory_percent=1)
    roomy = Inventory(calls, backlog_max_entries=10_000, backlog_memory_percent=90)
    event = opened(capacity=500)
    roomy.purchase(event, "shop", "first", Order(1))
    calls.command("SET", "ballast", b"x" * 4_000_000)
    for number in range(63):
        narrow.purchase(event, "shop", f"k{number}", Order(1))
    with pytest.raises(BacklogFull):
        narrow.purchase(event, "shop", "k63", Order(1))
    with pytest.raises(BacklogFull):
        narrow.purchase(event, "shop", "again", Order(1))
    assert roomy.purchase(event, "shop", "again", Order(1)).receipt.left == 500 - 65


def test_taking_out_the_guard_oversells(redis_url: str, opened: Open) -> None:
    """The twin of the tests above: the same sale, by the same script without its check."""
    guard = "if left < quantity then"
    source = Scripts().sources["purchase"]
    assert guard in source
    unguarded = Scripts(replaced={"purchase": source.replace(guard, "if false then")})
    calls = DirectCalls(ScriptConnection(redis_url, unguarded))
    reckless = Inventory(calls, backlog_max_entries=100_000, backlog_memory_percent=90)
    event = opened(capacity=3)
    for number in range(5):
        reckless.purchase(event, "shop", f"k{number}", Order(1))
    found = reckless.read(event)
    assert found is not None
    assert found.counts.sold == 5
    assert found.counts.remaining == -2


class TestSeated:
    def test_neighbours_in_the_best_row_leave_room_for_others(self, inventory: Inventory, opened: Open) -> None:
        hall = generate(GeneratedPlan(sections=2, rows=2, seatsPerRow=7))
        event = opened(plan=hall)
        runs = inventory.purchase(event, "shop", "k1", Order(3)).receipt.runs
        assert hall.seats_of(runs) == [f"sec-1-row-A-seat-{seat}" for seat in (1, 2, 3)]
        runs = inventory.purchase(event, "shop", "k2", Order(2)).receipt.runs
        assert hall.seats_of(runs) == [f"sec-1-row-A-seat-{seat}" for seat in (4, 5)]
        runs = inventory.purchase(event, "shop", "k3", Order(7)).receipt.runs
        assert hall.seats_of(runs)[0] == "sec-1-row-B-seat-1"

    def test_seats_that_are_not_together_are_refused_as_such(self, inventory: Inventory, opened: Open) -> None:
        event = opened(plan=generate(GeneratedPlan(sections=1, rows=3, seatsPerRow=2)))
        with pytest.raises(NotTogether) as refused:
            inventory.purchase(event, "shop", "k", Order(3, together=True))
        assert refused.value.facts == {"seats_remaining": 6}
        assert inventory.purchase(event, "shop", "k", Order(3)).receipt.runs == [SeatRange(0, 0, 2), SeatRange(0, 3, 1)]


def test_a_change_is_plain_json(inventory: Inventory, calls: DirectCalls, opened: Open) -> None:
    event = opened(plan=generate(GeneratedPlan(sections=1, rows=1, seatsPerRow=4)))
    receipt = inventory.purchase(event, "shop", "the-key", Order(2)).receipt
    entry = EventLog(calls).entry_at(event, receipt.id.position)
    assert entry is not None
    change = json.loads(entry.change)
    assert change.pop("at") > 1_700_000_000_000
    assert change == {
        "kind": "purchased",
        "quantity": 2,
        "left": 2,
        "runs": "0:0-2",
        "nonce": receipt.id.nonce,
        "idempotency": "the-key",
        "fingerprint": Order(2).fingerprint(),
        "rendering": 1,
        "caller": "shop",
        "reference": None,
        "hold": None,
    }
