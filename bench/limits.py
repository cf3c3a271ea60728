"""`make bench-limits`: what the rate limit costs the sale that it stands in front of.

ARGS='SECONDS ROUNDS'.
"""

import sys
from statistics import median

from bench.cost import Case, Turn, take
from bench.report import Measurement, Table
from bench.served import Served

_TEXT = """A general-admission purchase, 256 connections, with a policy that never refuses, and with none: {rounds}
pairs of {seconds} s, in turns. **ratio** is the median of the pairs' ratios, so that what else goes on meanwhile hits
both sides of it."""


def main(seconds: int = 3, rounds: int = 9) -> None:
    turns: list[list[Turn]] = []
    with Served() as limited, Served(RATE_LIMIT_SALE="off") as unlimited:
        cases = [
            Case("", served, lambda served=served: served.open_events(4, totalSeats=100_000), sells=True)
            for served in (limited, unlimited)
        ]
        for number in range(rounds):
            pair = [take(case, 256, seconds) for case in cases[:: -1 if number % 2 else 1]]
            turns.append(pair[:: -1 if number % 2 else 1])
    rows = []
    for name in ("per_s", "web_us", "redis_us"):
        ones, others = ([getattr(turn, name) for turn in column] for column in zip(*turns, strict=True))
        ratio = median(one / other for one, other in zip(ones, others, strict=True))
        rows.append(
            [
                name.replace("_us", " µs a purchase").replace("per_s", "purchases/s"),
                round(median(ones)),
                round(median(others)),
                round(ratio, 3),
            ]
        )
    report = Measurement(
        "limits", "What the rate limit costs", "make bench-limits", _TEXT.format(seconds=seconds, rounds=rounds)
    )
    report.tables = [Table("", "", ["", "limited", "unlimited", "ratio"], rows)]
    report.save()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
