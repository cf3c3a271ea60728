"""The ways through the product that have crash points: what happens before each, and what its answer means."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from seating.domain.purchase import Order
from seating.domain.recovery_errors import NothingToMerge
from seating.redis_store import keys
from seating.services.webhooks import Webhooks
from seating.storage.tables import purchases, sold_seats
from tests.books.test_cancel import poison
from tests.one_process import OPERATOR
from tests.proof.crash_acts import Given
from tests.proof.crash_stage import LEASE_OVER_MS, Stage
from tests.terms.backups import backup, distrust, restore, trim
from tests.webhooks.receiver import Receiver


def _nothing(_stage: Stage, _given: Given, _answer: Any) -> None:
    pass


@dataclass(frozen=True)
class Way:
    """`act` is one of crash_acts.py. `heal` is what an operator does after the crash, `told` notes the answer."""

    act: str
    prepare: Callable[[Stage], Given]
    told: Callable[[Stage, Given, Any], None] = _nothing
    heal: Callable[[Stage], object] = lambda _stage: None


def _given(stage: Stage, **more: str) -> Given:
    return {"event": stage.event, **more}


# Purchases.


def _buy(stage: Stage) -> Given:
    return _given(stage, key=stage.new_key())


def _buy_seats(stage: Stage) -> Given:
    return _given(stage, key=stage.new_key(), seat=stage.new_seat())


def _buy_held(stage: Stage) -> Given:
    return _given(stage, key=stage.new_key(), token=stage.hold(stage.new_seat(), stage.new_seat()))


def _bought(stage: Stage, given: Given, answer: Any) -> None:
    key = given["key"]
    stage.sold[key], seats = answer
    if "token" in given:
        stage.orders[key] = Order(0, hold_token=given["token"])
        assert seats == stage.held.pop(given["token"])
    elif "seat" in given:
        stage.orders[key] = Order(1, seats=(given["seat"],))
    else:
        stage.orders[key] = Order(2, reference="order-1", buyer=key)


# Holds.


def _hold(stage: Stage) -> Given:
    return _given(stage, token=stage.hold(stage.new_seat(), stage.new_seat()))


def _change_hold(stage: Stage) -> Given:
    removed, kept = stage.new_seat(), stage.new_seat()
    return _given(stage, token=stage.hold(removed, kept), removed=removed, seat=stage.new_seat())


def _expire(stage: Stage) -> Given:
    """All holds of the stage so far are over; one that is not is there too."""
    stage.hold(stage.new_seat(), stage.new_seat())
    ended = dict(stage.held)
    stage.move_clock(601_000)
    stage.held.clear()
    stage.hold(stage.new_seat())
    return _given(stage, tokens=" ".join(ended))


def _held(stage: Stage, _given: Given, answer: Any) -> None:
    token, stage.held[token] = answer[0], answer[1]


def _released(stage: Stage, given: Given, _answer: Any) -> None:
    del stage.held[given["token"]]


# Cancellations.


def _cancel_unrecorded(stage: Stage) -> Given:
    seat = stage.new_seat()
    key = stage.buy(seat, stage.new_seat())
    return _given(stage, key=key, purchase=str(stage.sold[key].id), seat=seat)


def _cancel_recorded(stage: Stage) -> Given:
    given = _cancel_unrecorded(stage)
    stage.one.persist(stage.event)
    return given


def _cancelled(stage: Stage, given: Given, answer: Any) -> None:
    assert answer == "cancelled"
    stage.cancelled[given["key"]] = stage.sold.pop(given["key"])


def _cancelled_part(stage: Stage, given: Given, answer: Any) -> None:
    assert answer == 1
    stage.returned.add(given["seat"])


def _cancelled_waiting(stage: Stage, given: Given, _answer: Any) -> None:
    receipt = stage.cancelled[given["key"]] = stage.sold.pop(given["key"])
    stage.unrecorded.add(str(receipt.id))


# Persistence, trust, rebuilding, merging.


def _log(stage: Stage) -> Given:
    """What SQL does not have yet."""
    stage.buy()
    stage.hold(stage.new_seat())
    stage.cancel(stage.buy(stage.new_seat()))
    return _given(stage)


def _poisoned(stage: Stage) -> Given:
    """A purchase that SQL would accept by now waits in quarantine."""
    stage.buy()
    seat = stage.new_seat()
    key = stage.buy(seat)
    poison(stage.one, stage.event, seat)
    stage.one.persist(stage.event)
    stage.database.write(lambda c: c.execute(sold_seats.delete().where(sold_seats.c.purchase_id.contains(".1-999."))))
    stage.database.write(lambda c: c.execute(purchases.delete().where(purchases.c.seq == 999)))
    return _given(stage, key=key, position=str(stage.sold[key].id.position))


def _distrusted(stage: Stage) -> Given:
    given = _log(stage)
    distrust(stage.one, stage.event)
    return given


def _lost(stage: Stage) -> Given:
    given = _log(stage)
    stage.one.persist(stage.event)
    stage.one.calls.command("DEL", *keys.all_of(stage.event))
    return given


def _fork(stage: Stage, *, sold_twice: bool = False) -> Given:
    """An old primary comes back that has sold on in the term before."""
    stage.buy()
    stage.one.persist(stage.event)
    kept = {key: stage.one.calls.command("DUMP", key) for key in keys.all_of(stage.event)}
    distrust(stage.one, stage.event)
    stage.one.persist(stage.event)
    seat = stage.new_seat()
    stage.buy(seat)
    stage.one.persist(stage.event)
    stage.one.calls.command("DEL", *kept)
    for key, value in kept.items():
        if value is not None:
            stage.one.calls.command("RESTORE", key, 0, value)
    stage.one.calls.close()
    stage.one = stage.new_process()
    stage.one.fence.before_first_sale = lambda _event_id: None  # type: ignore[method-assign]  # SQL is out of reach.
    key = stage.buy(seat if sold_twice else stage.new_seat())
    stage.hold(stage.new_seat())
    return _given(stage, key=key, position=str(stage.sold[key].id.position), purchase=str(stage.sold[key].id))


def _create(stage: Stage) -> Given:
    return _given(stage, key=stage.new_key())


def _created(stage: Stage, _given: Given, event: Any) -> None:
    stage.one.persistence.run_now(event)
    assert stage.one.now(event).backlog.is_recorded
    assert stage.one.check.reconcile(event) == []


def _waiting_fork(stage: Stage) -> Given:
    given = _fork(stage, sold_twice=True)
    stage.recover()
    stage.waiting += 1
    del stage.sold[given["key"]]
    return given


def _fork_cancelled(stage: Stage, _given: Given, _answer: Any) -> None:
    stage.waiting -= 1


def _sql_went_back(stage: Stage) -> Given:
    stage.buy()
    stage.one.persist(stage.event)
    older = backup(stage.database)
    given = _log(stage)
    stage.one.persist(stage.event)
    trim(stage.one, stage.event)
    restore(stage.database, older)
    return given


def _stopped(stage: Stage) -> Given:
    given = _sql_went_back(stage)
    stage.one.persist(stage.event)
    return given


def _merge(stage: Stage) -> None:
    stage.move_clock(LEASE_OVER_MS)
    with suppress(NothingToMerge):
        stage.one.merge.run(stage.event, "redis", OPERATOR)


# Webhooks.


def _deliver(stage: Stage) -> Given:
    if stage.receiver is None:
        stage.receiver = Receiver()
        url = stage.receiver.url()
        Webhooks(stage.database).add(url, stage.event, ["purchase.sold"], OPERATOR, allow_private=True)
    for _ in range(3):
        stage.buy()
    stage.one.persist(stage.event)
    return _given(stage)


def _delivered(stage: Stage, _given: Given, _answer: Any) -> None:
    """Each sale at least once, in order."""
    assert stage.receiver
    positions = sorted(receipt.id.position for receipt in stage.sold.values())
    assert stage.receiver.in_order == [f"msg_{stage.event}.{position}" for position in positions]


WAYS: Final = {
    "purchase of the best seats": Way("buy", _buy, _bought),
    "purchase of given seats": Way("buy_seats", _buy_seats, _bought),
    "purchase of a hold": Way("buy_held", _buy_held, _bought),
    "purchase, remembered": Way("buy_and_flush", _buy, _bought),
    "hold": Way("hold", _buy, _held),
    "extension of a hold": Way("extend", _hold, _held),
    "change of a hold": Way("change_hold", _change_hold, _held),
    "release of a hold": Way("release", _hold, _released),
    "expiry of a hold": Way("expire", _expire),
    "cancellation of what SQL has": Way("cancel", _cancel_recorded, _cancelled),
    "cancellation of what SQL lacks": Way("cancel", _cancel_unrecorded, _cancelled),
    "cancellation of a part": Way("cancel_part", _cancel_recorded, _cancelled_part),
    "cancellation of a purchase in quarantine": Way("cancel_quarantined", _poisoned, _cancelled_waiting),
    "cancellation of a fork's purchase": Way("cancel", _waiting_fork, _fork_cancelled),
    "persistence": Way("persist", _log),
    "persistence, SQL went back": Way("persist", _sql_went_back, heal=_merge),
    "replay of a purchase in quarantine": Way("replay", _poisoned),
    "trust": Way("persist", _distrusted),
    "rebuild of a new event": Way("create", _create, _created),
    "rebuild of what Redis lost": Way("persist", _lost),
    "rebuild of a fork": Way("persist", _fork),
    "rebuild that gives up": Way("rebuild_in_vain", _log),
    "merge": Way("merge", _stopped, heal=_merge),
    "webhook delivery": Way("deliver", _deliver, _delivered),
}
