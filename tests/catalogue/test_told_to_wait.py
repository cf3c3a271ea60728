"""A partner that says how long to wait: 429, and `Retry-After`."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from seating.upstream.retry_after import LONGEST_WAIT_S, wait_s_in
from tests.catalogue import partner as habits
from tests.catalogue.conftest import web_over
from tests.catalogue.partner import Partner, answers, only
from tests.catalogue.test_routes import add, breaker, open_breaker
from tests.servers import wait_until
from tests.system import System

Waiting = tuple[System, Partner]


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Waiting]:
    """A system and its partner; a breaker that opens is half-open soon."""
    partner = Partner(habits.fares_well)
    with web_over(tmp_path_factory.mktemp("waiting"), partner.url, CIRCUIT_BREAKER_RESET_TIMEOUT_MS="300") as system:
        yield system, partner
    partner.stop()


def test_429_is_no_sign_of_health(waiting: Waiting) -> None:
    system, partner = waiting
    open_breaker(system, partner)
    wait_until(lambda: breaker(system)["state"] == "HALF_OPEN", what="half-open")
    partner.habit = answers(429, {})
    for _ in range(2):
        throttled = add(system)
        assert (throttled.status, throttled.headers["Retry-After"]) == (503, "5")
    assert breaker(system)["state"] == "HALF_OPEN"
    assert system.parts["web"].log.read_text().count('"breaker half-open"') == 1
    partner.habit = habits.fares_well
    assert add(system).status == 200
    assert breaker(system)["state"] == "CLOSED"


def test_429_is_no_failure(waiting: Waiting) -> None:
    system, partner = waiting
    partner.habit = answers(429, {}, Retry_After="17")
    for answer in [add(system) for _ in range(5)] + [system.get("/getUsers"), system.get("/getEventsByUserId/3")]:
        assert (answer.status, answer.json["code"]) == (503, "PARTNER_THROTTLED")
        assert answer.json["error"] == "Service temporarily unavailable"
        assert answer.headers["Retry-After"] == "17"
    assert (breaker(system)["state"], breaker(system)["failures"]) == ("CLOSED", 0)


def test_a_wait_until_a_year_that_cannot_be_hides_no_failure(waiting: Waiting) -> None:
    system, partner = waiting
    partner.habit = only("addEvent", answers(503, {}, Retry_After="1 Jan 99999999999 00:00:00 GMT"))
    for _ in range(3):
        assert add(system).status == 503
    wait_until(lambda: breaker(system)["state"] == "HALF_OPEN", what="half-open, as it can be only after it was open")
    partner.habit = habits.fares_well
    assert add(system).status == 200


def test_the_wait_of_a_503_is_passed_on(waiting: Waiting) -> None:
    system, partner = waiting
    partner.habit = answers(503, {"message": "Too many"}, Retry_After="9")
    added, read = add(system), system.get("/getUsers")
    assert (added.status, added.headers["Retry-After"], added.json["message"]) == (503, "9", "Too many")
    assert (read.status, read.headers["Retry-After"]) == (502, "9")
    assert breaker(system)["failures"] == breaker(system, "getUsers")["failures"] == 1


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        ("17", 17),
        (" 1 ", 1),
        ("0", 1),
        ("9" * 400, LONGEST_WAIT_S),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 1),
        ("Tue, 21 Oct 2255 07:28:00 -0000", LONGEST_WAIT_S),
        *((text, None) for text in (None, "", "soon", "-1", "1.5", "\u0663", "Wed, 99 Oct 2015 07:28:00 GMT")),
        ("1 Jan 99999999999 00:00:00 GMT", None),
    ],
)
def test_retry_after(text: str | None, wait_s: int | None) -> None:
    assert wait_s_in(text) == wait_s


def test_retry_after_as_a_date() -> None:
    at = datetime.now(UTC) + timedelta(seconds=90)
    assert wait_s_in(format_datetime(at, usegmt=True)) in (89, 90)
