"""The number of connections a process can have under the system's limit for open files."""

import resource
from typing import Final

OPS_CONNECTIONS: Final = 32
"""How many connections a process serves at a time on the operations port, in addition to the others."""
_FOR_ALL_ELSE: Final = 128
"""Redis, SQL, logs, metrics, threads. Measurements never exceeded half of it."""
_FEWEST: Final = 16


def make_room(connections: int, calls_out: int) -> int:
    """Raise the soft limit as far as needed and allowed; return how many of the `connections` fit.

    `calls_out` are connections to other services that are opened while requests are served.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _others(calls_out)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        granted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, granted), hard))
    return room_for(connections, calls_out)


def room_for(connections: int, calls_out: int) -> int:
    """Return how many of the `connections` fit under the hard limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        return connections
    return max(_FEWEST, min(connections, hard - _others(calls_out)))


def _others(calls_out: int) -> int:
    return _FOR_ALL_ELSE + OPS_CONNECTIONS + calls_out
