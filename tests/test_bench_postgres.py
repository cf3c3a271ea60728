"""The measurement of Postgres at size, in short: it loads what it says, and asks the product for it."""

from pathlib import Path

from bench import postgres
from bench.report import load


def test_it_measures_what_it_says(tmp_path: Path) -> None:
    report = postgres.measure(500, 20_000, rounds=20, long_rounds=1)
    report.save(tmp_path)
    read = load(tmp_path / "postgres.json")
    assert "Loading 19,500 purchases" in read.text
    short, long = read.tables
    assert [row[0] for row in short.rows] == ["find by id", "find by reference", "list, 100 purchases"]
    assert all(min(row[1:]) > 0 for row in (*short.rows, *long.rows))
