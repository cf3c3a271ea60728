"""What all instances of the web server, on all machines, have counted together."""

from collections.abc import Iterator
from typing import Final

import gevent
import structlog

from seating.domain.errors import SharedStateUnavailable
from seating.redis_store.process_reports import WebShares
from seating.services.background_look import BackgroundLook
from seating.storage.database import Offload
from seating.telemetry import metrics
from seating.telemetry.metrics_folder import Speaker
from seating.telemetry.web_counts import WebCounts

_LEAVE_EVERY_S: Final = 1.0
_REDIS_WITHIN_S: Final = 1.0

_log = structlog.get_logger(__name__)


class WebInstances:
    """One process of each instance leaves in Redis what all of them have counted, once a second.

    So the counts of this instance are exact, and those of others up to two seconds old; an instance that ends is
    counted for up to five seconds more.
    """

    def __init__(self, shares: WebShares, speaker: Speaker, offload: Offload) -> None:
        self._shares = shares
        self._speaker = speaker
        self._offload = offload
        self._leaving = BackgroundLook(self._leave, _LEAVE_EVERY_S)

    @property
    def own_name(self) -> str:
        """The name of this instance: unique, and new at each start."""
        return self._speaker.instance

    def start(self) -> None:
        """Begin to leave this instance's share."""
        self._leaving.start()

    def close(self) -> None:
        self._leaving.close()
        self._speaker.close()

    def counts(self) -> WebCounts:
        """Return the sum over all instances, or this one's alone if Redis does not answer within a second."""
        own: WebCounts = self._offload(WebCounts.own)
        return own.plus(self._others())

    def _others(self) -> list[WebCounts]:
        found: list[bytes] | None = None
        try:
            with gevent.Timeout(_REDIS_WITHIN_S, False):  # type: ignore[arg-type]
                found = self._shares.of_others(self._speaker.instance)
        except SharedStateUnavailable:
            pass
        if found is None:
            metrics.DONE_WITHOUT.labels("other instances").inc()
            return []
        return list(_readable(found))

    def _leave(self) -> None:
        if self._offload(self._speaker.is_mine):
            counts: WebCounts = self._offload(WebCounts.own)
            self._shares.leave(self._speaker.instance, counts.to_json())


def _readable(shares: list[bytes]) -> Iterator[WebCounts]:
    for share in shares:
        try:
            yield WebCounts.parse(share)
        except ValueError as error:  # Another version wrote it, or somebody else.
            _log.warning("unreadable web counts", reason=str(error))
