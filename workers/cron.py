"""The cron: runs the upkeep every second, even if the last run failed."""

import signal
import threading
from collections.abc import Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from seating.config import load_settings
from seating.domain.errors import SeatingError
from seating.runtime import BackgroundServices

_EVERY_S = 1.0

_log = structlog.get_logger(__name__)


def run() -> None:
    """Run until SIGTERM or SIGINT."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    services = BackgroundServices(load_settings())
    _log.info("cron began", every_s=_EVERY_S)
    while not stopping.wait(_EVERY_S):
        _run("upkeep", services.upkeep.tick)
        _run("retention", services.retention.tick)


def _run(name: str, tick: Callable[[], None]) -> None:
    try:
        tick()
    except (SeatingError, SQLAlchemyError) as error:
        _log.warning(f"{name} failed", code=error.code, error=str(error.__cause__))
