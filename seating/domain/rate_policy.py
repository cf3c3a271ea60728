"""Rate policies, written in settings as `5/10s,10/60s`, `bucket:5,10/60s` or `off`."""

import re
from dataclasses import dataclass
from typing import NamedTuple

_MS = {"s": 1000, "m": 60_000, "h": 3_600_000}
_COUNT = re.compile(r"[1-9]\d{0,6}", re.ASCII)
_RATE = re.compile(r"([1-9]\d{0,6})/([1-9]\d{0,4})([smh])", re.ASCII)
_MOST_WINDOWS = 4
# A window keeps the time of each request; a bucket keeps two numbers, whatever its size.
_LARGEST_WINDOW_LIMIT = 10_000


class Quota(NamedTuple):
    """At most `limit` requests in any `window_ms`; for a bucket, its capacity and the time to fill it."""

    limit: int
    window_ms: int

    @property
    def name(self) -> str:
        return f"{self.limit}-in-{-(-self.window_ms // 1000)}s"

    def __str__(self) -> str:
        return f"{self.limit} in {-(-self.window_ms // 1000)} s"


@dataclass(frozen=True, slots=True)
class RatePolicy:
    """`arguments` are the scripts': `window` with limit, ms, … or `bucket` with capacity, tokens, ms."""

    quotas: tuple[Quota, ...]
    arguments: tuple[str | int, ...]


class Left(NamedTuple):
    """How many more requests would pass now, and the ms until that number grows."""

    requests: int
    reset_ms: int


class Verdict(NamedTuple):
    """`wait_ms` is the time until the request would pass, 0 if it does; `left` is in the order of the quotas."""

    passes: bool
    wait_ms: int
    left: tuple[Left, ...]


def parse(text: str) -> RatePolicy | None:
    """Parse a policy; None for `off`. Raises ValueError with the expected form."""
    if text == "off":
        return None
    try:
        if text.startswith("bucket:"):
            return _bucket(*text.removeprefix("bucket:").split(","))
        return _windows(text.split(","))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"must be windows such as 5/10s,10/60s (at most {_MOST_WINDOWS}, of at most {_LARGEST_WINDOW_LIMIT} "
            "requests), a bucket such as bucket:5,10/60s, or off"
        ) from error


def _windows(rates: list[str]) -> RatePolicy:
    quotas = tuple(Quota(*_rate(rate)) for rate in rates)
    if len(quotas) > _MOST_WINDOWS or any(quota.limit > _LARGEST_WINDOW_LIMIT for quota in quotas):
        raise ValueError
    return RatePolicy(quotas, ("window", *(number for quota in quotas for number in quota)))


def _bucket(capacity: str, refill: str) -> RatePolicy:
    if _COUNT.fullmatch(capacity.strip()) is None:
        raise ValueError
    holds, (tokens, period_ms) = int(capacity), _rate(refill)
    return RatePolicy((Quota(holds, -(-holds * period_ms // tokens)),), ("bucket", holds, tokens, period_ms))


def _rate(text: str) -> tuple[int, int]:
    """Return the number of requests and the period in ms."""
    found = _RATE.fullmatch(text.strip())
    if found is None:
        raise ValueError
    return int(found[1]), int(found[2]) * _MS[found[3]]
