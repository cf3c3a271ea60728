"""Logs: one line per event, as JSON or for the console. An event is a constant with keyword data."""

import json
import logging
import logging.config
import sys
from datetime import UTC, datetime
from typing import Any, BinaryIO, Literal, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor

Format = Literal["json", "console"]

_SHARED: list[Processor] = [
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure(level: str, log_format: Format, to: TextIO | None = None) -> None:
    """Write structlog's events and the standard library's records to `to` (default: standard output) in one format."""
    to = to or sys.stdout
    logging.config.dictConfig(_stdlib_config(level, log_format, to))
    processors: list[Processor] = [_json_event]
    if log_format == "console":
        processors = [*_SHARED, structlog.processors.format_exc_info, structlog.dev.ConsoleRenderer(colors=False)]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(to) if log_format == "console" else lambda *_: _Lines(to.buffer),
        cache_logger_on_first_use=True,
    )


class _Lines:
    """Writes each line at once. The file has its own lock; gevent's patch would slow down structlog's."""

    def __init__(self, to: BinaryIO) -> None:
        self._to = to

    def msg(self, line: bytes) -> None:
        self._to.write(line + b"\n")
        self._to.flush()

    debug = info = warning = error = critical = exception = msg


def _json_event(logger: Any, method: str, event: EventDict) -> bytes:
    """Do the work of several structlog processors in one step: it runs for every request."""
    structlog.processors.add_log_level(logger, method, event)
    event["timestamp"] = datetime.now(UTC).replace(tzinfo=None).isoformat() + "Z"
    if "exc_info" in event:
        event = structlog.processors.format_exc_info(logger, method, event)
    return _json_line(event)


def _stdlib_config(level: str, log_format: Format, to: TextIO) -> dict[str, Any]:
    """Return a logging.config dictionary for libraries that use the standard library, such as gunicorn and RQ."""
    renderer: Processor = structlog.processors.JSONRenderer(lambda event, **_: _json_line(event).decode())
    if log_format == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=False)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structlog": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    renderer,
                ],
                "foreign_pre_chain": _SHARED,
            }
        },
        "handlers": {
            "output": {
                "class": "logging.StreamHandler",
                "stream": to,
                "formatter": "structlog",
            }
        },
        "root": {"handlers": ["output"], "level": level.upper()},
        "loggers": {
            # RQ logs lines for every job, that is, for every nudge: keep only the problems.
            "rq": {"level": "WARNING"},
            "alembic": {"level": "WARNING"},
            "gunicorn.error": {"handlers": ["output"], "level": level.upper(), "propagate": False},
        },
    }


def _json_line(event: EventDict, **_options: Any) -> bytes:
    try:
        return orjson.dumps(event, default=str)
    except TypeError:  # A lone surrogate, or an integer of more than 64 bits.
        return json.dumps(event, default=str, separators=(",", ":")).encode()
