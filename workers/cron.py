"""The cron: runs the upkeep every second, and sooner if the last run failed."""

import signal
import threading
from collections.abc import Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from seating.config import load_settings
from seating.domain.errors import SeatingError
from seating.runtime import BackgroundServices

_EVERY_S = 1.0
_FIRST_PAUSE_S = 0.1
"""After a failure; it doubles each time. A Redis that is back sells nothing until the cron has looked at it."""

_log = structlog.get_logger(__name__)


def run() -> None:
    """Run until SIGTERM or SIGINT."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    services = BackgroundServices(load_settings())
    _log.info("cron began", every_s=_EVERY_S)
    failures = 0
    while not stopping.wait(pause_s(failures)):
        failures = 0 if _succeeds("upkeep", services.upkeep.tick) else failures + 1
        _succeeds("retention", services.retention.tick)


def pause_s(failures: int) -> float:
    """Return the pause after so many failures in a row."""
    # The exponent is bounded, because a float overflows after a thousand failures.
    return min(_FIRST_PAUSE_S * 2 ** min(failures - 1, 10), _EVERY_S) if failures else _EVERY_S


def _succeeds(name: str, tick: Callable[[], None]) -> bool:
    try:
        tick()
    except (SeatingError, SQLAlchemyError) as error:
        _log.warning(f"{name} failed", code=error.code, error=str(error.__cause__))
        return False
    except Exception as error:  # noqa: BLE001 - a bug in one step must not end the others
        _log.error(f"{name} failed", exc_info=error)
        return False
    return True
