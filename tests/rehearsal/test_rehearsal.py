"""`seating onsale` as a process: what it prints, and its exit status, which others trust."""

import re
import subprocess
import sys
import time
from pathlib import Path
from tempfile import gettempdir
from typing import NamedTuple

import pytest

from seating.rehearsal import report
from seating.rehearsal.books import check_counts
from seating.rehearsal.sale import Counts, RehearsedSale
from seating.rehearsal.server import HttpClient
from tests import forked
from tests.rehearsal.fake_server import FakeServer
from tests.system import System, clean_environment, free_port


class Rehearsal(NamedTuple):
    status: int
    out: str
    err: str

    def figure(self, name: str) -> float:
        """The number on the line that begins with `name`."""
        found = re.search(rf"^{name} +([\d,.]+)", self.out, re.MULTILINE)
        assert found, self.out + self.err
        return float(found[1].replace(",", ""))


def rehearse(*options: str, **environment: str) -> Rehearsal:
    """Runs what `seating onsale` becomes to its end, as a fork of a process that has its libraries already.

    Servers in this process can answer it meanwhile.
    """
    given = clean_environment() | environment
    done = forked.run(options, Path(gettempdir()), given, "seating.rehearsal")
    return Rehearsal(done.returncode, done.stdout, done.stderr)


def rehearse_by_command(*options: str) -> Rehearsal:
    """Runs `seating onsale` as its users do; no server in this process can answer it."""
    command = [sys.executable, "-m", "seating", "onsale", *options]
    done = subprocess.run(
        command, cwd=gettempdir(), env=clean_environment(), capture_output=True, text=True, timeout=60, check=False
    )
    return Rehearsal(done.returncode, done.stdout, done.stderr)


def test_prints_every_figure_and_right_books(system: System) -> None:
    event = system.create_event(totalSeats=40)
    url = f"http://127.0.0.1:{system.port}"

    found = rehearse_by_command("--url", url, "--event", event, "--buyers", "60", "--retried", "50")

    assert found.status == 0, found
    assert (found.figure("sold"), found.figure("refused"), found.figure("failed")) == (40, 20, 0)
    assert 10 <= found.figure("replayed") <= 30
    assert found.figure("duration") > 0
    assert found.figure("p50") <= found.figure("p95") <= found.figure("p99") <= found.figure("duration") * 1000 + 1
    assert found.figure("lag zero") >= 0
    assert "right  40 sold + 0 left = 40; each of the 40 purchases is in SQL once" in found.out
    assert system.get(f"/api/v1/events/{event}").json["seatsSold"] == 40


def test_buys_several_seats_each_of_a_hall(system: System) -> None:
    hall = {"generate": {"sections": 1, "rows": 10, "seatsPerRow": 5}}
    event = system.create_event(seatingPlan=hall)

    found = rehearse("--event", event, "--buyers", "20", "--quantity", "5", PORT=str(system.port))

    assert found.status == 0, found
    assert (found.figure("sold"), found.figure("refused")) == (10, 10)
    assert "50 sold + 0 left = 50" in found.out


def test_buys_the_default_event_of_the_port_in_the_settings(system: System, tmp_path: Path) -> None:
    event = system.create_event(totalSeats=70)
    other = System(tmp_path, system.redis, system.database_url, DEFAULT_EVENT=event)
    other.start_part("web")
    try:
        other.wait_ready()
        found = rehearse("--buyers", "60", PORT=str(other.port))
    finally:
        other.stop()

    assert found.status == 0, found
    assert (found.figure("sold"), found.figure("replayed")) == (60, 6)
    assert "60 sold + 10 left = 70" in found.out


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        ("same seat", "a seat was sold twice: demo seat-7, 14 times"),
        ("same position", "two buyers got the same position: 1-7, 14 times"),
        ("same purchase", "two buyers got the same purchase: demo.7, 14 times"),
        ("mumbles", "a 200 does not say what was bought: purchaseId"),
        ("forgets", "a repetition with the same key did not get its purchase again (2 cases): 409; 409"),
        ("rewords", "a repetition got another response than the first (2 cases)"),
        ("unmarked", "a repetition is not marked Idempotent-Replayed (2 cases)"),
        ("loses", "a purchase cannot be found again: demo.7 answered 404"),
        ("records late", "a purchase is not in SQL: demo.7 is accepted"),
        ("records otherwise", "a purchase in SQL differs from its response: demo.7"),
        ("sells more", "20 were bought here, yet sold grew by 21"),
        ("drops a seat", "sold and left are not the capacity: 20 sold + 9 left + 0 held or blocked, of 30"),
    ],
)
def test_ends_with_status_1_when_the_books_are_wrong(lie: str, words: str) -> None:
    with FakeServer(lie) as server:
        found = rehearse("--url", server.url, "--buyers", "20")

    assert found.status == 1, found
    assert words in found.out
    assert "WRONG" in found.out


def test_ends_with_status_0_when_nothing_is_wrong() -> None:
    with FakeServer(capacity=15) as server:
        found = rehearse("--url", server.url, "--buyers", "20", "--retried", "0")

    assert found.status == 0, found
    assert (found.figure("sold"), found.figure("refused"), found.figure("replayed")) == (15, 5, 0)


def test_a_default_event_is_not_needed_to_sell_another() -> None:
    with FakeServer("has no default event") as server:
        found = rehearse("--url", server.url, "--event", "demo", "--buyers", "20")

    assert found.status == 0, found
    assert (found.figure("sold"), found.figure("replayed")) == (20, 2)
    assert found.figure("lag zero") >= 0


def test_a_broken_connection_is_used_again_with_the_same_key() -> None:
    with FakeServer("breaks") as server:
        found = rehearse("--url", server.url, "--buyers", "20", "--retried", "0")

    assert found.status == 0, found
    assert len(server.sold) == 20
    assert [found.figure(name) for name in ("sold", "failed", "replayed", "broken")] == [20, 0, 20, 20]


def test_a_failure_that_may_have_sold_is_not_held_against_the_books() -> None:
    with FakeServer("fails") as server:
        found = rehearse("--url", server.url, "--buyers", "20")

    assert found.status == 0, found
    assert (found.figure("sold"), found.figure("failed")) == (19, 1)
    assert "503 INVENTORY_UNAVAILABLE" in found.out


def test_a_repetition_without_an_answer_contradicts_nothing() -> None:
    with FakeServer("faints") as server:
        found = rehearse("--url", server.url, "--buyers", "20")

    assert found.status == 0, found
    assert found.figure("replayed") == 0
    assert "2 repeated on purpose" in found.out


def test_ends_with_status_2_and_one_line_when_nobody_answers() -> None:
    found = rehearse("--url", f"http://127.0.0.1:{free_port()}")

    assert found.status == 2
    assert found.out == ""
    assert found.err.startswith("seating: http://127.0.0.1:")
    assert len(found.err.splitlines()) == 1


def test_ends_with_status_2_when_something_else_answers(system: System) -> None:
    found = rehearse("--event", "no-such-event", PORT=str(system.port))

    assert (found.status, len(found.err.splitlines())) == (2, 1)
    assert "404 EVENT_NOT_FOUND" in found.err


@pytest.mark.parametrize(
    ("sold", "left", "aside", "right"),
    [
        (14, 83, (2, 1), True),  # the default event tells what is held and blocked
        (14, 84, (2, 1), False),
        (14, 86, (None, None), True),
        (14, 84, (None, None), True),  # somebody holds two, as before
        (14, 83, (None, None), False),  # one seat is nowhere
        (14, 87, (None, None), False),
        (13, 87, (0, 0), False),  # one of those bought here does not count
        (16, 84, (0, 0), True),  # two whose outcome nobody knows
        (17, 83, (0, 0), False),
    ],
)
def test_counts_come_out(sold: int, left: int, aside: tuple[int | None, int | None], right: bool) -> None:
    def counts(sold: int, left: int, held: int | None, blocked: int | None) -> Counts:
        return Counts(totalSeats=100, seatsSold=sold, seatsRemaining=left, seatsHeld=held, seatsBlocked=blocked)

    before = counts(10, 88, None, None)
    wrong = list(check_counts(before, counts(sold, left, *aside), seats_bought=4, seats_unsure=2))
    assert (wrong == []) is right, wrong


def test_gives_up_on_a_lag_that_stays() -> None:
    with FakeServer("lags") as server:
        sale = RehearsedSale(HttpClient(server.url), None, 1)
        assert sale.seconds_to_lag_zero([], time.perf_counter(), within_s=0.1) is None


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:3000",
        "ftp://127.0.0.1",
        "http://",
        "http://127.0.0.1:99999",
        "http://h/?q=1",
        "http://me@h",
        "http://a..b",
    ],
)
def test_refuses_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match=r"is not like http://|Port out of range|label"):
        HttpClient(url)


def test_keeps_the_path_that_a_proxy_put_before_the_routes() -> None:
    server = HttpClient("https://tickets.example/sale/")
    assert (server.host, server.port, server.prefix) == ("tickets.example", 443, "/sale")


def test_percentiles_are_by_nearest_rank() -> None:
    waits = [float(ms) for ms in range(1, 21)]
    assert [report.percentile(waits, percent) for percent in (50, 95, 99)] == [10, 19, 20]
