"""What SQL, Redis or both lost before a crash point: what each store has then, and what waits for an operator."""

from contextlib import suppress

from seating.domain.recovery_errors import NothingToMerge
from seating.redis_store import keys
from seating.storage.tables import purchases, sold_seats
from tests.books.test_cancel import poison
from tests.one_process import OPERATOR
from tests.proof.crash_acts import Given
from tests.proof.crash_stage import LEASE_OVER_MS, Stage
from tests.terms.backups import backup, distrust, restore, trim


def given_of(stage: Stage, **more: str) -> Given:
    return {"event": stage.event, **more}


def unrecorded_log(stage: Stage) -> Given:
    """What SQL does not have yet."""
    stage.buy()
    stage.hold(stage.new_seat())
    stage.cancel(stage.buy(stage.new_seat()))
    return given_of(stage)


def poisoned(stage: Stage) -> Given:
    """A purchase that SQL would accept by now waits in quarantine."""
    stage.buy()
    seat = stage.new_seat()
    key = stage.buy(seat)
    poison(stage.one, stage.event, seat)
    stage.one.persist(stage.event)
    stage.database.write(lambda c: c.execute(sold_seats.delete().where(sold_seats.c.purchase_id.contains(".1-999."))))
    stage.database.write(lambda c: c.execute(purchases.delete().where(purchases.c.seq == 999)))
    return given_of(stage, key=key, position=str(stage.sold[key].id.position))


def distrusted(stage: Stage) -> Given:
    given = unrecorded_log(stage)
    distrust(stage.one, stage.event)
    return given


def lost_by_redis(stage: Stage) -> Given:
    given = unrecorded_log(stage)
    stage.one.persist(stage.event)
    stage.one.calls.command("DEL", *keys.all_of(stage.event))
    return given


def fork(stage: Stage, *, sold_twice: bool = False) -> Given:
    """An old primary comes back that has sold on in the term before."""
    stage.buy()
    stage.one.persist(stage.event)
    kept = {key: stage.one.calls.command("DUMP", key) for key in keys.all_of(stage.event)}
    distrust(stage.one, stage.event)
    stage.one.persist(stage.event)
    seat = stage.new_seat()
    owner = stage.buy(seat)
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
    purchase_id = stage.sold[key].id
    return given_of(stage, key=key, owner=owner, position=str(purchase_id.position), purchase=str(purchase_id))


def waiting_fork(stage: Stage) -> Given:
    given = fork(stage, sold_twice=True)
    stage.recover()
    stage.aside[given["key"]] = stage.sold.pop(given["key"])
    return given


def replayable_fork(stage: Stage) -> Given:
    """Whoever had the seat gives it back."""
    given = waiting_fork(stage)
    stage.cancel(given["owner"])
    return given


def sql_went_back(stage: Stage) -> Given:
    stage.buy()
    stage.one.persist(stage.event)
    older = backup(stage.database)
    given = unrecorded_log(stage)
    stage.one.persist(stage.event)
    trim(stage.one, stage.event)
    restore(stage.database, older)
    return given


def stopped(stage: Stage) -> Given:
    given = sql_went_back(stage)
    stage.one.persist(stage.event)
    return given


def merge(stage: Stage) -> None:
    stage.move_clock(LEASE_OVER_MS)
    with suppress(NothingToMerge):
        stage.one.merge.run(stage.event, "redis", OPERATOR)
