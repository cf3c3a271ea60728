"""The worker: takes jobs off the one queue and runs them in this process."""

import signal
import time
from types import FrameType

import redis
import structlog
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from workers import jobs

_SILENT_S = 30
"""How long a worker may be silent to RQ. A read of the queue waits for 15 s less, and 10 s more for its reply."""

_AGAIN_S = 1.0

_log = structlog.get_logger(__name__)


class _Worker(SimpleWorker):
    """One that waits 4 s at most between two attempts to connect, and takes no commands, which need a connection."""

    max_connection_wait_time = 4.0
    asked_to_stop = False

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        self.asked_to_stop = True
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]  # RQ declares none

    def subscribe(self) -> None:
        pass


def run() -> None:
    """Until SIGTERM or SIGINT, which let the job at hand finish. RQ ends on errors of Redis; then it begins anew."""
    queue = jobs.services().queue.queue
    while not _work(queue):
        time.sleep(_AGAIN_S)


def _work(queue: Queue) -> bool:
    """Return whether it ended because it was asked to."""
    worker = None
    try:
        # Made in here: a worker asks Redis something as soon as it is made.
        worker = _Worker([queue], connection=queue.connection, serializer=JSONSerializer, worker_ttl=_SILENT_S)
        worker.work(logging_level="WARNING")
    except redis.RedisError as error:
        _log.warning("worker ended", error=str(error))
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return worker is not None and worker.asked_to_stop
