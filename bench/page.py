"""`python -m bench.page`: makes of the figures in docs/figures/ what is told of them.

docs/benchmarks.md, docs/scale.md, and the costs that `seating size` reckons with.
"""

import json
from pathlib import Path

from bench import costs
from bench.report import FIGURES, Measurement, Table, load
from tests.system import PROJECT

PAGE = PROJECT / "docs" / "benchmarks.md"
SCALE = PROJECT / "docs" / "scale.md"
COSTS = PROJECT / "seating" / "cli" / "costs.json"
_ORDER = ("cost", "ceiling", "profile", "growth", "postgres", "keeping", "footprint", "durability", "limits", "onsale")
_ORDER = (*_ORDER, "live", "partner", "cluster")
_HEAD = """# Benchmarks

Made by `make benchmarks` of the figures in [figures/](figures/), each of which the command named above it has written.
Figures are of one machine at one moment, with everything on it, the load generator too; ratios within one run travel
better than numbers.
"""


def render() -> dict[Path, str]:
    """Return the text of each file."""
    reports = {path.stem: load(path) for path in FIGURES.glob("*.json")}
    scale = reports.pop("scale")
    measured = sorted(reports.values(), key=lambda report: _ORDER.index(report.name))
    return {
        PAGE: "\n".join([_HEAD, *map(_section, measured)]),
        SCALE: _section(scale).removeprefix("#"),
        COSTS: json.dumps(costs.figures(), indent=1) + "\n",
    }


def write() -> None:
    for path, text in render().items():
        path.write_text(text)
        print(f"written: {path.relative_to(PROJECT)}")


def _section(report: Measurement) -> str:
    where = report.machine
    made = (
        f"`{report.command}`, {where['at']}: {where['cores']} cores, {where['system']}, Python {where['python']}, "
        f"load {where['load']} at the end, {where['fsync_ms']} ms for a write of 4 KB with fsync."
    )
    text = [f"{report.text}\n"] if report.text else []
    plots = [f"![{report.title}](figures/{name})\n" for name in report.plots]
    return "\n".join([f"## {report.title}\n", f"{made}\n", *text, *map(_table, report.tables), *plots])


def _table(table: Table) -> str:
    lines = [table.columns, ["---", *["---:"] * (len(table.columns) - 1)], *table.rows]
    rows = "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)
    heading = f"### {table.title}" if table.title else ""
    return "\n\n".join(filter(None, [heading, table.text, rows])) + "\n"


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    write()
