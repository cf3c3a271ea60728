"""The names of all keys. The hash tag keeps one event in one cluster slot, so that one script may touch all of it."""

from functools import lru_cache

QUEUE = "seating"
UPKEEP = "upkeep"
COUNTS = "counts"
WEB_SHARES = "web-shares"


def inventory(event_id: str) -> str:
    return f"inventory:{{{event_id}}}"


def log(event_id: str) -> str:
    return f"log:{{{event_id}}}"


def plan(event_id: str) -> str:
    return f"plan:{{{event_id}}}"


def seats(event_id: str) -> str:
    return f"seats:{{{event_id}}}"


def longest_runs(event_id: str) -> str:
    return f"run:{{{event_id}}}"


def spots(event_id: str) -> str:
    return f"spots:{{{event_id}}}"


def idempotency(event_id: str) -> str:
    return f"idempotency:{{{event_id}}}"


def hold(event_id: str) -> str:
    return f"hold:{{{event_id}}}"


def holds(event_id: str) -> str:
    return f"holds:{{{event_id}}}"


def holders(event_id: str) -> str:
    return f"holders:{{{event_id}}}"


def notes(event_id: str) -> str:
    return f"notes:{{{event_id}}}"


def damaged(event_id: str) -> str:
    return f"damaged:{{{event_id}}}"


def quarantine(event_id: str) -> str:
    return f"quarantine:{{{event_id}}}"


def quarantined_before_terms(event_id: str) -> str:
    """What versions before terms wrote there; it goes with the inventory that they wrote."""
    return f"quarantined:{{{event_id}}}"


def cancelled(event_id: str) -> str:
    return f"cancelled:{{{event_id}}}"


def buyers(event_id: str) -> str:
    return f"buyers:{{{event_id}}}"


def terms(event_id: str) -> str:
    return f"terms:{{{event_id}}}"


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


def retry(event_id: str) -> str:
    return f"retries:{{{event_id}}}"


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
