"""A primary that hangs: what the others have goes on, in every part of the product."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import Final, NamedTuple

import gevent
import pytest
import redis
from structlog.testing import capture_logs

from seating.domain.errors import InventoryUnavailable, SeatingError
from seating.domain.event import EventFilter
from seating.redis_store import keys, opening, server_figures
from seating.redis_store.auto_pipeline import AutoPipeline
from seating.redis_store.calls import RedisUnavailable, Scripts
from seating.redis_store.cluster_calls import ClusterCalls
from seating.redis_store.connection import ScriptConnection
from seating.redis_store.event_log import open_log
from seating.redis_store.lru_cache import LruCache
from seating.redis_store.persist_queue import PersistQueue
from seating.redis_store.plain_client import plain_client
from seating.redis_store.seen_positions import SeenPositions
from seating.redis_store.slot_map import slot_map
from seating.services.answered import Answered
from seating.storage import migrations
from seating.storage.database import Database
from tests.clusters import Cluster, running_cluster
from tests.one_process import SHORT_LOGS, OneProcess
from tests.servers import wait_until
from tests.system import free_port

_REPLY_WITHIN_S: Final = 1.5


class Hanging(NamedTuple):
    """`silent` are events of a primary that hangs, `others` are events of the others."""

    sale: OneProcess
    silent: list[str]
    others: list[str]
    cluster: Cluster

    @contextmanager
    def now(self) -> Iterator[None]:
        """Afterwards it answers again."""
        with self.cluster.paused(self.cluster.primary_of(self.silent[0])):
            yield
        until_done(partial(self.sale.now, self.silent[0]))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """No replica takes over while a test stops a primary."""
    with running_cluster(tmp_path_factory.mktemp("cluster"), node_timeout_ms=600_000) as started:
        yield started


@pytest.fixture(scope="module")
def hanging(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hanging]:
    """Events on all primaries; what is of no event is not on the one that hangs."""
    url = f"sqlite:///{tmp_path_factory.mktemp('sql') / 'seating.db'}"
    with pytest.MonkeyPatch.context() as patch, ExitStack() as closed:
        patch.setattr("rq.defaults.RQ_KEY_PREFIX", "{rq}")

        def process(**options: float) -> OneProcess:
            database, calls = Database(url), closed.enter_context(closing(opening.direct(cluster.url, **options)))
            answered = Answered(database, calls.seen)
            return OneProcess(cluster.url, database, calls, SHORT_LOGS, answered, plain_client(cluster.url))

        patient = process()
        migrations.upgrade(patient.database)
        port = next(one for one in cluster.primaries() if one != cluster.primary_of_key(keys.UPKEEP))
        silent: list[str] = []
        others: list[str] = []
        while len(silent) < 3 or len(others) < 3:
            event = patient.open(capacity=1000)
            patient.persist(event)
            (silent if cluster.primary_of(event) == port else others).append(event)
        yield Hanging(process(reply_within_s=_REPLY_WITHIN_S), silent, others, cluster)


def test_the_crons_tick_goes_on(hanging: Hanging, redis_url: str) -> None:
    """It records what the others have, and nudges for nothing of the one that hangs."""
    sale, silent, others, _ = hanging
    queue = PersistQueue(redis.Redis.from_url(redis_url))
    upkeep = sale.upkeep(queue)
    for event in (silent[0], others[0]):
        until_done(partial(sale.buy, event, f"the-crons-tick-{event}"))
    nudged: set[str] = set()

    def tick() -> None:
        upkeep.tick()
        nudged.update(queue.take())
        last = upkeep.reports.last()
        assert last
        assert last.report.open == len(silent) + len(others)
        assert last.report.trusted == len(others)
        assert others[0] in nudged

    with hanging.now():
        until_done(tick)
    assert not nudged & set(silent)
    until_done(upkeep.tick)
    assert silent[0] in queue.take()


def test_a_step_that_fails_stops_no_other(hanging: Hanging) -> None:
    """The queue's server is not the one that has the cache."""
    swept: list[str] = []

    class Cache(LruCache):
        def sweep(self) -> int:
            swept.append(self.name)
            return super().sweep()

    sale = hanging.sale
    upkeep = sale.upkeep(PersistQueue(redis.Redis(port=free_port())))
    upkeep.caches = [Cache(sale.calls, "tests", capacity=9, ttl_s=9, max_bytes=999)]

    def tick() -> None:
        with pytest.raises(InventoryUnavailable):
            upkeep.tick()
        assert swept

    until_done(tick)


def test_recording_tries_a_silent_primary_once(hanging: Hanging) -> None:
    """A slow machine may need more than one run: the silence that it notes lasts a second."""
    sale, silent, others, _ = hanging
    numbers = itertools.count()

    def is_tried_once() -> bool:
        until_done(partial(sale.buy, others[0], f"recorded-meanwhile-{next(numbers)}"))
        sale.nudged.clear()
        with capture_logs() as logs:
            sale.persistence.run(*silent, others[0])
        tried = [log["event"] for log in logs].count("inventory unavailable")
        is_recorded = any(log["event"] == "entries persisted" for log in logs)
        return tried == 1 and is_recorded and not set(sale.nudged) & set(silent)

    with hanging.now():
        wait_until(is_tried_once, 60, "a run that tries one of its events")


def test_feeds_of_the_others_go_on(hanging: Hanging) -> None:
    sale, silent, others, _ = hanging
    log = open_log(hanging.cluster.url)
    since = {event: sale.now(event).backlog.position for event in (silent[0], others[0])}

    def look() -> None:
        found = log.after(since, 9, 0)
        assert [(event, len(entries)) for event, entries in found.items()] == [(others[0], 1)]

    with hanging.now():
        until_done(partial(sale.buy, others[0], "a-buyer-meanwhile"))
        until_done(look)
        with pytest.raises(InventoryUnavailable):
            log.after({silent[0]: since[silent[0]]}, 9, 0)


def test_the_list_of_events_has_all(hanging: Hanging) -> None:
    sale, silent, others, _ = hanging

    def look() -> None:
        page = sale.events.page(None, 50, EventFilter())
        known = {found.event.id: found.counts is not None for found in page.items}
        assert known == dict.fromkeys(silent, False) | dict.fromkeys(others, True)

    with hanging.now():
        until_done(look)


def test_metrics_of_the_others_are_read(hanging: Hanging) -> None:
    with closing(opening.pipelined(hanging.cluster.url)) as calls, hanging.now():
        figures: list[server_figures.ServerFigures] = []
        until_done(lambda: figures.append(server_figures.read(calls)))
    assert figures[0].memory_limit_bytes == 64 << 20


def test_calls_to_the_others_do_not_wait(hanging: Hanging) -> None:
    """For as long as a reply may take, which here is for ever."""
    scripts, seen = Scripts(), SeenPositions()

    def connect(url: str) -> AutoPipeline:
        return AutoPipeline(ScriptConnection(url, scripts, seen=seen, reply_within_s=150), patience_s=150)

    slow, quick = (keys.retry(events[0]) for events in (hanging.silent, hanging.others))
    with closing(ClusterCalls(slot_map(hanging.cluster.url), connect, scripts, seen)) as calls:
        calls.commands_of_each([("DEL", slow), ("DEL", quick)])
        with hanging.now():
            asking = gevent.spawn(calls.commands_of_each, [("INCR", slow), ("INCR", quick)])
            wait_until(lambda: calls.command("GET", quick) == b"1", 60, "the other server to be asked")
            assert not asking.ready()
        assert asking.get(timeout=60) == [1, 1]


def test_a_silent_server_is_not_called_for_a_moment(hanging: Hanging) -> None:
    sale, silent, *_ = hanging
    key = keys.retry(silent[0])

    def is_silent() -> bool:
        with pytest.raises(RedisUnavailable):
            sale.calls.command("GET", key)
        return sale.calls.is_silent(key)

    with hanging.now():
        wait_until(is_silent, 60, "its silence to be noted")
    assert not sale.calls.is_silent(key)


def until_done(act: Callable[[], object]) -> None:
    """A slow machine may fail to answer, too."""

    def is_done() -> bool:
        try:
            act()
        except (SeatingError, RedisUnavailable, AssertionError):
            return False
        return True

    wait_until(is_done, 60, "it to be done")
