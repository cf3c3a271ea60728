"""The ways through the product that have crash points: what happens before each, and what its answer means."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from seating.domain.purchase import Order
from seating.services.webhooks import Webhooks
from tests.one_process import OPERATOR
from tests.proof import crash_losses as losses
from tests.proof.crash_acts import Given
from tests.proof.crash_losses import given_of
from tests.proof.crash_stage import Stage
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


# Purchases.


def _buy(stage: Stage) -> Given:
    return given_of(stage, key=stage.new_key())


def _buy_seats(stage: Stage) -> Given:
    return given_of(stage, key=stage.new_key(), seat=stage.new_seat())


def _buy_held(stage: Stage) -> Given:
    return given_of(stage, key=stage.new_key(), token=stage.hold(stage.new_seat(), stage.new_seat()))


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
    return given_of(stage, token=stage.hold(stage.new_seat(), stage.new_seat()))


def _change_hold(stage: Stage) -> Given:
    removed, kept = stage.new_seat(), stage.new_seat()
    return given_of(stage, token=stage.hold(removed, kept), removed=removed, seat=stage.new_seat())


def _expire(stage: Stage) -> Given:
    """All holds of the stage so far are over; one that is not is there too."""
    stage.hold(stage.new_seat(), stage.new_seat())
    ended = dict(stage.held)
    stage.move_clock(601_000)
    stage.held.clear()
    stage.hold(stage.new_seat())
    return given_of(stage, tokens=" ".join(ended))


def _held(stage: Stage, _given: Given, answer: Any) -> None:
    token, stage.held[token] = answer[0], answer[1]


def _released(stage: Stage, given: Given, _answer: Any) -> None:
    del stage.held[given["token"]]


# Cancellations.


def _cancel_unrecorded(stage: Stage) -> Given:
    seat = stage.new_seat()
    key = stage.buy(seat, stage.new_seat())
    return given_of(stage, key=key, purchase=str(stage.sold[key].id), seat=seat)


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


# Creation, quarantine and forks.


def _create(stage: Stage) -> Given:
    return given_of(stage, key=stage.new_key())


def _created(stage: Stage, _given: Given, event: Any) -> None:
    stage.one.persistence.run_now(event)
    assert stage.one.now(event).backlog.is_recorded
    assert stage.one.check.reconcile(event) == []


def _fork_cancelled(stage: Stage, given: Given, _answer: Any) -> None:
    del stage.aside[given["key"]]


def _fork_replayed(stage: Stage, given: Given, _answer: Any) -> None:
    stage.sold[given["key"]] = stage.aside.pop(given["key"])


# Webhooks.


def _deliver(stage: Stage) -> Given:
    if stage.receiver is None:
        stage.receiver = Receiver()
        url = stage.receiver.url()
        Webhooks(stage.database).add(url, None, ["purchase.sold"], OPERATOR, allow_private=True)
    for _ in range(3):
        stage.buy()
    stage.one.persist(stage.event)
    return given_of(stage)


def _deliver_of_new_event(stage: Stage) -> Given:
    """It has no cursor yet."""
    given = _deliver(stage)
    stage.one.open(capacity=1)
    return given


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
    "cancellation of a purchase in quarantine": Way("cancel_quarantined", losses.poisoned, _cancelled_waiting),
    "cancellation of a fork's purchase": Way("cancel", losses.waiting_fork, _fork_cancelled),
    "persistence": Way("persist", losses.unrecorded_log),
    "persistence, SQL went back": Way("persist", losses.sql_went_back, heal=losses.merge),
    "replay of a purchase in quarantine": Way("replay", losses.poisoned),
    "replay of a fork's purchase": Way("replay", losses.replayable_fork, _fork_replayed),
    "trust": Way("persist", losses.distrusted),
    "rebuild of a new event": Way("create", _create, _created),
    "rebuild of what Redis lost": Way("persist", losses.lost_by_redis),
    "rebuild of a fork": Way("persist", losses.fork),
    "rebuild that gives up": Way("rebuild_in_vain", losses.unrecorded_log),
    "merge": Way("merge", losses.stopped, heal=losses.merge),
    "webhook delivery": Way("deliver", _deliver, _delivered),
    "webhook delivery of a new event": Way("deliver", _deliver_of_new_event, _delivered),
}
