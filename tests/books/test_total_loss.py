"""Redis loses everything: the sale stops and comes back by itself; what SQL has is neither forgotten nor sold twice."""

from collections.abc import Iterable

from seating.redis_store import keys
from seating.storage.tables import quarantine
from tests.books import (
    assert_books_right,
    assert_each_seat_once,
    assert_replayed,
    buy_recorded,
    buy_some,
    has_said,
    locked_sql,
    positions,
    recorded_positions,
    reopened,
    rows,
    seating,
    seq_of,
    suspended,
    term_of,
    waiting_for_sql,
)
from tests.crowd import Rush
from tests.one_process import OPERATOR, OneProcess, on_sqlite
from tests.servers import RedisServer, wait_until
from tests.system import Answer, System

_EVENT = "demo"
# Looks at the lag and empties Redis in one moment: what was answered by then is in SQL.
_EMPTY_AT_LAG_ZERO = """
if redis.call('HGET', KEYS[1], 'seq') ~= redis.call('HGET', KEYS[1], 'persisted') then
  return 0
end
redis.call('FLUSHALL')
return 1
"""


def test_with_everything_in_sql_under_load(running: System, own_redis: RedisServer) -> None:
    bought = buy_some(running, 40)
    with Rush(running, buyers=4) as rush:
        wait_until(lambda: len(rush.answers) >= 60, what="a sale in full swing")
        empty = own_redis.client().register_script(_EMPTY_AT_LAG_ZERO)
        wait_until(lambda: empty(keys=[keys.inventory(_EVENT)]), what="a moment without lag")
        before = dict(rush.answers)
        closed_s, after = reopened(running)
        resumed = len(rush.answers)
        wait_until(lambda: len(rush.answers) >= resumed + 60, what="the sale to go on")
        assert seating(running, "reconcile").status == 0
    print(f"closed for {closed_s:.2f} s")
    assert closed_s < 5
    (term,) = {answer["position"].partition("-")[0] for answer in before.values()}
    assert term_of(after) > int(term)
    rush.settle()
    assert_replayed(running, bought)
    replays = {key: running.buy(1, key) for key in rush.answers}
    assert {key: again.json for key, again in replays.items()} == rush.answers
    running.wait_recorded()
    assert_each_seat_once(running, _EVENT, [*bought.values(), after, *replays.values()])
    assert_books_right(running, _EVENT)


@on_sqlite
def test_with_a_worker_that_had_stopped(running: System, own_redis: RedisServer) -> None:
    """All that it had not recorded is missing, and nothing else."""
    recorded = buy_recorded(running, 3) | buy_some(running, 4)
    running.wait_recorded()
    with suspended(running, "worker"):
        lost = buy_some(running, 6)
        lost["waits-for-sql-to-record-it"] = running.buy(1, "waits-for-sql-to-record-it", Prefer="wait=1")
        assert lost["waits-for-sql-to-record-it"].status == 200
        assert "Preference-Applied" not in lost["waits-for-sql-to-record-it"].headers
        own_redis.client().flushall()
        assert running.buy(1).status == 503
    after = reopened(running).answer
    assert [seq_of(position) for position in positions(lost.values())] == [*range(10, 17)]
    assert term_of(after) > term_of(lost["waits-for-sql-to-record-it"])
    _assert_reported(running, lost.values())
    assert_replayed(running, recorded)
    _assert_can_buy_again(running, lost)
    running.wait_recorded()
    standing = [*recorded.values(), after, *(running.buy(1, key) for key in lost)]
    assert_each_seat_once(running, _EVENT, standing)


@on_sqlite
def test_with_sql_locked(running: System, own_redis: RedisServer) -> None:
    """What the worker has read by then may still be recorded; everything else is missing."""
    recorded = buy_recorded(running, 3)
    with locked_sql(running):
        unrecorded = buy_some(running, 1)
        wait_until(lambda: waiting_for_sql(own_redis), what="the worker to wait for the lock")
        unrecorded |= buy_some(running, 20)
        own_redis.client().flushall()
        assert running.buy(1).status == 503
    after = reopened(running)
    assert after.after_s < 15
    running.wait_recorded()
    kept = set(recorded_positions(running, _EVENT))
    lost = {key: answer for key, answer in unrecorded.items() if answer.json["position"] not in kept}
    assert lost
    _assert_reported(running, lost.values())
    assert_replayed(running, recorded | {key: unrecorded[key] for key in unrecorded.keys() - lost.keys()})
    _assert_can_buy_again(running, lost)


def test_what_the_next_epoch_answered_hides_nothing(sale: OneProcess) -> None:
    """One process answered in both epochs before it recorded what it had answered."""
    event = sale.open(capacity=50)
    sale.buy(event, "recorded")
    sale.persist(event)
    lost = [sale.buy(event, f"lost {number}") for number in range(3)]
    first, last = lost[0].id.position, lost[-1].id.position
    sale.calls.command("FLUSHALL")
    sale.persist(event)
    assert sale.buy(event, "after").id.position == (sale.term(event), 6)
    sale.answered.flush()
    findings = [finding.what for finding in sale.check.reconcile(event)]
    assert findings == [
        f"confirmed changes from {first} to {last} are lost, 3 in all",
        "3 entries wait in quarantine",
    ]
    aside = sale.rows(quarantine, event)
    assert [(row.seq, row.reason, row.resolution) for row in aside] == [(seq, "lost", None) for seq in (4, 5, 6)]
    assert [sale.purchases.get(receipt.id).state for receipt in lost] == ["quarantined"] * 3

    sale.quarantine.replay(event, str(first), OPERATOR)
    sale.persist(event)
    assert sale.purchases.get(lost[0].id).state == "persisted"
    assert sale.buy(event, "lost 0") == lost[0]
    assert [finding.what for finding in sale.check.reconcile(event)] == [
        f"confirmed changes from {lost[1].id.position} to {last} are lost, 2 in all",
        "2 entries wait in quarantine",
    ]


def _assert_reported(system: System, lost: Iterable[Answer]) -> None:
    """Everywhere, and exactly: by /ready, by the log, by the command in words and as data. Each buyer is known."""
    missing = positions(lost)
    first, last = missing[0], missing[-1]
    assert [seq_of(position) for position in missing] == [*range(seq_of(first), seq_of(last) + 1)]
    wait_until(lambda: _receipts(system) == missing, what="the lost purchases' receipts to be put aside")
    loss = {"eventId": _EVENT, "first": first, "last": last, "changes": len(missing)}
    wait_until(lambda: system.get("/ready").json["checks"]["losses"] == [loss], what=f"/ready to tell of {loss}")
    assert system.get("/ready").status == 200
    what = f"confirmed changes from {first} to {last} are lost, {len(missing)} in all"
    waiting = f"{len(missing)} entries wait in quarantine"
    in_words = seating(system, "reconcile", _EVENT)
    assert in_words.status == 1
    for line, said in zip(in_words.out.splitlines(), (what, waiting), strict=True):
        assert line.startswith(f"{_EVENT}: {said}; ")
    as_data = seating(system, "reconcile", "--json")
    assert as_data.status == 1
    assert [(finding["event_id"], finding["what"]) for finding in as_data.json] == [(_EVENT, what), (_EVENT, waiting)]
    assert seating(system, "verify", _EVENT).status == 0
    told = {"event": "changes lost", "event_id": _EVENT, "first": first, "last": last, "changes": len(missing)}
    wait_until(lambda: has_said(system, "cron", **told), what="the log to tell of it")


def _receipts(system: System) -> list[str]:
    """Where those stood that the web processes remember and nobody else does."""
    aside = [row for row in rows(system, quarantine, _EVENT) if row.reason == "lost" and row.resolution is None]
    return [f"{row.epoch}-{row.seq}" for row in sorted(aside, key=lambda row: row.seq)]


def _assert_can_buy_again(system: System, lost: dict[str, Answer]) -> None:
    """The lost purchases wait for the operator, their keys are like new, and what is bought with them is kept."""
    for key, answer in lost.items():
        found = system.get(f"/api/v1/purchases/{answer.json['purchaseId']}").json
        assert (found["state"], found["seats"]) == ("quarantined", answer.json["seats"])
        again = system.buy(1, key)
        assert again.status == 200
        assert "Idempotent-Replayed" not in again.headers
        assert again.json["purchaseId"] != answer.json["purchaseId"]
