"""`python -m workers.sender`: sends webhooks, each endpoint on a greenlet of its own."""

import os

# A look-up that takes too long cannot be cut off, only left behind in its thread: give up on silent servers sooner.
os.environ.setdefault("RES_OPTIONS", "timeout:2 attempts:2")

from gevent import monkey

# Before the imports below: psycopg yields to other greenlets only if the patch comes first.
monkey.patch_all()

import signal  # noqa: E402

import structlog  # noqa: E402
from gevent.event import Event  # noqa: E402
from sqlalchemy.exc import SQLAlchemyError  # noqa: E402

from seating.config import load_settings  # noqa: E402
from seating.domain.errors import RecordUnavailable  # noqa: E402
from seating.runtime import webhook_sender  # noqa: E402
from seating.services.webhook_sender import WebhookSender  # noqa: E402
from seating.telemetry import logs  # noqa: E402

_EVERY_S = 0.5
_STOP_WITHIN_S = 5.0

_log = structlog.get_logger(__name__)


def run() -> None:
    """Run until SIGTERM or SIGINT; messages that are on their way have 5 s to arrive."""
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    settings = load_settings()
    logs.configure(settings.logging)
    sender = webhook_sender(settings)
    _log.info("sender began", every_s=_EVERY_S)
    while not stopping.wait(_EVERY_S):
        _tick(sender)
    sender.stop(_STOP_WITHIN_S)


def _tick(sender: WebhookSender) -> None:
    try:
        sender.tick()
    except (RecordUnavailable, SQLAlchemyError) as error:
        _log.warning("webhooks not read", error=str(error.__cause__ or error))


if __name__ == "__main__":
    run()
