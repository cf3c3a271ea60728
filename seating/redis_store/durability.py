"""The Redis settings that make a confirmation durable. Without them no seat is sold."""

from collections.abc import Mapping
from time import monotonic
from typing import Final

import redis
import structlog

from seating.config import InvalidSettings
from seating.redis_store.server_report import ServerIdentity, ServerReport

_REQUIRED: Final = {
    "appendonly": "yes",
    "appendfsync": "always",
    # With yes, Redis does not sync while it rewrites its append-only file.
    "no-appendfsync-on-rewrite": "no",
    "maxmemory-policy": "noeviction",
}
# Without a limit Redis refuses no write for want of memory, noeviction or not.
_NOT_ZERO: Final = {"maxmemory": "<bytes, not 0>"}
_REPLICATED: Final = {"min-replicas-to-write": "1", "min-replicas-max-lag": "<seconds, not 0>"}

SETTINGS: Final = (*_REQUIRED, *_NOT_ZERO, *_REPLICATED)
"""The settings that `missing` needs from a ServerReport."""

_ASK_AGAIN_S = 60.0
_ASK_AGAIN_WHILE_MISSING_S = 1.0

_log = structlog.get_logger(__name__)


def missing(settings: Mapping[str, str], *, fails_over: bool) -> str:
    """Return what to set on the server, or "" if it is durable.

    `fails_over` says whether Sentinel may promote a replica: then each write must reach one.
    """
    not_zero = _NOT_ZERO | (_REPLICATED if fails_over else {})
    wrong = {name: value for name, value in _REQUIRED.items() if settings.get(name) != value}
    wrong |= {name: value for name, value in not_zero.items() if settings.get(name, "0") == "0"}
    return " ".join(f"{name} {value}" for name, value in wrong.items())


def check(client: "redis.Redis", *, fails_over: bool = False) -> None:
    """Raise InvalidSettings with one line that says what to set on the server, or redis.RedisError."""
    connection = client.connection_pool.get_connection()
    try:
        for question in ServerReport.questions(SETTINGS):
            connection.send_command(*question)  # type: ignore[no-untyped-call]  # redis-py declares none
        report = ServerReport.read(connection.read_response)
    finally:
        client.connection_pool.release(connection)
    if report.settings_hidden:
        raise InvalidSettings(
            f"REDIS_URL: the server does not show its settings (CONFIG GET: {report.settings_hidden})"
        )
    wanted = missing(report.settings, fails_over=fails_over)
    if wanted:
        raise InvalidSettings(f"REDIS_URL: this Redis could lose what it sold; set on it: {wanted}")
    if report.replicas and missing(report.settings, fails_over=True):
        _log.warning("replicas without min-replicas-to-write", replicas=report.replicas)


def launch_options(maxmemory_mb: int) -> list[str]:
    """Return the same settings as options for a redis-server that we start."""
    required = [word for name, value in _REQUIRED.items() for word in (f"--{name}", value)]
    return [*required, "--maxmemory", f"{maxmemory_mb}mb", "--save", ""]


class DurabilityWatch:
    """Tracks whether a connection's server is durable: checked on every connect and every minute."""

    def __init__(self, *, fails_over: bool) -> None:
        self._fails_over = fails_over
        self.missing = ""
        self._ask_at_s = 0.0
        self._durable: ServerIdentity | None = None
        self._logged = False

    @property
    def is_due(self) -> bool:
        return monotonic() >= self._ask_at_s

    def note(self, report: ServerReport) -> None:
        self.missing = self._missing_on(report)
        self._ask_at_s = monotonic() + (_ASK_AGAIN_WHILE_MISSING_S if self.missing else _ASK_AGAIN_S)
        if self.missing:
            self._durable = None
            return
        self._durable = report.server
        if self._logged:
            self._logged = False
            _log.warning("redis durable again")

    def refusal(self) -> str:
        """Return why this server may not confirm anything, or "". Logs it once until it is fixed."""
        if self.missing and not self._logged:
            self._logged = True
            _log.error("redis not durable", missing=self.missing)
        return self.missing and f"this Redis could lose what it sold; missing: {self.missing}"

    def _missing_on(self, report: ServerReport) -> str:
        if report.settings_hidden:
            return f"CONFIG GET ({report.settings_hidden})"
        # An append-only file that was just enabled, for example after a full sync, is complete only after its first
        # rewrite. One that was already on stays valid during later rewrites.
        if report.rewrites and report.server != self._durable:
            return "the end of the rewrite of its append-only file"
        return missing(report.settings, fails_over=self._fails_over)
