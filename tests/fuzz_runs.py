"""How many random cases a test tries: few in the suite, many with `make fuzz`."""

import os
from typing import Final

import pytest

_LONG: Final = int(os.environ.get("SEATING_FUZZ_RUNS", "0"))

takes_long = pytest.mark.timeout(6 * 3600 if _LONG else 180)
over_both_if_long = pytest.mark.parametrize(
    "database_url", ["sqlite", "postgres"] if _LONG else ["sqlite"], indirect=True
)


def fuzz_runs(short: int) -> int:
    """Return SEATING_FUZZ_RUNS if that is set, else `short`."""
    return _LONG or short
