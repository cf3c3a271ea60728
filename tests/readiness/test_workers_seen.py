"""Which workers count as alive: by Redis's clock, whatever the clocks of their machines say."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
from rq import SimpleWorker
from rq.serializers import JSONSerializer
from rq.worker import base

from seating.redis_store import persist_queue
from seating.redis_store.persist_queue import PersistQueue
from tests.servers import RedisServer, wait_until
from workers.rq_worker import _Worker


@pytest.fixture
def client(own_redis: RedisServer) -> Iterator["redis.Redis"]:
    with own_redis.client() as connected:
        yield connected


def _begin(kind: type[SimpleWorker], queue: PersistQueue, client: "redis.Redis") -> None:
    """As far as a worker that waits for its first job."""
    worker = kind([queue.queue], "reads-1-a", connection=client, serializer=JSONSerializer)
    worker.register_birth()
    worker.heartbeat()


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1)], ids=["ahead", "behind"])
def test_a_worker_on_a_machine_whose_clock_is_wrong(
    client: "redis.Redis", monkeypatch: pytest.MonkeyPatch, ahead: timedelta
) -> None:
    """One that is behind never counted, and one that was ahead counted for an hour after it was killed."""
    queue, now = PersistQueue(client), base.now
    monkeypatch.setattr(base, "now", lambda: now() + ahead)
    _begin(_Worker, queue, client)
    assert queue.workers_seen() == 1
    monkeypatch.setattr(persist_queue, "_SEEN_WITHIN_S", 0.0)
    wait_until(lambda: queue.workers_seen() == 0, what="its last heartbeat to be too old")


def test_a_worker_of_an_older_version_counts(client: "redis.Redis") -> None:
    """It gives the time by its own clock."""
    queue = PersistQueue(client)
    _begin(SimpleWorker, queue, client)
    assert queue.workers_seen() == 1
