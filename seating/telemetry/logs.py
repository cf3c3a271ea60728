"""Logs: one line per event, as JSON or for the console. An event is a constant with keyword data."""

import json
import logging
import logging.config
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor

from seating.telemetry.error_file import ErrorFile, trace_of

Format = Literal["json", "console"]

_SHARED: list[Processor] = [
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


class Options(NamedTuple):
    """`level` is the lowest that is logged; `errors` gets the errors in addition, None for nowhere."""

    level: str
    format: Format
    errors: ErrorFile | None = None


def configure(options: Options, to: TextIO | None = None) -> None:
    """Write structlog's events and the standard library's records to `to` (default: standard output) in one format."""
    lines = _Lines(to or sys.stdout)
    logging.config.dictConfig(_stdlib_config(options, lines))
    processors: list[Processor] = [_json_event]
    if options.format == "console":
        processors = [*_SHARED, structlog.processors.format_exc_info, structlog.dev.ConsoleRenderer(colors=False)]
    if options.errors:
        # First, while the event still has its `exc_info`: the others turn it into text.
        processors.insert(0, _ErrorCopies(options.errors))
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[options.level.upper()]),
        logger_factory=lambda *_: lines,
        # Without it structlog would assemble a logger for each line.
        cache_logger_on_first_use=True,
    )


class _Lines:
    """Writes each line at once, or drops it if it cannot be written: never fail what was about to be logged.

    Without a buffer, which would keep what was not written, and without structlog's lock, which gevent's patch would
    slow down.
    """

    def __init__(self, to: TextIO) -> None:
        to.flush()
        self._to = getattr(to.buffer, "raw", to.buffer)
        self._before = b""

    def msg(self, line: bytes | str) -> None:
        self.write(line + b"\n" if isinstance(line, bytes) else line + "\n")

    def write(self, line: bytes | str) -> None:
        """Write a whole line; the standard library calls this."""
        whole = rest = self._before + (line if isinstance(line, bytes) else line.encode(errors="backslashreplace"))
        with suppress(OSError):
            # None if the file would block.
            while rest and (written := self._to.write(rest)):
                rest = rest[written:]
        if len(rest) < len(whole):  # The next line must not continue half of this one.
            self._before = b"\n" if rest else b""

    debug = info = warning = error = critical = exception = msg


def _json_event(logger: Any, method: str, event: EventDict) -> bytes:
    """Do the work of several structlog processors in one step: it runs for every request."""
    structlog.processors.add_log_level(logger, method, event)
    event["timestamp"] = datetime.now(UTC)
    if "exc_info" in event:
        event = structlog.processors.format_exc_info(logger, method, event)
    return _json_line(event)


class _ErrorCopies:
    """A processor that writes errors to the error file too, always as JSON."""

    def __init__(self, errors: ErrorFile) -> None:
        self._errors = errors

    def __call__(self, _logger: Any, method: str, event: EventDict) -> EventDict:
        if method in ("error", "critical", "exception"):
            told = {name: value for name, value in event.items() if name != "exc_info"}
            self.write({**told, "level": method}, event.get("exc_info"))
        return event

    def write(self, event: dict[str, Any], error: Any) -> None:
        try:
            self._errors.write(_json_line({**event, "timestamp": datetime.now(UTC), **trace_of(error)}))
        except OSError as fault:
            # Never fail what was about to be logged.
            # An error would be copied to the file as well, and fail again.
            structlog.get_logger(__name__).warning("error file not written", error=str(fault))


class _ErrorHandler(logging.Handler):
    """Does the same for the standard library's records, such as gunicorn's."""

    def __init__(self, errors: ErrorFile) -> None:
        super().__init__(logging.ERROR)
        self._copies = _ErrorCopies(errors)

    def emit(self, record: logging.LogRecord) -> None:
        told = {"event": record.getMessage(), "logger": record.name, "level": record.levelname.lower()}
        self._copies.write(told, record.exc_info)


def _stdlib_config(options: Options, to: _Lines) -> dict[str, Any]:
    """Return a logging.config dictionary for libraries that use the standard library, such as gunicorn and RQ."""
    renderer: Processor = structlog.processors.JSONRenderer(lambda event, **_: _json_line(event).decode())
    level, handlers = options.level.upper(), ["output", "errors"] if options.errors else ["output"]
    if options.format == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=False)
    return {
        "version": 1,
        # Libraries create their loggers on import, before this runs.
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
            },
            **({"errors": {"()": _ErrorHandler, "errors": options.errors}} if options.errors else {}),
        },
        "root": {"handlers": handlers, "level": level},
        "loggers": {
            # RQ logs lines for every job, that is, for every nudge: keep only the problems.
            "rq": {"level": "WARNING"},
            "alembic": {"level": "WARNING"},
            # Otherwise strangers could write lines, with headers that are malformed.
            "opentelemetry.trace": {"level": "ERROR"},
            # gunicorn lets none of its records propagate to the root's handlers.
            "gunicorn.error": {"handlers": handlers, "level": level, "propagate": False},
        },
    }


def _json_line(event: EventDict, **_options: Any) -> bytes:
    try:
        # orjson formats a time faster than datetime does.
        return orjson.dumps(event, default=str, option=orjson.OPT_UTC_Z)
    except TypeError:  # A lone surrogate, or an integer of more than 64 bits.
        return json.dumps(event, default=_text, separators=(",", ":")).encode()


def _text(value: Any) -> str:
    return f"{value.replace(tzinfo=None).isoformat()}Z" if isinstance(value, datetime) else str(value)
