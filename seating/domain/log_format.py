"""Which log entries a version of this code reads, as one number.

During an upgrade, old and new processes share the logs. An entry of a kind that a worker does not know would stop the
recording of its event, so such entries are written only when all workers and crons can read them.
"""

from typing import Final

LOG_FORMAT: Final = 1
"""The format that this version reads. Processes that announce none are of builds before there was a number: 0."""

PLACES_SET: Final = "places_set"
"""A `seat_set` with a quantity. Older versions read one, but set no places by it."""

_ADDED_IN: Final = {"hold_changed": 1, "offer": 1, PLACES_SET: 1}
"""The format that added a kind of entry, or a field that changes its meaning. All other kinds are of format 0, and can
always be written.

A new kind gets the next number, and LOG_FORMAT becomes that number.
"""

_WORKER_NAME: Final = "reads-{}-{}"


def format_of(kind: str) -> int:
    """Return the lowest format that has entries of `kind`."""
    return _ADDED_IN.get(kind, 0)


def worker_name(unique: str) -> str:
    """Return a name for a worker that announces its format from the moment it registers."""
    return _WORKER_NAME.format(LOG_FORMAT, unique)


def format_read_by(name: str) -> int:
    """Return the format that a worker announces in its name, 0 if it announces none."""
    prefix, _, rest = name.partition("-")
    number = rest.partition("-")[0]
    return int(number) if prefix == "reads" and number.isdecimal() else 0
