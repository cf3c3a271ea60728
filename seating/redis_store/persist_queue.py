"""Nudges for the persistence workers, through RQ: "these events have entries that SQL lacks". They carry no data."""

from contextlib import suppress
from typing import Any, Final

import redis
from rq import Queue, worker_registration
from rq.exceptions import DeserializationError, NoSuchJobError
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer
from rq.utils import as_text, utcparse
from rq.worker import BaseWorker

from seating.domain.log_format import format_read_by
from seating.redis_store import keys
from seating.redis_store.failures import unavailable

PERSIST_JOB = "workers.jobs.persist"
CHECKPOINT_JOB = "workers.jobs.checkpoint"
# RQ raises at any point of a job that takes longer. A job stops by itself after a few seconds, but not in a rebuild:
# that takes minutes for millions of entries, and if it were ended, the next job would begin it anew.
_JOB_LIMIT_S = 3600
_FAILED_KEPT_S = 24 * 3600
_KEPT_FAILED = 50
# With a job for each event, many events on sale would keep a web process busy with nudging.
_EVENTS_A_JOB = 100
_SEEN_WITHIN_S: Final = 45.0
"""An idle worker sends a heartbeat every 15 s, a busy one before each job."""
_MOST_WORKERS: Final = 100
_WORKER_PREFIX: Final = BaseWorker.redis_worker_namespace_prefix


class PersistQueue:
    """Holds at most `max_waiting` jobs. A lost or duplicate nudge is harmless: a job itself finds out what to do."""

    def __init__(self, client: "redis.Redis", max_waiting: int = 20) -> None:
        self._client = client
        self._max_waiting = max_waiting
        # RQ's default is pickle, which runs what anybody has written to Redis.
        self.queue = Queue(keys.QUEUE, connection=client, serializer=JSONSerializer)

    def nudge(self, *event_ids: str) -> bool:
        """Enqueue a job; return False if the queue is already full. Raises InventoryUnavailable."""
        with unavailable():
            for first in range(0, len(event_ids), _EVENTS_A_JOB):
                # Bounded: while no worker runs, jobs would pile up.
                if self.queue.count >= self._max_waiting:
                    return False
                self._enqueue(PERSIST_JOB, event_ids[first : first + _EVENTS_A_JOB])
        return True

    def take(self) -> set[str]:
        """Remove the waiting jobs and return their events, so that the current run covers them as well.

        Returns nothing if Redis does not answer.
        """
        try:
            taken: Any = self._client.lpop(self.queue.key, self._max_waiting) or ()
            ids = [job_id.decode() for job_id in taken]
            jobs = [job for job in Job.fetch_many(ids, self._client, JSONSerializer) if job]
            if ids:
                # RQ deletes a job when it is done; these will never be run.
                self._client.unlink(*map(Job.key_for, ids))
            # The cron asks again for a checkpoint that is dropped here.
            return {event_id for job in jobs if job.func_name == PERSIST_JOB for event_id in job.args}
        except (redis.RedisError, NoSuchJobError, DeserializationError, ValueError):
            return set()  # The cron nudges for every event that lags.

    def ask_for_checkpoint(self) -> None:
        """Enqueue a checkpoint of SQLite's WAL. Raises InventoryUnavailable."""
        with unavailable():
            if self.queue.count == 0:
                self._enqueue(CHECKPOINT_JOB, ())

    def _enqueue(self, job: str, args: tuple[str, ...]) -> None:
        # Do not keep finished jobs: nobody reads their results.
        self.queue.enqueue_call(job, args, timeout=_JOB_LIMIT_S, result_ttl=0, failure_ttl=_FAILED_KEPT_S)

    def waiting(self) -> int:
        """Return how many jobs wait for a worker. Raises InventoryUnavailable."""
        with unavailable():
            return self.queue.count

    def workers_seen(self) -> int:
        """Return how many workers are alive, at most 100. Raises InventoryUnavailable."""
        return len(self.formats_read())

    def formats_read(self) -> list[int]:
        """Return the log format that each living worker reads, of at most 100. Raises InventoryUnavailable.

        Alive is who sent a heartbeat lately, by Redis's clock: RQ's own list has one that was killed in a job for an
        hour.
        """
        with unavailable():
            names = sorted(worker_registration.get_keys(self.queue))[:_MOST_WORKERS]
            asking = self._client.pipeline(transaction=False)
            asking.time()
            for name in names:
                asking.hget(name, "last_heartbeat")
            (now_s, _), *signs = asking.execute()
        since_s = now_s - _SEEN_WITHIN_S
        living = [
            name
            for name, sign in zip(names, signs, strict=True)
            if sign and utcparse(sign.decode()).timestamp() > since_s
        ]
        return [format_read_by(str(as_text(name)).removeprefix(_WORKER_PREFIX)) for name in living]

    def trim(self) -> None:
        """Delete all but the newest failed jobs; RQ itself limits them only by age."""
        failed = FailedJobRegistry(queue=self.queue)
        with unavailable():
            for job_id in failed.get_job_ids(0, -_KEPT_FAILED - 1):
                with suppress(NoSuchJobError):  # It has ended by age, or another cron trims too.
                    failed.remove(job_id, delete_job=True)
