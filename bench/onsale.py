"""`make bench-onsale`: a thousand buyers at once, several times.

ARGS='TIMES'.
"""

import re
import subprocess
import sys
from statistics import median

from bench.report import Measurement, Table
from bench.served import Served

_TEXT = """`seating onsale`: 1,000 connections, opened before, send their purchase in the same moment; a tenth of the
buyers send it twice. The buyers' process shares the cores with two web processes, Redis and the worker. After each run
the books are checked: a run with wrong ones is an error. {times} runs, a fresh event of 1,000 seats each."""
_FIGURES = ("duration", "p50", "p95", "p99", "lag zero")


def rehearse(served: Served) -> list[float]:
    """The figures, in s and ms as they are printed."""
    event_id = served.create_event(totalSeats=1000)
    command = [sys.executable, "-m", "seating", "onsale", "--url", f"http://127.0.0.1:{served.port}"]
    said = subprocess.run([*command, "--event", event_id], capture_output=True, text=True, check=True).stdout
    found = [re.search(rf"^{name}\s+([\d.,]+)", said, re.MULTILINE) for name in _FIGURES]
    assert all(found), said
    return [float(match[1].replace(",", "")) for match in found if match]


def main(times: int = 10) -> None:
    with Served() as served:
        rehearse(served)  # What is loaded on first use is loaded.
        columns = list(zip(*(rehearse(served) for _ in range(times)), strict=True))
    units = ("s", "ms", "ms", "ms", "s after the last answer")
    rows = [
        [f"{name}, {unit}", min(column), round(median(column), 3), max(column)]
        for name, unit, column in zip(_FIGURES, units, columns, strict=True)
    ]
    report = Measurement("onsale", "A thousand buyers at once", "make bench-onsale", _TEXT.format(times=times))
    report.tables = [Table("", "", ["", "best", "median", "worst"], rows)]
    report.save()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
