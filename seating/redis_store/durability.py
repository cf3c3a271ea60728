"""What makes a yes durable: the settings of Redis without which no seat is sold."""

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
    "no-appendfsync-on-rewrite": "no",
    "maxmemory-policy": "noeviction",
}
_NOT_ZERO: Final = {"maxmemory": "<bytes, not 0>"}
_REPLICATED: Final = {"min-replicas-to-write": "1", "min-replicas-max-lag": "<seconds, not 0>"}

SETTINGS: Final = (*_REQUIRED, *_NOT_ZERO, *_REPLICATED)
"""What a ServerReport has to say for `missing`."""

_ASK_AGAIN_S = 60.0
_ASK_AGAIN_WHILE_MISSING_S = 1.0

_log = structlog.get_logger(__name__)


def missing(settings: Mapping[str, str], *, fails_over: bool) -> str:
    """Return what to set on the server, or "" if it keeps what it confirms.

    `fails_over` is whether Sentinel may promote a replica: then a write has to reach one.
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
    """The same settings, as options of a redis-server that we start ourselves."""
    required = [word for name, value in _REQUIRED.items() for word in (f"--{name}", value)]
    return [*required, "--maxmemory", f"{maxmemory_mb}mb", "--save", ""]


class DurabilityWatch:
    """Whether the server of one connection is durable now, asked on every connect and every minute."""

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
        """Return why this server may not promise anything, or "". Logs it once, until it is mended."""
        if self.missing and not self._logged:
            self._logged = True
            _log.error("redis not durable", missing=self.missing)
        return self.missing and f"this Redis could lose what it sold; missing: {self.missing}"

    def _missing_on(self, report: ServerReport) -> str:
        if report.settings_hidden:
            return f"CONFIG GET ({report.settings_hidden})"
        # An append-only file that was just switched on, as after a full sync, counts from its first rewrite on. One
        # that was known to be on before is synced during its rewrites too.
        if report.rewrites and report.server != self._durable:
            return "the end of the rewrite of its append-only file"
        return missing(report.settings, fails_over=self._fails_over)
