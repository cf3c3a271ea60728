"""Whatever the partner does: a clear error within the deadline, and nothing left behind."""

import gc
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event
from typing import Any

import gevent
import psutil
import pytest
from gevent import get_hub
from urllib3.util.connection import create_connection

from seating.domain.errors import SeatingError
from seating.domain.partner_errors import (
    CatalogueBusy,
    PartnerAnswerInvalid,
    PartnerFailed,
    PartnerOverloaded,
    PartnerTooSlow,
)
from seating.services.catalogue import MAX_EVENTS_BYTES, Catalogue
from seating.storage.offloading import offload_of_this_process
from seating.upstream.partner_client import (
    MAX_ANSWER_BYTES,
    MAX_EVENT_BYTES,
    MAX_USER_BYTES,
    Deadline,
    PartnerClient,
    PartnerLimits,
)
from tests.catalogue import partner as habits
from tests.catalogue.conftest import DEADLINE_S
from tests.catalogue.partner import Habit, Partner, answers, only, sends
from tests.servers import wait_until

Make = Callable[..., Catalogue]

QUESTIONS: dict[str, Callable[[Catalogue], object]] = {
    "getUsers": lambda catalogue: catalogue.users(),
    "getEvents": lambda catalogue: catalogue.events(),
    "getUserById": lambda catalogue: catalogue.events_of("20"),
    "getEventById": lambda catalogue: catalogue.events_of("20"),
    "addEvent": lambda catalogue: catalogue.add_event("A", 1),
}
HABITS: dict[str, tuple[Habit, type[SeatingError]]] = {
    "hangs": (habits.hangs, PartnerTooSlow),
    "drops": (habits.drops, PartnerFailed),
    "half a body": (habits.sends_half, PartnerFailed),
    "half of its chunks": (habits.sends_half_of_its_chunks, PartnerFailed),
    "a gigabyte": (habits.sends_a_gigabyte, PartnerAnswerInvalid),
    "chunks without end": (habits.sends_chunks_without_end, PartnerAnswerInvalid),
    "drips": (habits.drips, PartnerTooSlow),
    "drips headers": (habits.drips_headers, PartnerTooSlow),
    "HTML": (sends(200, b"<html>Down for maintenance</html>", Content_Type="text/html"), PartnerAnswerInvalid),
    "nothing": (sends(200, b""), PartnerAnswerInvalid),
    "no UTF-8": (sends(200, b'{"id": "\xff"}'), PartnerAnswerInvalid),
    "a deep nest": (sends(200, b"[" * 500_000), PartnerAnswerInvalid),
    "packed": (sends(200, b"\x1f\x8b\x08" + b"\0" * 99, Content_Encoding="gzip"), PartnerAnswerInvalid),
    "no HTTP": (lambda connection, _path: connection.sendall(b"220 mail ready\r\n"), PartnerFailed),
    "many headers": (sends(200, b"{}", **{f"X-{n}": "x" for n in range(500)}), PartnerFailed),
    "500": (answers(500, {"error": "sorry"}), PartnerFailed),
    "400": (answers(400, {"error": "you"}), PartnerAnswerInvalid),
    "204": (sends(204, b""), PartnerAnswerInvalid),
    "null": (answers(200, None), PartnerAnswerInvalid),
    "a number": (answers(200, 7), PartnerAnswerInvalid),
    "a list of numbers": (answers(200, [7]), PartnerAnswerInvalid),
    "another object": (answers(200, {"id": {}, "name": 7, "events": "e1", "success": "true"}), PartnerAnswerInvalid),
    "a list of others": (answers(200, [{"id": "a/../b", "name": "N"}]), PartnerAnswerInvalid),
    "failure with 200": (answers(200, {"success": False}), PartnerAnswerInvalid),
}


@contextmanager
def leaves_nothing(catalogue: Catalogue) -> Iterator[None]:
    """Afterwards no greenlet of the block lives, and no file is open that was not before."""
    catalogue.guards.reports()  # So that its connection to Redis is there before anything is counted.
    gc.collect()
    gc.freeze()  # What is there already is not looked at: that would take longer than all else.
    files = psutil.Process().num_fds()

    def nothing_is_left() -> bool:
        greenlets = (found for found in gc.get_objects() if isinstance(found, gevent.Greenlet))
        return all(one.dead for one in greenlets) and psutil.Process().num_fds() <= files

    yield
    wait_until(nothing_is_left, 5, "greenlets and sockets to be gone")


@pytest.mark.parametrize("route", QUESTIONS)
@pytest.mark.parametrize("habit", HABITS)
def test_a_clear_error_within_the_deadline_and_nothing_left(
    make: Make, partner: Partner, habit: str, route: str
) -> None:
    behave, error = HABITS[habit]
    # Whoever is slow by nature is waited for shortly; whoever is not has the time that a busy machine needs.
    deadline_s = 0.5 if error is PartnerTooSlow else 15.0
    catalogue = make(deadline_s=deadline_s)
    partner.habit = only(route, behave)
    with leaves_nothing(catalogue):
        started = time.monotonic()
        with pytest.raises(error) as refused:
            QUESTIONS[route](catalogue)
        assert time.monotonic() - started < deadline_s + 1.0
    assert "event partner" in refused.value.message


@pytest.mark.parametrize(
    ("route", "max_bytes"),
    [
        ("getUsers", MAX_ANSWER_BYTES),
        ("getEvents", MAX_ANSWER_BYTES),
        ("getUserById", MAX_USER_BYTES),
        ("getEventById", MAX_EVENT_BYTES),
    ],
)
def test_a_body_has_the_size_of_what_is_asked_for(make: Make, partner: Partner, route: str, max_bytes: int) -> None:
    """A request may ask for a thousand events, so one of them gets less room than a list."""

    def ask(size: int) -> object:
        partner.habit = only(route, habits.fills(size))
        return QUESTIONS[route](make())

    assert ask(max_bytes)
    with pytest.raises(PartnerAnswerInvalid, match=f"more than {max_bytes} bytes"):
        ask(max_bytes + 1)


def test_the_events_of_one_request_have_a_size_together(make: Make, partner: Partner) -> None:
    """Each has its own, but a request may be for a thousand of them. The rest is not asked for."""
    catalogue = make(deadline_s=60.0, read_timeout_s=60.0)
    partner.habit = only("getEventById", habits.fills(MAX_EVENT_BYTES))
    most = MAX_EVENTS_BYTES // MAX_EVENT_BYTES
    assert len(catalogue.events_of(str(most))) == most
    partner.calls.clear()
    with leaves_nothing(catalogue), pytest.raises(PartnerAnswerInvalid, match=f"more than {MAX_EVENTS_BYTES} bytes"):
        catalogue.events_of("1000")
    assert len(partner.calls) < 900


def test_a_user_may_have_a_thousand_events_with_the_longest_ids(make: Make, partner: Partner) -> None:
    ids = [f"{number:064}" for number in range(1000)]
    partner.habit = answers(200, {"id": "7", "name": "N", "events": ids})
    client = make().client
    assert client is not None
    assert client.user("7", Deadline(DEADLINE_S)).events == ids


@pytest.mark.parametrize("route", QUESTIONS)
@pytest.mark.parametrize("has_address", [True, False])
def test_a_partner_that_is_down(
    make: Make, partner: Partner, route: str, monkeypatch: pytest.MonkeyPatch, *, has_address: bool
) -> None:
    """It is not slow: a read is tried again, and both are one failure to the breaker."""
    attempts = []

    def connect(address: tuple[str, int], *rest: Any, **options: Any) -> Any:
        attempts.append(address)
        if not has_address:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return create_connection(address, *rest, **options)

    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    catalogue = make()
    partner.stop()
    with leaves_nothing(catalogue), pytest.raises(PartnerFailed) as refused:
        QUESTIONS[route](catalogue)
    assert refused.value.code == "PARTNER_FAILED"
    assert len(attempts) == (1 if route == "addEvent" else 2)
    assert sum(report.failures for report in catalogue.guards.reports().values()) == 1


@pytest.mark.parametrize("habit", ["hangs", "drips", "drips headers"])
def test_the_deadline_is_for_all_calls_of_a_request_together(make: Make, partner: Partner, habit: str) -> None:
    """The user takes most of it; what is left is all that the events get."""
    catalogue = make(deadline_s=2.0)

    def slow_user(connection: habits.Connection, path: str) -> None:
        gevent.sleep(1.5)
        habits.fares_well(connection, path)

    behave, _ = HABITS[habit]
    partner.habit = lambda connection, path: (slow_user if "User" in path else behave)(connection, path)
    started = time.monotonic()
    with pytest.raises(PartnerTooSlow):
        catalogue.events_of("5")
    assert time.monotonic() - started < 3.0


def test_one_event_that_fails_ends_the_others_at_once(make: Make, partner: Partner) -> None:
    catalogue = make(deadline_s=30.0, read_timeout_s=30.0)

    def one_fails(connection: habits.Connection, path: str) -> None:
        if path.endswith("/e13"):
            wait_until(lambda: len(partner.calls) == 21, what="all calls to be out")
            answers(500, {})(connection, path)
        else:
            hangs_for_events(connection, path)

    hangs_for_events = only("getEventById", habits.hangs)
    partner.habit = one_fails
    with leaves_nothing(catalogue), pytest.raises(PartnerFailed) as refused:
        catalogue.events_of("20")
    assert refused.value.facts == {"partner_status": 500}
    assert len(partner.calls) == 21


def test_a_redirect_is_not_followed(make: Make, partner: Partner) -> None:
    other = Partner(habits.fares_well)
    try:
        for target in (f"{other.url}/getUsers", "/getEvents", "file:///etc/passwd"):
            partner.habit = sends(302, b"", Location=target)
            with pytest.raises(PartnerAnswerInvalid):
                make().users()
        assert partner.calls == ["/getUsers"] * 3
        assert other.calls == []
    finally:
        other.stop()


@pytest.mark.parametrize("route", QUESTIONS)
def test_reads_are_retried_once_and_an_event_is_never_sent_twice(make: Make, partner: Partner, route: str) -> None:
    partner.habit = only(route, habits.drops)
    with pytest.raises(PartnerFailed):
        make().events_of("1") if route == "getEventById" else QUESTIONS[route](make())
    calls = [path for path in partner.calls if path.startswith(f"/{route}")]
    assert len(set(calls)) == 1
    assert len(calls) == (1 if route == "addEvent" else 2)


def test_a_connection_that_breaks_once_is_no_error(make: Make, partner: Partner) -> None:
    def breaks_once(connection: habits.Connection, path: str) -> None:
        (habits.drops if len(partner.calls) == 1 else habits.fares_well)(connection, path)

    partner.habit = breaks_once
    assert [user.id for user in make().users()] == [1]
    assert partner.calls == ["/getUsers"] * 2


def test_what_does_not_get_its_turn_in_time_is_not_held_against_the_partner(make: Make, partner: Partner) -> None:
    patient = make(at_once=1, threshold=1, deadline_s=30.0, read_timeout_s=30.0)
    hurried = replace(patient, deadline_s=0.2)
    partner.habit = gate = habits.Gate()
    first = gevent.spawn(patient.users)
    wait_until(lambda: partner.calls, what="the first to be out")
    with pytest.raises(CatalogueBusy):
        hurried.add_event("A", 1)
    gate.opened.set()
    assert len(first.get()) == 1
    assert partner.calls == ["/getUsers"]
    assert patient.guards.reports()["addEvent"].state == "CLOSED"


@pytest.mark.parametrize(("user", "hanging", "state"), [("2", "e1", "CLOSED"), ("1", "e0", "OPEN")])
def test_a_turn_that_comes_late_is_not_held_against_the_partner(
    make: Make, partner: Partner, user: str, hanging: str, state: str
) -> None:
    """One call at a time: the second event waits for the first, which did not wait."""
    catalogue = make(at_once=1, threshold=1, deadline_s=2.0)
    partner.habit = only(f"getEventById/{hanging}", habits.hangs)
    with pytest.raises(PartnerTooSlow):
        catalogue.events_of(user)
    assert partner.calls[-1] == f"/getEventById/{hanging}"
    assert catalogue.guards.reports()["getEventById"].state == state


def test_the_partners_own_words_pass_through_if_they_can_be_shown(make: Make, partner: Partner) -> None:
    for value, shown in (
        ({"message": "Come back on Monday"}, "Come back on Monday"),
        ({"message": "x" * 5000}, "x" * 300),
        ({"message": "a\x1bb"}, PartnerOverloaded.sentence),
        ({"message": 7}, PartnerOverloaded.sentence),
        ([], PartnerOverloaded.sentence),
    ):
        partner.habit = answers(503, value)
        with pytest.raises(PartnerOverloaded) as refused:
            make().add_event("A", 1)
        assert refused.value.message == shown


def test_a_name_server_that_hangs_occupies_no_thread_of_sql_and_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten look-ups of a partner's host once stopped both, however long they took."""
    asked, answered = [], Event()

    def hang(host: str, *_rest: object) -> list[object]:
        asked.append(host)
        answered.wait()
        return []

    # The host is looked up in a thread, which no greenlet's event can stop.
    monkeypatch.setattr("_socket.getaddrinfo", hang)
    monkeypatch.setattr("seating.storage.offloading.monkey.is_module_patched", lambda _name: True)
    client = PartnerClient("http://partner.test", PartnerLimits(0.3, DEADLINE_S, at_once=20))
    calls = [gevent.spawn(client.events, Deadline(DEADLINE_S)) for _ in range(20)]
    try:
        wait_until(lambda: len(asked) >= get_hub().threadpool.maxsize, what="no thread to be left")
        with gevent.Timeout(5):
            assert offload_of_this_process()(lambda: "done") == "done"
    finally:
        answered.set()
        gevent.killall(calls)
