"""Redis loses everything: the sale stops, comes back by itself, and nothing that SQL has is sold twice or forgotten."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from seating.redis_store import keys
from tests.books import (
    assert_books_right,
    assert_replayed,
    buy_some,
    seconds_closed,
)
from tests.crowd import Rush
from tests.servers import RedisServer, wait_until
from tests.system import System

_EVENT = "demo"
# What can be emptied in the middle of a sale without losing a single purchase: no lag, looked at in the same moment.
_EMPTY_AT_LAG_ZERO = """
if redis.call('HGET', KEYS[1], 'seq') ~= redis.call('HGET', KEYS[1], 'persisted') then
  return 0
end
redis.call('FLUSHALL')
return 1
"""


@pytest.fixture
def running(own_redis: RedisServer, database_url: str, tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path / "data", own_redis, database_url)
    try:
        yield system.start()
    finally:
        system.stop()


def test_with_everything_in_sql_under_load(running: System, own_redis: RedisServer) -> None:
    first = buy_some(running, 40)
    with Rush(running, buyers=4) as rush:
        wait_until(lambda: len(rush.answers) >= 60, what="a sale in full swing")
        emptied = own_redis.client().register_script(_EMPTY_AT_LAG_ZERO)
        wait_until(lambda: emptied(keys=[keys.inventory(_EVENT)]), what="a moment without lag")
        closed_s = seconds_closed(running)
        resumed = len(rush.answers)
        wait_until(lambda: len(rush.answers) >= resumed + 60, what="the sale to go on")
        assert_books_right(running, _EVENT)
    print(f"closed for {closed_s:.2f} s")
    assert closed_s < 5
    rush.settle()
    assert_replayed(running, first)
