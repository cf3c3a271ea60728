"""How many connections a process can have, by the system's limit for open files."""

import resource
from typing import Final

OPS_CONNECTIONS: Final = 32
"""How many a process serves at a time on the port for operations, beside its other connections."""
_FOR_ALL_ELSE: Final = 128
"""Redis, SQL, logs, metrics, threads: less than half of it was ever seen open."""
_FEWEST: Final = 16


def make_room(connections: int, calls_out: int) -> int:
    """Raises the soft limit as far as needed and allowed; returns for how many `connections` there is room.

    `calls_out` are connections to other services that are opened while requests are served.
    """
    others = _FOR_ALL_ELSE + OPS_CONNECTIONS + calls_out
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= connections + others:
        return connections
    granted = connections + others if hard == resource.RLIM_INFINITY else min(connections + others, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, granted), hard))
    return max(_FEWEST, min(connections, granted - others))
