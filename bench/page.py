"""`python -m bench.page`: makes docs/benchmarks.md of the figures in docs/figures/."""

from bench.report import FIGURES, Report, Table, load
from tests.system import PROJECT

PAGE = PROJECT / "docs" / "benchmarks.md"
_ORDER = ("cost", "profile", "growth", "keeping", "durability", "limits", "onsale", "live", "partner", "cluster")
_HEAD = """# Benchmarks

Made by `make benchmarks` of the figures in [figures/](figures/), each of which the command named above it has written.
Figures are of one machine at one moment, with everything on it, the load generator too; ratios within one run travel
better than numbers.
"""


def render() -> str:
    reports = sorted((load(path) for path in FIGURES.glob("*.json")), key=lambda report: _ORDER.index(report.name))
    return "\n".join([_HEAD, *map(_section, reports)])


def _section(report: Report) -> str:
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
    PAGE.write_text(render())
    print(f"written: {PAGE.relative_to(PROJECT)}")
