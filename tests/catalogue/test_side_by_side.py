"""The events of a user: at most so many at once, each fetched once however many ask, whole or not at all."""

import itertools
import json
from collections.abc import Callable

import gevent
import pytest

from seating.domain.partner_errors import PartnerFailed, PartnerUnavailable, PartnerUserNotFound
from seating.services.catalogue import Catalogue
from tests.catalogue import partner as habits
from tests.catalogue.partner import Gate, Partner, answers, only
from tests.servers import wait_until

Make = Callable[..., Catalogue]


def _ids(catalogue: Catalogue, user_id: str) -> list[object]:
    return [event.id for event in catalogue.events_of(user_id)]


def _fetched(partner: Partner) -> list[str]:
    return [path for path in partner.calls if path.startswith("/getEventById")]


@pytest.mark.parametrize("count", [0, 1, 7, 300])
def test_all_in_their_order(make: Make, partner: Partner, count: int) -> None:
    catalogue = make(deadline_s=20.0, read_timeout_s=20.0)
    assert _ids(catalogue, str(count)) == [f"e{number}" for number in range(count)]


def test_what_is_not_needed_here_passes_through(make: Make) -> None:
    told = make().events_of("1")[0]
    assert json.loads(told.model_dump_json()) == {"id": "e0", "name": "N", "seats": 7}


def test_no_more_at_once_than_was_set(make: Make, partner: Partner) -> None:
    under_way = peak = 0

    def count(connection: habits.Connection, path: str) -> None:
        nonlocal under_way, peak
        under_way += 1
        peak = max(peak, under_way)
        gevent.sleep(0.01)
        habits.fares_well(connection, path)
        under_way -= 1

    partner.habit = count
    catalogue = make(at_once=5, deadline_s=20.0, read_timeout_s=20.0)
    asking = [gevent.spawn(catalogue.events_of, str(20 + number)) for number in range(3)]
    gevent.joinall(asking, raise_error=True)
    assert peak == 5


def test_a_user_whom_the_partner_does_not_know(make: Make, partner: Partner) -> None:
    partner.habit = answers(404, {})
    with pytest.raises(PartnerUserNotFound):
        make().events_of("x")


def test_an_event_that_is_not_there_is_no_reason_for_a_part(make: Make, partner: Partner) -> None:
    partner.habit = only("getEventById/e3", answers(404, {}))
    with pytest.raises(Exception, match="event partner sent an invalid response: status 404"):
        make().events_of("5")


def test_an_event_that_many_ask_for_is_fetched_once(make: Make, partner: Partner) -> None:
    catalogue = make(deadline_s=20.0, read_timeout_s=20.0)
    partner.habit = only("getEventById", gate := Gate())
    asking = [gevent.spawn(_ids, catalogue, "4") for _ in range(20)]
    wait_until(lambda: len(partner.calls) == 20 + 4, what="all of them to ask")
    gate.opened.set()
    gevent.joinall(asking, raise_error=True)
    assert all(one.get() == ["e0", "e1", "e2", "e3"] for one in asking)
    assert len(_fetched(partner)) == 4


def test_who_waits_for_the_fetch_of_a_request_that_fails_gets_an_answer(make: Make, partner: Partner) -> None:
    """Its fetches are ended with it, and made again for whoever needs them still."""
    catalogue = make(deadline_s=20.0, read_timeout_s=20.0)
    gate, failing = Gate(), Gate()

    def behave(connection: habits.Connection, path: str) -> None:
        if path == "/getEventById/e2":
            failing.opened.wait()
            answers(500, {})(connection, path)
        elif path.startswith("/getEventById"):
            gate(connection, path)
        else:
            habits.fares_well(connection, path)

    partner.habit = behave
    failed = gevent.spawn(_outcome, catalogue, "3")
    wait_until(lambda: len(_fetched(partner)) == 3, what="the first request's fetches")
    waiting = gevent.spawn(_ids, catalogue, "2")
    wait_until(lambda: "/getUserById/2" in partner.calls, what="the second request")
    failing.opened.set()
    assert isinstance(failed.get(), PartnerFailed)
    wait_until(lambda: len(_fetched(partner)) == 5, what="the second request's own fetches")
    gate.opened.set()
    assert waiting.get() == ["e0", "e1"]


def test_nothing_is_kept(make: Make, partner: Partner) -> None:
    catalogue = make()
    for _ in range(2):
        catalogue.events_of("1")
    assert len(_fetched(partner)) == 2


def test_the_probe_is_one_call_and_the_others_follow_it(make: Make, partner: Partner) -> None:
    catalogue = make(threshold=1, reset_timeout_ms=1, deadline_s=20.0, read_timeout_s=20.0)
    partner.habit = only("getEventById", answers(500, {}))
    assert isinstance(_outcome(catalogue, "1"), PartnerFailed)
    wait_until(lambda: catalogue.guards.reports()["getEventById"].state == "HALF_OPEN", what="half-open")
    partner.calls.clear()
    partner.habit = only("getEventById", gate := Gate())
    asking = [gevent.spawn(_outcome, catalogue, "6") for _ in range(4)]
    wait_until(lambda: sum(one.ready() for one in asking) == 3, what="three to be refused")
    assert _fetched(partner) == ["/getEventById/e0"]
    gate.opened.set()
    gevent.joinall(asking)
    outcomes = [one.get() for one in asking]
    assert sum(isinstance(outcome, PartnerUnavailable) for outcome in outcomes) == 3
    whole = list(itertools.chain.from_iterable(outcome for outcome in outcomes if isinstance(outcome, list)))
    assert whole == [f"e{number}" for number in range(6)]
    assert catalogue.guards.reports()["getEventById"].state == "CLOSED"


def _outcome(catalogue: Catalogue, user_id: str) -> object:
    """The ids of the events, or the error."""
    try:
        return _ids(catalogue, user_id)
    except (PartnerFailed, PartnerUnavailable) as error:
        return error
