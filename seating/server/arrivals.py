"""When each request arrived, and how long it then waited for the application."""

import re
import time
from typing import Any, Final

from seating.setting_formats import IPNetwork
from seating.telemetry import metrics
from seating.web.client_address import is_trusted
from seating.web.outcomes import ARRIVED_S

_STAMP: Final = re.compile(r"t=(\d{10}\.\d{3})", re.ASCII)
_MOST_BEFORE_S: Final = 60.0


class Arrivals:
    """A request arrives at a trusted proxy, if it says when (`X-Request-Start: t=${msec}` in nginx), or else here."""

    def __init__(self, proxies: tuple[IPNetwork, ...]) -> None:
        self._proxies = proxies

    def note(self, environ: dict[str, Any], here_s: float) -> None:
        """Count the wait of a request that arrived here at `here_s`, and put its arrival into the environ."""
        now_s = time.perf_counter()
        waited_s = now_s - here_s
        stamp = environ.get("HTTP_X_REQUEST_START")
        before_s = self._since(stamp, environ["REMOTE_ADDR"]) if stamp else None
        if before_s is None:
            metrics.observe_wait("arrival", waited_s)
        else:
            # The proxy's clock may be up to a second ahead; the wait on this machine is certain.
            waited_s = max(waited_s, before_s)
            metrics.observe_wait("proxy", waited_s)
        environ[ARRIVED_S] = now_s - waited_s

    def _since(self, stamp: str, peer: str) -> float | None:
        """Return the time since a proxy's stamp; None if it is not believed: a clock that is wrong would ruin all."""
        found = _STAMP.fullmatch(stamp)
        if found is None or not is_trusted(peer, self._proxies):
            return None
        since_s = time.time() - float(found[1])
        return since_s if -1.0 < since_s < _MOST_BEFORE_S else None
