"""What web instances leave of their counts in Redis, and who speaks for an instance."""

from pathlib import Path

import pytest
import redis

from seating.redis_store import keys
from seating.redis_store.connection import DirectCalls, ScriptConnection
from seating.redis_store.process_reports import SHARE_KEPT_MS, WebShares
from seating.services.web_instances import WebInstances
from seating.storage.database import in_this_thread
from seating.telemetry import metrics
from seating.telemetry.metrics_folder import Speaker
from seating.telemetry.web_counts import WebCounts
from tests import frozen_clock
from tests.servers import RedisServer


@pytest.fixture
def client(redis_server: RedisServer) -> "redis.Redis":
    return redis_server.client()


@pytest.fixture
def shares(redis_url: str) -> WebShares:
    return WebShares(DirectCalls(ScriptConnection(redis_url, frozen_clock.scripts())))


def at(client: "redis.Redis", ms: int) -> None:
    """Move the clock to so many ms past noon."""
    client.set(frozen_clock.CLOCK, frozen_clock.NOON_MS + ms)


def test_a_share_lasts_as_long_as_it_is_renewed(client: "redis.Redis", shares: WebShares) -> None:
    for moment in (0, SHARE_KEPT_MS - 1):
        at(client, moment)
        shares.leave("a", b"one")
    shares.leave("b", b"two")
    assert sorted(shares.of_others("c")) == [b"one", b"two"]
    assert shares.of_others("a") == [b"two"]
    at(client, 2 * SHARE_KEPT_MS - 2)
    shares.leave("b", b"three")
    at(client, 2 * SHARE_KEPT_MS - 1)
    assert shares.of_others("c") == [b"three"]
    assert client.hkeys(keys.WEB_SHARES) == [b"b"]
    assert 0 < client.pttl(keys.WEB_SHARES) <= SHARE_KEPT_MS


def test_a_clock_that_was_set_back_keeps_no_share(client: "redis.Redis", shares: WebShares) -> None:
    at(client, 2 * SHARE_KEPT_MS)
    shares.leave("a", b"one")
    at(client, 0)
    assert shares.of_others("b") == []


def test_there_are_at_most_a_thousand(client: "redis.Redis", shares: WebShares) -> None:
    at(client, 0)
    client.hset(
        keys.WEB_SHARES, mapping={f"instance-{number}": f"{frozen_clock.NOON_MS}|{{}}" for number in range(999)}
    )
    shares.leave("the-last", b"{}")
    shares.leave("too-many", b"{}")
    assert client.hlen(keys.WEB_SHARES) == 1000
    shares.leave("instance-7", b"mine")  # Who is among them stays.
    assert b"mine" in shares.of_others("another")


def test_what_others_wrote_there_is_dropped(client: "redis.Redis", shares: WebShares) -> None:
    client.set(keys.WEB_SHARES, "something")
    shares.leave("a", b"one")
    client.hset(keys.WEB_SHARES, "b", "no share")
    assert shares.of_others("c") == [b"one"]
    assert client.hkeys(keys.WEB_SHARES) == [b"a"]


def test_counts_add_up_and_unreadable_ones_are_left_out(client: "redis.Redis", shares: WebShares) -> None:
    own = WebInstances(shares, Speaker(None), in_this_thread)
    before = own.counts()
    shares.leave("a", WebCounts({"succeeded": 3, "2xx": 5, "request_s": 2.5, "unknown": 1}).to_json())
    shares.leave("b", WebCounts({"succeeded": 4, "failed": 1, "live_clients": 2}).to_json())
    for number, share in enumerate((b"{", b"[1]", b'{"succeeded": "many"}', b"\xff")):
        shares.leave(f"unreadable-{number}", share)
    after = own.counts()
    assert after.purchases == (before.purchases[0] + 7, before.purchases[1] + 1)
    assert after.responses["2xx"] == before.responses["2xx"] + 5
    assert after.live_clients == before.live_clients + 2


def test_a_process_without_files_counts_as_an_instance() -> None:
    """All that the routes show, with each bucket of a histogram apart from those below it."""
    before = WebCounts.own()
    for seconds in (0.004, 0.004, 0.04):
        metrics.count_purchase("sold", seconds)
    metrics.count_purchase("SOLD_OUT", None)
    metrics.count_request("/seats", "GET", "200", 0.25)
    metrics.LIVE_CLIENTS.inc()
    after = WebCounts.own().numbers
    metrics.LIVE_CLIENTS.dec()
    gained = {name: value - before.numbers.get(name, 0) for name, value in after.items()}
    times = {"purchases_up_to_0.005": 2, "purchases_up_to_0.05": 1}
    counts = {"succeeded": 3, "failed": 1, "2xx": 1, "request_s": 0.25, "live_clients": 1}
    assert {name: value for name, value in gained.items() if value} == pytest.approx(times | counts)


def test_the_percentile_is_of_all(shares: WebShares) -> None:
    fast = WebCounts({"purchases_up_to_0.01": 90, "purchases_up_to_0.5": 0, "purchases_up_to_+Inf": 0})
    slow = WebCounts({"purchases_up_to_0.01": 0, "purchases_up_to_0.5": 10, "purchases_up_to_+Inf": 0})
    assert (fast.purchase_p95_s, slow.purchase_p95_s, fast.plus([slow]).purchase_p95_s) == (0.01, 0.5, 0.5)
    assert WebCounts({}).purchase_p95_s == 0


def test_one_process_speaks_until_it_ends(tmp_path: Path) -> None:
    first, second = Speaker(tmp_path), Speaker(tmp_path)
    assert first.instance == second.instance
    assert [first.is_mine(), second.is_mine(), first.is_mine()] == [True, False, True]
    first.close()
    assert second.is_mine()


def test_a_process_without_others_speaks_for_itself() -> None:
    one, other = Speaker(None), Speaker(None)
    assert one.instance != other.instance
    assert one.is_mine()
    assert other.is_mine()
