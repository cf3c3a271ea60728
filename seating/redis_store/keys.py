"""The names of all keys. The hash tag keeps one event in one cluster slot, so that one script may touch all of it."""

from collections.abc import Callable
from functools import lru_cache

QUEUE = "seating"
UPKEEP = "upkeep"
COUNTS = "counts"
WEB_SHARES = "web-shares"


def _of_event(name: str) -> Callable[[str], str]:
    """Return the function that names an event's key."""
    return lambda event_id: f"{name}:{{{event_id}}}"


inventory = _of_event("inventory")
log = _of_event("log")
plan = _of_event("plan")
seats = _of_event("seats")
longest_runs = _of_event("run")
spots = _of_event("spots")
idempotency = _of_event("idempotency")
hold = _of_event("hold")
holds = _of_event("holds")
holders = _of_event("holders")
notes = _of_event("notes")
damaged = _of_event("damaged")
quarantine = _of_event("quarantine")
quarantined_before_terms = _of_event("quarantined")
"""What versions before terms wrote there; it goes with the inventory that they wrote."""
cancelled = _of_event("cancelled")
buyers = _of_event("buyers")
terms = _of_event("terms")
retry = _of_event("retries")


def all_of(event_id: str) -> tuple[str, ...]:
    """Every key of an event's inventory, the inventory itself first and its log second."""
    names = (*_OF_SEATS, plan, cancelled, quarantine, terms, spots, quarantined_before_terms, buyers)
    return tuple(name(event_id) for name in names)


def written_by(token: str, key: str) -> str:
    """The key that holds what is to take the place of `key`, in the same slot."""
    return f"{key}:{token}"


INVENTORIES = "inventory:{*}"


def event_of(inventory_key: str) -> str | None:
    """The event whose inventory has this key; None for what is no inventory."""
    event_id = inventory_key.removeprefix("inventory:{").removesuffix("}")
    return event_id if inventory(event_id) == inventory_key else None


@lru_cache(maxsize=1024)
def of_seats(event_id: str) -> tuple[str, ...]:
    """What every script that gives or takes seats begins with: KEYS[1] to KEYS[10]."""
    return tuple(name(event_id) for name in _OF_SEATS)


@lru_cache(maxsize=1024)
def of_sale(event_id: str) -> tuple[str, ...]:
    """What the scripts that choose seats for a buyer begin with: KEYS[1] to KEYS[11]."""
    return (*of_seats(event_id), spots(event_id))


def retry_wait(event_id: str) -> str:
    return f"retries:{{{event_id}}}:wait"


def cache(name: str) -> tuple[str, str, str, str]:
    """Values, order, due and counters of one shared cache."""
    prefix = f"cache:{{{name}}}"
    return f"{prefix}:values", f"{prefix}:order", f"{prefix}:due", f"{prefix}:counters"


def flight(name: str, key: str) -> str:
    return f"flight:{{{name}:{key}}}"


def landed(name: str, key: str, token: str) -> str:
    """The outcome of one flight, in the slot of its key."""
    return f"landed:{{{name}:{key}}}:{token}"


def limit(group: str, caller: str) -> str:
    return f"limit:{{{group}:{caller}}}"


def event_limit(event_id: str, group: str, caller: str) -> str:
    return f"limit:{{{event_id}}}:{group}:{caller}"


def breaker(name: str) -> str:
    return f"breaker:{{{name}}}"


def breaker_failures(name: str) -> str:
    return f"breaker:{{{name}}}:failures"


_OF_SEATS = (inventory, log, seats, longest_runs, hold, holds, holders, damaged, idempotency, notes)
