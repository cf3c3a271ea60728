"""Nudges to the persistence workers, through RQ: "these events have entries that SQL does not". They carry no data."""

import time
from typing import Any, Final

import redis
from rq import Queue, worker_registration
from rq.exceptions import DeserializationError, NoSuchJobError
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer
from rq.utils import utcparse

from seating.redis_store import keys
from seating.redis_store.failures import unavailable

PERSIST_JOB = "workers.jobs.persist"
CHECKPOINT_JOB = "workers.jobs.checkpoint"
_JOB_LIMIT_S = 60
_FAILED_KEPT_S = 24 * 3600
_KEPT_FAILED = 50
_EVENTS_A_JOB = 100
_SEEN_WITHIN_S: Final = 45.0
"""A worker that waits for work gives a sign of life every 15 s, and one that works before each job."""
_MOST_WORKERS: Final = 100


class PersistQueue:
    """A lost or doubled nudge is harmless: a job looks for itself what there is to do. Holds at most `max_waiting`."""

    def __init__(self, client: "redis.Redis", max_waiting: int = 20) -> None:
        self._client = client
        self._max_waiting = max_waiting
        self.queue = Queue(keys.QUEUE, connection=client, serializer=JSONSerializer)

    def nudge(self, *event_ids: str) -> bool:
        """False if the queue is long enough already. Raises InventoryUnavailable where Redis does not take it."""
        with unavailable():
            for first in range(0, len(event_ids), _EVENTS_A_JOB):
                if self.queue.count >= self._max_waiting:
                    return False
                self._enqueue(PERSIST_JOB, event_ids[first : first + _EVENTS_A_JOB])
        return True

    def take(self) -> set[str]:
        """The events that the waiting jobs name, which end unrun: a run that goes on has them as well.

        Empty where Redis does not answer.
        """
        try:
            taken: Any = self._client.lpop(self.queue.key, self._max_waiting) or ()
            ids = [job_id.decode() for job_id in taken]
            jobs = [job for job in Job.fetch_many(ids, self._client, JSONSerializer) if job]
            if ids:
                self._client.unlink(*map(Job.key_for, ids))
            return {event_id for job in jobs if job.func_name == PERSIST_JOB for event_id in job.args}
        except (redis.RedisError, NoSuchJobError, DeserializationError, ValueError):
            return set()  # The cron nudges for whatever lags.

    def ask_for_checkpoint(self) -> None:
        """Of SQLite's WAL, which the worker makes after every other job anyway. Raises InventoryUnavailable."""
        with unavailable():
            if self.queue.count == 0:
                self._enqueue(CHECKPOINT_JOB, ())

    def _enqueue(self, job: str, args: tuple[str, ...]) -> None:
        # A finished job tells nobody anything: it is not kept at all.
        self.queue.enqueue_call(job, args, timeout=_JOB_LIMIT_S, result_ttl=0, failure_ttl=_FAILED_KEPT_S)

    def workers_seen(self) -> int:
        """Return how many workers gave a sign of life lately, 100 at most. Raises InventoryUnavailable.

        RQ itself would count one that was killed for minutes.
        """
        with unavailable():
            names = sorted(worker_registration.get_keys(self.queue))[:_MOST_WORKERS]
            asking = self._client.pipeline(transaction=False)
            for name in names:
                asking.hget(name, "last_heartbeat")
            signs = asking.execute()
        since_s = time.time() - _SEEN_WITHIN_S
        return sum(utcparse(sign.decode()).timestamp() > since_s for sign in signs if sign)

    def trim(self) -> None:
        """Forgets all but the newest jobs that failed; RQ itself keeps them by age, however many."""
        failed = FailedJobRegistry(queue=self.queue)
        with unavailable():
            for job_id in failed.get_job_ids(0, -_KEPT_FAILED - 1):
                failed.remove(job_id, delete_job=True)
