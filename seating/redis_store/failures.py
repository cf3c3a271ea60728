"""What it means for a caller that Redis does not answer, or refuses."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from seating.domain.errors import BacklogFull, InventoryUnavailable, OutcomeUnknown, SeatingError
from seating.redis_store.calls import RedisOutcomeUnknown, RedisUnavailable

FAILURES: Final = (RedisUnavailable, RedisError)


def meaning(error: Exception) -> SeatingError:
    """What a failed change means: OutcomeUnknown, BacklogFull, or InventoryUnavailable, where nothing has changed."""
    if not isinstance(error, RedisUnavailable | ResponseError) or isinstance(error, RedisOutcomeUnknown):
        return OutcomeUnknown()
    return BacklogFull() if isinstance(error, OutOfMemoryError) else InventoryUnavailable()


@contextmanager
def unavailable(as_error: type[SeatingError] = InventoryUnavailable) -> Iterator[None]:
    """Raises what fails inside, where no change can be lost, as `as_error`."""
    try:
        yield
    except FAILURES as error:
        raise as_error from error
