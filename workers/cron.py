"""The cron: runs the upkeep every second, even if the last run failed."""

import signal
import threading

import structlog

from seating.config import load_settings
from seating.domain.errors import SeatingError
from seating.runtime import BackgroundServices
from seating.services.upkeep import Upkeep

_EVERY_S = 1.0

_log = structlog.get_logger(__name__)


def run() -> None:
    """Run until SIGTERM or SIGINT."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    upkeep = BackgroundServices(load_settings()).upkeep
    _log.info("cron began", every_s=_EVERY_S)
    while not stopping.wait(_EVERY_S):
        _tick(upkeep)


def _tick(upkeep: Upkeep) -> None:
    try:
        upkeep.tick()
    except SeatingError as error:
        _log.warning("upkeep failed", code=error.code, error=str(error.__cause__))
