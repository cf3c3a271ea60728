"""An inventory made again of the record is the one that was lost."""

import json
import threading
import time
from contextlib import suppress
from itertools import islice
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from seating.domain import log_entry
from seating.domain.change_json import change_json
from seating.domain.changes import Opened
from seating.domain.errors import (
    HoldExpired,
    InvalidRequest,
    InventoryUnavailable,
    NotOnSale,
    SeatHeld,
    SeatNotFound,
    SeatSold,
    SeatUnavailable,
    SoldOut,
)
from seating.domain.event import Event
from seating.domain.hold import unpack_notes
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.personal_data import hash_of
from seating.domain.position import Position
from seating.domain.purchase import Order
from seating.domain.recovery_errors import Overtaken, PurchaseQuarantined
from seating.domain.replay import Replay
from seating.domain.seat_status import SETTABLE
from seating.domain.seating_plan import SeatingPlan
from seating.redis_store import keys
from seating.redis_store.event_log import EventLog
from seating.redis_store.rebuilding import Rebuilding
from seating.services import rebuild as rebuilds
from seating.services.rebuild import Rebuild
from seating.storage import events as event_record
from seating.storage import ledger as ledger_record
from seating.storage.tables import ledger, purchases, quarantine, watermarks
from seating.storage.terms import first_epoch
from tests.books.test_cancel import poison
from tests.frozen_clock import CLOCK
from tests.fuzz_runs import fuzz_runs, over_both_if_long, takes_long
from tests.one_process import OPERATOR, OneProcess, on_sqlite
from tests.servers import RedisServer
from tests.terms.backups import distrust

HALL = SeatingPlan([[["A1", "A2", "A3", "A4", "A5"], ["B1", "B2", "B3"]], [["C1", "C2"], ["D1", "D2", "D3", "D4"]]])
SEATS = [seat for block in HALL.blocks for row in block for seat in row]

steps = st.lists(
    st.one_of(
        st.tuples(st.just("buy"), st.integers(1, 4)),
        st.tuples(st.just("cancel"), st.integers(0, 20)),
        st.tuples(st.just("cancel part"), st.integers(0, 200)),
        st.tuples(st.just("hold"), st.integers(1, 4)),
        st.tuples(st.sampled_from(["extend", "change", "give back", "buy held"]), st.integers(0, 20)),
        st.tuples(st.just("expire"), st.integers(1, 700_000)),
        st.tuples(st.just("set"), st.tuples(st.sampled_from(SEATS), st.sampled_from([*SETTABLE]))),
        st.tuples(st.just("state"), st.sampled_from(["paused", "on_sale"])),
        st.tuples(st.just("persist"), st.just(0)),
        st.tuples(st.just("poison"), st.sampled_from(SEATS)),
    ),
    max_size=25,
)


def lose(sale: OneProcess) -> None:
    """Redis loses everything."""
    sale.calls.command("FLUSHALL")


def all_of(sale: OneProcess, event: str) -> dict[str, Any]:
    """What Redis has of an event, but for what a new epoch changes."""
    inventory = sale.calls.command("HGETALL", keys.inventory(event))
    fields = dict(zip(inventory[::2], inventory[1::2], strict=True))
    for name in (b"epoch", b"seq", b"chain", b"persisted", b"acknowledged"):
        del fields[name]
    fields.pop(b"checked", None)
    found: dict[str, Any] = {"inventory": fields}
    for name, command in (
        ("plan", "GET"),
        ("longest_runs", "GET"),
        ("seats", "HGETALL"),
        ("idempotency", "HGETALL"),
        ("hold", "HGETALL"),
        ("cancelled", "HGETALL"),
        ("buyers", "HGETALL"),
        ("quarantine", "HGETALL"),
    ):
        reply = sale.calls.command(command, getattr(keys, name)(event))
        found[name] = dict(zip(reply[::2], reply[1::2], strict=True)) if isinstance(reply, list) else reply
    found["hold"] = {hold: kept.rpartition(b";")[0] for hold, kept in found["hold"].items()}  # But for its holders.
    notes = sale.calls.command("HGETALL", keys.notes(event))
    texts = (text.decode() for text in notes)
    standing = unpack_notes(dict(zip(texts, texts, strict=False))).items()
    found["notes"] = {field: until for field, until in standing if until > int(sale.calls.command("GET", CLOCK))}
    found["holds"] = sale.calls.command("ZRANGE", keys.holds(event), 0, -1, "WITHSCORES")
    return found


@takes_long
@over_both_if_long
@settings(max_examples=fuzz_runs(10), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=steps, seated=st.booleans())
def test_of_any_history(moved: OneProcess, history: list[tuple[str, Any]], seated: bool) -> None:
    sale = moved
    event = sale.open(plan=HALL) if seated else sale.open(capacity=14)
    poisoned = live(sale, event, history, seated)
    sale.persist(event)
    before, terms = all_of(sale, event), _terms(sale, event)
    clock = sale.calls.command("GET", CLOCK)
    lose(sale)
    sale.calls.command("SET", CLOCK, clock)
    sale.persist(event)
    assert all_of(sale, event) == before | {"inventory": before["inventory"] | {b"updated": _updated(sale, event)}}
    assert _terms(sale, event)[:-2] == terms  # Then the rebuilt one, and that in which it sells.
    assert sale.check.verify(event).broken is None
    findings = sale.check.reconcile(event)
    if not poisoned:
        assert findings == []
    # Poison waits for the operator, and its cause is in the tables; with Redis nothing is wrong.
    assert not [finding for finding in findings if "rebuild" in finding.advice]


def _terms(sale: OneProcess, event: str) -> list[tuple[int, int]]:
    """Each epoch and the seq that it begins with, in order."""
    reply = [int(number) for number in sale.calls.command("HGETALL", keys.terms(event))]
    return sorted(zip(reply[::2], reply[1::2], strict=True))


def live(sale: OneProcess, event: str, history: list[tuple[str, Any]], seated: bool) -> bool:
    """What `history` says, as far as it can be done; whether anything of it was poisoned."""
    receipts, tokens, poisoned = [], ["unknown"], False
    for number, (step, argument) in enumerate(history):
        with suppress(
            SoldOut, NotOnSale, HoldExpired, SeatSold, SeatHeld, SeatNotFound, SeatUnavailable, InvalidRequest
        ):
            match step:
                case "buy":
                    order = Order(argument, reference=f"R{number}", buyer=f"B{number % 3}")
                    receipts.append(sale.order(event, f"k{number}", order))
                case "cancel" if receipts:
                    sale.cancel(receipts[argument % len(receipts)].id)
                case "cancel part" if receipts:
                    receipt = receipts[argument % len(receipts)]
                    with suppress(PurchaseQuarantined):
                        sale.cancel_part(receipt, 1 + argument // 20 % receipt.quantity)
                case "hold":
                    key = f"k{number}" if number % 2 else None
                    tokens.append(sale.hold(event, quantity=argument, key=key, holder=f"h{number % 3}").token)
                case "extend":
                    sale.holds.extend(event, tokens[argument % len(tokens)])
                case "change" if seated and len(tokens) > 1:
                    token = tokens[1 + argument % (len(tokens) - 1)]
                    sale.holds.change(
                        event, token, [SEATS[argument % len(SEATS)]], sale.holds.get(event, token).seats[:1]
                    )
                case "give back":
                    sale.holds.release(event, tokens[argument % len(tokens)])
                case "buy held":
                    receipts.append(sale.buy_held(event, f"k{number}", tokens[argument % len(tokens)]))
                case "expire":
                    sale.calls.command("INCRBY", CLOCK, argument)
                    sale.holds.store.expire(event)
                case "set":
                    sale.seats.set(event, *argument, OPERATOR)
                case "state":
                    sale.events.set_state(event, argument, OPERATOR)
                case "persist":
                    sale.persist(event)
                case "poison" if seated and not poisoned:
                    poisoned = _poison_a_free_seat(sale, event, argument)
    return poisoned


def _poison_a_free_seat(sale: OneProcess, event: str, seat: str) -> bool:
    sale.persist(event)
    taken = sale.database.read(
        lambda connection: connection.exec_driver_sql("SELECT seat_id FROM sold_seats").scalars().all()
    )
    if seat in taken:
        return False
    poison(sale, event, seat)
    return True


def _updated(sale: OneProcess, event: str) -> Any:
    return sale.calls.command("HGET", keys.inventory(event), "updated")


def test_replays_are_the_same_and_the_sale_goes_on(sale: OneProcess) -> None:
    event = sale.open(plan=HALL)
    receipts = [sale.buy(event, f"k{number}", 2) for number in range(5)]
    sale.persist(event)
    lose(sale)
    with pytest.raises(InventoryUnavailable):
        sale.buy(event, "k0", 2)
    assert sale.nudged[-1] == event
    sale.persist(event)
    assert [sale.buy(event, f"k{number}", 2) for number in range(5)] == receipts
    assert sale.term(event) > receipts[0].id.position.epoch
    assert sale.buy(event, "new", 1).id.position == (sale.term(event), 10)


def test_what_was_answered_and_never_recorded_is_reported(sale: OneProcess) -> None:
    event = sale.open(capacity=50)
    for number in range(4):
        sale.buy(event, f"k{number}")
    sale.persist(event)
    for number in range(4, 9):
        sale.buy(event, f"k{number}")
    sale.answered.flush()
    term = sale.term(event)
    lose(sale)
    sale.persist(event)
    findings = [finding.what for finding in sale.check.reconcile(event)]
    assert findings == [f"confirmed changes from {term}-7 to {term}-11 are lost, 5 in all"]
    assert sale.now(event).counts.sold == 4


def test_answers_that_are_told_of_after_the_rebuild_count(sale: OneProcess) -> None:
    event = sale.open(capacity=50)
    lost = sale.buy(event, "k").id
    lose(sale)
    sale.persist(event)
    assert sale.check.reconcile(event) == []
    sale.answered.flush()
    assert [finding.what for finding in sale.check.reconcile(event)] == [
        f"confirmed changes from {lost.position} to {lost.position} are lost, 1 in all",
        "1 entries wait in quarantine",
    ]
    assert sale.purchases.get(lost).state == "quarantined"  # As its buyer's receipt tells of it.


def test_two_at_once(sale: OneProcess) -> None:
    event = sale.open(capacity=50)
    sale.buy(event, "k", 3)
    sale.persist(event)
    lose(sale)
    workers = [sale.another() for _ in range(4)]
    threads = [threading.Thread(target=worker.persist, args=(event,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    sale.persist(event)
    assert sale.told(event) == ["opened", "trusted", "purchased", "rebuilt", "trusted"]
    assert sale.buy(event, "k2", 2).left == 45
    sale.persist(event)
    assert sale.check.reconcile(event) == []


def test_killed_in_the_middle(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQL is in the next epoch, Redis half written: whoever comes when the lease is over begins again."""
    event = sale.open(plan=HALL)
    sale.buy(event, "k", 3)
    sale.persist(event)
    lose(sale)
    with monkeypatch.context() as dying:
        dying.setattr(Rebuilding, "_finish", _die)
        with pytest.raises(SystemExit):
            sale.persist(event)
    with pytest.raises(InventoryUnavailable):
        sale.buy(event, "k2", 1)
    with pytest.raises(Overtaken):
        sale.another().rebuild.run(event, "too early")
    sale.calls.command("HSET", keys.inventory(event), "claim_until", 0)
    sale.persist(event)
    assert sale.buy(event, "k2", 1).left == 10
    sale.persist(event)
    assert sale.check.reconcile(event) == []
    assert sale.check.verify(event).broken is None


def test_one_that_was_stopped_while_another_finished(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """It wakes with an old claim: every one of its steps is refused."""
    event = sale.open(capacity=9)
    sale.buy(event, "k", 3)
    sale.persist(event)
    lose(sale)
    slow = sale.another()
    original = Rebuilding.write

    def stopped(attempt: Rebuilding, *args: Any, **named: Any) -> None:
        sale.calls.command("HSET", keys.inventory(event), "claim_until", 0)
        monkeypatch.setattr(Rebuilding, "write", original)
        sale.persist(event)
        sale.buy(event, "k2", 1)
        original(attempt, *args, **named)

    monkeypatch.setattr(Rebuilding, "write", stopped)
    with pytest.raises(Overtaken):
        slow.rebuild.run(event, "slow")
    assert sale.now(event).counts.sold == 4
    sale.persist(event)
    assert sale.check.reconcile(event) == []


def test_one_that_was_stopped_while_the_sale_began_again(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lease ran out, and a worker opened the inventory: what is sold since must not be replaced."""
    event = sale.open(capacity=9)
    sale.persist(event)
    slow, original, sold = sale.another(), Rebuild._begin_epoch, []

    def stopped(rebuild: Rebuild, *args: Any) -> Any:
        monkeypatch.setattr(Rebuild, "_begin_epoch", original)
        sale.calls.command("HSET", keys.inventory(event), "claim_until", 0)
        sale.persist(event)
        sold.append(sale.buy(event, "k"))
        return original(rebuild, *args)

    monkeypatch.setattr(Rebuild, "_begin_epoch", stopped)
    with pytest.raises(Overtaken):
        slow.rebuild.run(event, "slow", claimable="recorded")
    sale.persist(event)
    assert sale.purchases.get(sold[0].id).state == "persisted"
    assert sale.now(event).counts.sold == 1
    assert "rebuilt" not in sale.told(event)
    assert sale.check.reconcile(event) == []


def test_a_claim_outlasts_the_reading_of_a_long_log(moved: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two attempts that took the claim from each other would never end."""
    event = moved.open(capacity=20)
    moved.persist(event)
    recorded = moved.now(event).backlog.persisted_position
    for number in range(9):
        moved.buy(event, f"k{number}")
    moved.calls.command("XDEL", keys.log(event), str(recorded))
    monkeypatch.setattr(rebuilds, "_FORK_PAGE", 3)
    read, pages = EventLog.entries_from, []

    def slowly(log: EventLog, event_id: str, position: Position, count: int) -> list[LogEntry]:
        if count == 3:
            pages.append(position)
            moved.calls.command("INCRBY", CLOCK, 3_000)
            with pytest.raises(Overtaken):
                Rebuilding(moved.calls, event_id, "other").claim("rebuild", "any")
        return read(log, event_id, position, count)

    monkeypatch.setattr(EventLog, "entries_from", slowly)
    moved.rebuild.run(event, "asked for", claimable="any")
    assert len(pages) >= 4
    moved.persist(event)
    assert moved.now(event).counts.sold == 9


def test_a_claim_ends_on_a_server_whose_clock_is_behind(moved: OneProcess) -> None:
    """A replica that was promoted: its clock need not be the old primary's."""
    event = moved.open(capacity=9)
    for claims_again in (True, False):
        Rebuilding(moved.calls, event, "dead").claim("rebuild", "any")
        moved.calls.command("DECRBY", CLOCK, 600_000)
        if claims_again:
            Rebuilding(moved.calls, event, "next").claim("rebuild", "any")
            moved.calls.command("DECRBY", CLOCK, 600_000)
        moved.persist(event)
        moved.persist(event)
        assert moved.buy(event, str(claims_again)).quantity == 1


def _die(*_arguments: object, **_named: object) -> None:
    raise SystemExit


def test_of_a_sale_that_goes_on_needs_the_whole_log_in_sql(sale: OneProcess) -> None:
    event = sale.open(capacity=9)
    sale.buy(event, "k", 3)
    with pytest.raises(Overtaken):
        sale.rebuild.run(event, "asked for", claimable="recorded")
    with pytest.raises(Overtaken):
        sale.rebuild.run(event, "asked for")
    assert sale.buy(event, "k2", 1).left == 5
    sale.persist(event)
    term = sale.term(event)
    assert sale.rebuild.run(event, "asked for", claimable="recorded") == (sale.term(event), 5)
    assert sale.term(event) > term
    with pytest.raises(InventoryUnavailable):
        sale.buy(event, "k", 3)
    sale.persist(event)
    assert sale.buy(event, "k", 3).left == 6
    assert sale.buy(event, "k3", 1).left == 4


@over_both_if_long
@pytest.mark.timeout(600)
def test_a_large_hall_that_is_sold_is_on_sale_again_soon(sale: OneProcess, redis_server: RedisServer) -> None:
    """100,000 seats within 10 s, or 40,000 of them in the suite; each bought alone, by a buyer of its own.

    Counted in CPU time, which a busy machine stretches less.
    """
    rows, seats_a_row, blocks = 40, 25, 100 if fuzz_runs(0) else 40
    plan = SeatingPlan([[[f"{b}-{r}-{s}" for s in range(seats_a_row)] for r in range(rows)] for b in range(blocks)])
    event = _sold(sale, plan, plan.capacity - 1)
    sale.calls.command("FLUSHALL")
    began_s = time.process_time() + _redis_s(redis_server)
    while not ((found := sale.inventory.read(event)) and found.backlog.trusted):
        sale.persist(event)  # It ends after 5 s; the cron has the next run begin within a second.
    assert sale.buy(event, "again").left == 0
    took_s = time.process_time() + _redis_s(redis_server) - began_s
    print(f"{took_s:.1f} s")
    assert took_s < 10 * plan.capacity / 100_000
    assert sale.calls.command("HLEN", keys.idempotency(event)) == plan.capacity


def _redis_s(server: RedisServer) -> float:
    """The processor's time that Redis has used."""
    used = server.client().info("cpu")
    return float(used["used_cpu_sys"] + used["used_cpu_user"])


def _sold(sale: OneProcess, plan: SeatingPlan, count: int) -> str:
    """A hall whose first seats were bought, each alone, straight into the ledger."""
    event = Event("hall", "Hall", plan.capacity, seated=True)
    first = LogEntry.first(first_epoch(time.time()), change_json(Opened(0, plan.capacity)))
    (epoch, seq), link, entries = first.position, first.link, []
    places = ((block, p) for block, rows in enumerate(plan.blocks) for p, s in enumerate(next(_maps(rows))) if s == "a")
    for block, place in islice(places, count):
        seq += 1
        private = f'{{"salt":"{seq:032x}","buyer":"buyer-{seq}","reference":"order-{seq}"}}'
        change = (
            f'{{"kind":"purchased","at":1,"quantity":1,"left":{plan.capacity - seq + 1},"runs":"{block}:{place}-1",'
            f'"nonce":"{seq:016x}","idempotency":"i{seq}","fingerprint":"f","rendering":1,"caller":"shop",'
            f'"reference":null,"private":"{hash_of(private)}"}}'
        )
        link = log_entry.chain_link(link, Position(epoch, seq), change)
        row = {"event_id": "hall", "epoch": epoch, "seq": seq, "change": change, "link": link, "private": private}
        entries.append(row)

    def record(connection: Any) -> None:
        event_record.add(connection, event, plan)
        ledger_record.begin(connection, event.id, first)
        connection.execute(insert(ledger), entries)
        connection.execute(watermarks.update().values(seq=seq, link=link))

    sale.database.write(record)
    return event.id


def _maps(rows: list[list[str]]) -> Any:
    return SeatingPlan([rows]).empty_maps()


def test_a_new_event_whose_creator_died_is_opened(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQL has it, Redis has not: the next run of persistence gives it its inventory."""
    with monkeypatch.context() as dying:
        dying.setattr(Rebuilding, "write", _die)
        with pytest.raises(SystemExit):
            sale.open(capacity=7)
    event = sale.database.read(event_record.live)[-1]
    sale.calls.command("DEL", keys.inventory(event))
    sale.persist(event)
    assert sale.buy(event, "k").left == 6
    assert sale.rows(purchases, event) == []


@on_sqlite
def test_a_creator_that_was_stopped_opens_nothing_over_sales(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _sold_before_it_is_opened(sale, monkeypatch) == 1


@on_sqlite
def test_without_a_look_at_the_log_it_does(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin."""

    def open_at_once(rebuild: Rebuild, event_id: str) -> None:
        with rebuild.claimed(event_id, "open", "closed") as attempt:
            rebuild.write(event_id, attempt)

    monkeypatch.setattr(Rebuild, "open", open_at_once)
    assert _sold_before_it_is_opened(sale, monkeypatch) == 0


def _sold_before_it_is_opened(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> int:
    """What is sold of an event in the end: a worker rebuilt it and one place was bought before its creator opens it.

    SQL does not have the purchase, and Redis was restarted.
    """
    original, worker = Rebuild.open, sale.another()

    def stopped(rebuild: Rebuild, event_id: str) -> None:
        worker.persist(event_id)
        worker.buy(event_id, "k")
        distrust(sale, event_id)
        original(rebuild, event_id)

    monkeypatch.setattr(Rebuild, "open", stopped)
    event = sale.open(capacity=9)
    sale.persist(event)
    return sale.now(event).counts.sold


def test_what_continues_the_record_is_no_fork(sale: OneProcess) -> None:
    """Redis was restarted while SQL was behind: the operator's rebuild must not take the tail for another history."""
    event = sale.open(capacity=9)
    receipts = [sale.buy(event, f"k{number}") for number in range(3)]
    sale.calls.command("HSET", keys.inventory(event), "server", "before the restart")
    with pytest.raises(Overtaken):
        sale.rebuild.run(event, "asked for", claimable="recorded")
    sale.persist(event)
    assert sale.rows(quarantine, event) == []
    assert [sale.buy(event, f"k{number}") for number in range(3)] == receipts
    assert sale.now(event).counts.sold == 3


def test_what_was_rebuilt_meanwhile_is_not_rebuilt_again(sale: OneProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that found the inventory gone is slower than another one, which has rebuilt it and sold from it."""
    event = sale.open(capacity=9)
    sale.buy(event, "k")
    sale.persist(event)
    lose(sale)
    faster, run, sold = sale.another(), Rebuild.run, []

    def stopped(rebuild: Rebuild, *args: Any, **kwargs: Any) -> Position:
        monkeypatch.setattr(Rebuild, "run", run)
        faster.persist(event)
        sold.append(faster.buy(event, "k2"))
        return run(rebuild, *args, **kwargs)

    monkeypatch.setattr(Rebuild, "run", stopped)
    sale.persist(event)
    sale.persist(event)
    assert sale.rows(quarantine, event) == []
    assert sale.told(event).count("rebuilt") == 1
    assert sale.purchases.get(sold[0].id).state == "persisted"
    assert sale.buy(event, "k3").left == 6


def test_a_good_beginning_of_a_bad_tail_is_recorded(sale: OneProcess) -> None:
    event = sale.open(capacity=9)
    for number in range(3):
        sale.buy(event, f"k{number}")
    term = sale.term(event)
    sale.calls.command("XDEL", keys.log(event), f"{term}-4")
    sale.persist(event)
    assert [row.seq for row in sale.rows(purchases, event)] == [3, 5]
    assert [(row.seq, row.resolution) for row in sale.rows(quarantine, event)] == [(5, "replayed")]
    assert sale.now(event).counts.sold == 2
    sale.answered.flush()
    assert sale.check.reconcile(event)[0].what == f"confirmed changes from {term}-4 to {term}-4 are lost, 1 in all"


def test_a_hold_that_was_extended_in_a_fork_goes_on(moved: OneProcess) -> None:
    """It lapsed by what the record says of it. The clock is Redis's, whatever time it is for the worker."""
    event = moved.open(plan=HALL)
    extended, lapsed = moved.hold(event, "A1"), moved.hold(event, "A2")
    moved.persist(event)
    recorded = moved.now(event).backlog.persisted_position
    moved.calls.command("INCRBY", CLOCK, 599_000)
    moved.holds.extend(event, extended.token)
    late = moved.hold(event, "A3")
    moved.calls.command("INCRBY", CLOCK, 2_000)
    moved.calls.command("XDEL", keys.log(event), str(recorded))
    moved.persist(event)
    assert moved.told(event)[-1] == "trusted"
    assert moved.now(event).counts.held == 2
    assert moved.buy_held(event, "k1", extended.token).runs == extended.record.runs
    assert moved.buy_held(event, "k2", late.token).runs == late.record.runs
    with pytest.raises(HoldExpired):
        moved.buy_held(event, "k3", lapsed.token)
    moved.persist(event)
    assert moved.check.reconcile(event) == []


def test_a_hold_that_was_changed_in_a_fork_stays_so_unless_a_seat_is_gone(moved: OneProcess) -> None:
    event = moved.open(plan=HALL)
    kept, late = moved.hold(event, "A1", "A2", key="kept"), moved.hold(event, "B1", "B2", key="late")
    moved.persist(event)
    recorded = moved.now(event).backlog.persisted_position
    moved.holds.change(event, kept.token, ["A3"], ["A1"])
    moved.holds.change(event, late.token, ["B3"], ["B1"])
    moved.buy_held(event, "bought", late.token)
    moved.calls.command("XDEL", keys.log(event), str(recorded))
    moved.persist(event)
    assert moved.hold(event, "A1", "A2", key="kept").seats == ["A2", "A3"]
    with pytest.raises(HoldExpired):
        moved.hold(event, "B1", "B2", key="late")
    assert moved.buy_seats(event, "free again", "A1", "B1").quantity == 2
    assert moved.buy_held(event, "k", kept.token).quantity == 2
    moved.persist(event)
    assert moved.check.reconcile(event) == []


def test_a_change_of_a_hold_that_cannot_be_replayed_takes_no_seat_from_anybody() -> None:
    """Nor do what its fork did with the hold later, which has other seats there."""
    plan = SeatingPlan([[["A1", "A2", "A3", "A4"]]])
    state, link = InventoryState.before_opening(plan), Checkpoint(Position(1, 0), "0" * 40)
    replay = Replay(state, link, now_ms=5)

    def entry(seq: int, **said: Any) -> LogEntry:
        return LogEntry(Position(1, seq), json.dumps({"at": 1, "left": 0, **said}), "0" * 40)

    hold = {"hold": "H", "idempotency": "", "fingerprint": "f", "rendering": 2, "until": 9}
    other = {**hold, "hold": "O"}
    changed = {"hold": "H", "quantity": 2, "runs": "0:1-2", "added": "0:2-1", "removed": "0:0-1"}
    bought = {"idempotency": "i", "fingerprint": "f", "rendering": 1, "nonce": "0" * 16, "reference": None}
    outcomes = replay.run(
        [
            entry(1, kind="opened", capacity=4),
            entry(2, kind="held", quantity=2, runs="0:0-2", **hold),
            entry(3, kind="held", quantity=1, runs="0:2-1", **other),
            entry(4, kind="hold_changed", **changed),
            entry(5, kind="released", hold="O", quantity=1, runs="0:2-1", expired=False),
            entry(6, kind="released", hold="H", quantity=2, runs="0:1-2", expired=False),
            entry(7, kind="purchased", hold="H", quantity=2, runs="0:1-2", **bought),
        ]
    )
    assert [str(each.outcome) for each in outcomes[1:]] == [
        *("replayed", "replayed", "waits", "replayed", "obsolete", "waits")
    ]
    assert state.maps == ["hhaa"]
    assert state.held == 2
