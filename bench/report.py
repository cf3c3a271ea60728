"""A measurement's findings, kept in docs/figures/ as JSON; bench/page.py makes docs/benchmarks.md of them."""

import json
import os
import platform
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from tests.system import PROJECT

FIGURES = PROJECT / "docs" / "figures"


@dataclass
class Table:
    """`text` says what is seen, and how it was measured; the first of `columns` names the rows."""

    title: str
    text: str
    columns: list[str]
    rows: list[list[Any]]


@dataclass
class Measurement:
    """`name` is the file's, `command` makes it anew."""

    name: str
    title: str
    command: str
    text: str
    tables: list[Table] = field(default_factory=list)
    plots: list[str] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path = FIGURES) -> None:
        folder.mkdir(exist_ok=True)
        self.machine = machine() | {"fsync_ms": _fsync_ms(PROJECT / "docs")}
        path = folder / f"{self.name}.json"
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")
        print(f"written: {path}")


def load(path: Path) -> Measurement:
    fields = json.loads(path.read_text())
    return Measurement(**fields | {"tables": [Table(**table) for table in fields["tables"]]})


def machine() -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).date().isoformat(),
        "cores": psutil.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }


def _fsync_ms(folder: Path) -> float:
    """The mean of 200 appends of 4 KB, each waited for until the disk has it."""
    path = folder / ".fsync-probe"
    with path.open("wb", buffering=0) as probe:
        started = time.perf_counter()
        for _ in range(200):
            probe.write(bytes(4096))
            os.fdatasync(probe.fileno())
    path.unlink()
    return round((time.perf_counter() - started) / 200 * 1000, 3)
