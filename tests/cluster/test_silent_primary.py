"""A primary that hangs: what the others have goes on, in every part of the product."""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Final, NamedTuple

import gevent
import pytest
import redis
from structlog.testing import capture_logs

from seating.domain.errors import InventoryUnavailable, SeatingError
from seating.domain.event import EventFilter
from seating.domain.position import Position
from seating.redis_store import keys, opening, server_figures
from seating.redis_store.auto_pipeline import AutoPipeline
from seating.redis_store.calls import RedisUnavailable, Scripts
from seating.redis_store.cluster_calls import ClusterCalls
from seating.redis_store.connection import ScriptConnection
from seating.redis_store.live_log import open_log
from seating.redis_store.persist_queue import PersistQueue
from seating.redis_store.plain_client import plain_client
from seating.redis_store.seen_positions import SeenPositions
from seating.redis_store.slot_map import slot_map
from seating.services.answered import Answered
from seating.storage import migrations
from seating.storage.database import Database
from tests.clusters import Cluster
from tests.one_process import SHORT_LOGS, OneProcess
from tests.servers import wait_until

_REPLY_WITHIN_S: Final = 1.5
_ANY: Final = EventFilter()


class Hanging(NamedTuple):
    """`silent` are events of a primary that hangs, `others` are events of the others."""

    sale: OneProcess
    silent: list[str]
    others: list[str]
    port: int


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """No replica takes over while a test stops a primary."""
    started = Cluster(tmp_path_factory.mktemp("cluster"), node_timeout_ms=600_000)
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def on_all(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hanging]:
    """Events on all primaries; that of `silent` is not the one with what is of no event."""
    url = f"sqlite:///{tmp_path_factory.mktemp('sql') / 'seating.db'}"
    database, calls = Database(url), opening.direct(cluster.url, reply_within_s=_REPLY_WITHIN_S)
    with pytest.MonkeyPatch.context() as patch, closing(calls):
        migrations.upgrade(database)
        patch.setattr("rq.defaults.RQ_KEY_PREFIX", "{rq}")
        client = plain_client(cluster.url)
        sale = OneProcess(cluster.url, database, calls, SHORT_LOGS, Answered(database, calls.seen), client)
        port = next(one for one in cluster.primaries() if one != cluster.primary_of_key(keys.UPKEEP))
        events: list[str] = []

        def silent() -> list[str]:
            return [event for event in events if cluster.primary_of(event) == port]

        while len(silent()) < 3 or len(events) - len(silent()) < 3:
            events.append(sale.open(capacity=1000))
            sale.persist(events[-1])
        yield Hanging(sale, silent(), [event for event in events if event not in silent()], port)


def test_the_crons_tick_goes_on(on_all: Hanging, cluster: Cluster, redis_url: str) -> None:
    """It records what the others have, and nudges for nothing of the one that hangs."""
    sale, silent, others, port = on_all
    queue = PersistQueue(redis.Redis.from_url(redis_url))
    upkeep = sale.upkeep(queue)
    for event in (silent[0], others[0]):
        sale.buy(event, f"the-crons-tick-{event}")
    with cluster.paused(port):
        until_done(upkeep.tick)
        assert queue.take() == {others[0]}
        report = upkeep.reports.last()
    assert report
    assert report.report.open == len(silent) + len(others)
    assert report.report.trusted == len(others)
    upkeep.tick()
    assert queue.take() == {silent[0], others[0]}


def test_recording_tries_a_silent_primary_once(on_all: Hanging, cluster: Cluster) -> None:
    sale, silent, others, port = on_all
    sale.nudged.clear()
    number = 0

    def is_tried_once() -> bool:
        nonlocal number
        number += 1
        sale.buy(others[0], f"recorded-meanwhile-{number}")
        with capture_logs() as logs:
            sale.persistence.run(*silent, others[0])
        return [log["event"] for log in logs].count("inventory unavailable") == 1 and sale.lag(others[0]) == 0

    with cluster.paused(port):
        wait_until(is_tried_once, 60, "a run that tries one of its events")
    assert not set(sale.nudged) & set(silent)


def test_feeds_of_the_others_go_on(on_all: Hanging, cluster: Cluster) -> None:
    sale, silent, others, port = on_all
    log = open_log(cluster.url)
    since = {event: sale.now(event).backlog.position for event in (silent[0], others[0])}
    with cluster.paused(port):
        bought = sale.buy(others[0], "a-buyer-meanwhile").id.position
        found: dict[str, list[Position]] = {}

        def look() -> None:
            found.update({event: [entry.position for entry in log] for event, log in log.after(since, 9, 0).items()})

        until_done(look)
        assert found == {others[0]: [bought]}
        with pytest.raises(InventoryUnavailable):
            log.after({silent[0]: since[silent[0]]}, 9, 0)


def test_the_list_of_events_has_all(on_all: Hanging, cluster: Cluster) -> None:
    sale, silent, others, port = on_all
    with cluster.paused(port):
        page = sale.events.page(None, 50, _ANY)
    known = {found.event.id: found.counts is not None for found in page.items}
    assert known == dict.fromkeys(silent, False) | dict.fromkeys(others, True)


def test_metrics_of_the_others_are_read(on_all: Hanging, cluster: Cluster) -> None:
    with closing(opening.pipelined(cluster.url)) as calls, cluster.paused(on_all.port):
        figures: list[server_figures.ServerFigures] = []
        until_done(lambda: figures.append(server_figures.read(calls)))
    assert figures[0].memory_limit_bytes == 64 << 20


def test_calls_to_the_others_do_not_wait(on_all: Hanging, cluster: Cluster) -> None:
    """For as long as a reply may take, which here is for ever."""
    scripts, seen = Scripts(), SeenPositions()

    def connect(url: str) -> AutoPipeline:
        return AutoPipeline(ScriptConnection(url, scripts, seen=seen, reply_within_s=150), patience_s=150)

    slow, quick = (keys.retry(events[0]) for events in (on_all.silent, on_all.others))
    with closing(ClusterCalls(slot_map(cluster.url), connect, scripts, seen)) as calls:
        calls.commands_of_each([("DEL", slow), ("DEL", quick)])
        with cluster.paused(on_all.port):
            asking = gevent.spawn(calls.commands_of_each, [("INCR", slow), ("INCR", quick)])
            wait_until(lambda: calls.command("GET", quick) == b"1", 60, "the other server to be asked")
            assert not asking.ready()
        assert asking.get(timeout=60) == [1, 1]


def test_a_silent_server_is_not_called_for_a_moment(on_all: Hanging, cluster: Cluster) -> None:
    sale, silent, _, port = on_all
    key = keys.retry(silent[0])

    def is_silent() -> bool:
        with pytest.raises(RedisUnavailable):
            sale.calls.command("GET", key)
        return sale.calls.is_silent(key)

    with cluster.paused(port):
        wait_until(is_silent, 60, "its silence to be noted")
    until_done(partial(sale.calls.command, "GET", key))
    assert not sale.calls.is_silent(key)


def until_done(act: Callable[[], object]) -> None:
    """A slow machine may fail to answer, too."""

    def is_done() -> bool:
        try:
            act()
        except (SeatingError, RedisUnavailable):
            return False
        return True

    wait_until(is_done, 60, "it to be done")
