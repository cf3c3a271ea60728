"""`make bench-durability`: what it costs to be safe. The same sale with all promises kept, and without.

ARGS='SECONDS ROUNDS'.
"""

import sys
from statistics import median

from bench.cost import Case, Turn, take
from bench.report import Measurement, Table
from bench.served import Served

_TEXT = """A general-admission purchase, 256 connections, medians of {rounds} turns of {seconds} s each. **safe** is
the product: Redis with `appendfsync always`, SQLite with `synchronous=FULL`. **unsafe** is the same with `everysec`
and `NORMAL`: a crash of the machine would lose about a second of what buyers were told is theirs. The product refuses
to run so; the measurement changes both behind its back. **waiting** is the safe one asked with `Prefer: wait`, which
answers when SQL has the purchase."""


def main(seconds: int = 5, rounds: int = 5) -> None:
    with Served() as safe, Served("bench.unsafe_web:app", "bench.unsafe") as unsafe:
        unsafe.redis.client().config_set("appendfsync", "everysec")
        cases = [
            Case(
                name, served, lambda served=served: served.open_events(4, totalSeats=200_000), sells=True, prefer=prefer
            )
            for name, served, prefer in (("safe", safe, ""), ("unsafe", unsafe, ""), ("safe, waiting", safe, "wait=10"))
        ]
        turns: dict[str, list[Turn]] = {case.name: [] for case in cases}
        for _ in range(rounds):
            for case in cases:
                turns[case.name].append(take(case, 256, seconds))
    middle = {name: Turn(*map(median, zip(*rows, strict=True))) for name, rows in turns.items()}
    report = Measurement(
        "durability", "What safety costs", "make bench-durability", _TEXT.format(seconds=seconds, rounds=rounds)
    )
    report.tables = [
        Table(
            "",
            "",
            ["", "per s", "/ unsafe", "p50 ms", "p99 ms", "web µs", "Redis µs", "worker µs"],
            [
                [
                    name,
                    round(turn.per_s),
                    round(turn.per_s / middle["unsafe"].per_s, 2),
                    round(turn.p50_ms, 1),
                    round(turn.p99_ms, 1),
                ]
                + [round(cost) for cost in (turn.web_us, turn.redis_us, turn.worker_us)]
                for name, turn in middle.items()
            ],
        )
    ]
    report.save()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
