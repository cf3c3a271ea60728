"""The worker: takes jobs from the one queue and runs them in this process."""

import signal
import time
from datetime import UTC, datetime
from types import FrameType
from typing import Any
from uuid import uuid4

import redis
import structlog
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer
from rq.utils import utcformat

from seating.config import load_settings
from seating.domain.log_format import worker_name
from seating.telemetry import tracing
from workers import jobs

_SILENT_S = 30
"""RQ's worker TTL. A read of the queue blocks for 15 s less, and may wait 10 s more for its reply."""

_AGAIN_S = 1.0

_log = structlog.get_logger(__name__)


class _Worker(SimpleWorker):
    """Waits at most 4 s between attempts to connect, and listens for no commands: that would need a connection."""

    max_connection_wait_time = 4.0
    asked_to_stop = False

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        # First, because RQ raises StopRequested if the worker is idle.
        self.asked_to_stop = True
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]  # RQ declares none

    def subscribe(self) -> None:
        pass

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Give the time by Redis's clock: who counts the workers may run on another machine than they do."""
        seconds, microseconds = self.connection.time()
        commands = self.connection.pipeline() if pipeline is None else pipeline
        super().heartbeat(timeout, commands)
        at = datetime.fromtimestamp(seconds + microseconds / 1e6, UTC)
        commands.hset(self.key, "last_heartbeat", utcformat(at))
        if pipeline is None:
            commands.execute()

    def register_birth(self) -> None:
        super().register_birth()  # type: ignore[no-untyped-call]  # RQ declares none
        _log.info("worker began", name=self.name)


def run() -> None:
    """Work until SIGTERM or SIGINT; the current job finishes first.

    RQ's worker ends on errors of Redis, even those of its own farewell. Another one then begins in this process.
    """
    settings = load_settings()
    tracing.start(settings.otel_exporter_otlp_endpoint, settings.trace_share, "worker")
    queue = jobs.services().queue.queue
    while not _work(queue):
        time.sleep(_AGAIN_S)
    tracing.stop()


def _work(queue: Queue) -> bool:
    """Return whether the worker stopped on request."""
    worker = None
    try:
        # Inside the try: creating a worker already queries Redis.
        # RQ refuses the name of a worker that is registered, as one that was killed is for a while.
        name = worker_name(uuid4().hex)
        # Not RQ's default, pickle: a pickle from Redis runs the code of anyone who can write there.
        worker = _Worker([queue], name, connection=queue.connection, serializer=JSONSerializer, worker_ttl=_SILENT_S)
        worker.work(logging_level="WARNING")
    except redis.RedisError as error:
        _log.warning("worker stopped", error=str(error))
    finally:
        # RQ's handlers ask the worker that has ended; until the next one begins, a signal ends the process.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return worker is not None and worker.asked_to_stop
