"""The worker: takes jobs off the one queue and runs them in this process."""

from rq import SimpleWorker
from rq.serializers import JSONSerializer

from workers import jobs


def run() -> None:
    """Until SIGTERM or SIGINT, which let the job at hand finish."""
    queue = jobs.services().queue.queue
    worker = SimpleWorker([queue], connection=queue.connection, serializer=JSONSerializer)
    worker.work(logging_level="WARNING")
