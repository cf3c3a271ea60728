"""`make bench-partner`: all events of a user side by side, and the sale beside a partner that misbehaves."""

import statistics
import tempfile
from pathlib import Path

from gevent import monkey

if __name__ == "__main__":
    monkey.patch_all(thread=False, subprocess=False, signal=False, os=False)

from bench.report import Measurement, Table
from tests.catalogue import partner as habits
from tests.catalogue.measured import HOSTILE, fetching_system, purchase_rates, side_by_side
from tests.catalogue.partner import Partner
from tests.catalogue.stand_in import StandIn
from tests.system import System

_COUNTS = (1, 10, 20, 50)
_RUNS = 5
_WINDOW_S = 0.5
_WINDOWS = 20
_FETCHES = """All events of a user, from the stand-in, which takes 500 ms for each: through the product, all side by
side (the median of {runs}), and from the stand-in itself, one after another."""
_RATES = """8 buyers go on buying; in every second window of {window_s} s, 4 callers ask for everything that the
partner has. Its breakers are set so that they never open. `share` is the median of {windows} pairs of windows. Buyers,
callers and the partner itself are one Python process, which shares the cores with the product."""


def fetches(system: System, stand_in: StandIn) -> Table:
    rows = []
    for count in _COUNTS:
        alone = side_by_side(system, stand_in, count, measure_all=True)
        together_s = statistics.median(side_by_side(system, stand_in, count).together_s for _ in range(_RUNS))
        slowest_s = alone.slowest_single_s
        ms = [round(seconds * 1000) for seconds in (together_s, slowest_s)]
        rows.append([count, *ms, round(together_s / slowest_s, 2), round(alone.one_after_another_s, 1)])
    columns = ["events of the user", "side by side, ms", "slowest single, ms", "ratio", "one after another, s"]
    return Table("Events of a user", _FETCHES.format(runs=_RUNS), columns, rows)


def rates(system: System, partner: Partner) -> Table:
    rows = []
    for name, habit in ({"fares well": habits.fares_well} | HOSTILE).items():
        without, beside, share = purchase_rates(system, partner, habit, _WINDOWS, _WINDOW_S)
        rows.append([name, round(without), round(beside), round(share, 2)])
        print(rows[-1])
    columns = ["the partner", "purchases/s, nobody asks it", "purchases/s, while it is asked", "share"]
    return Table("The sale beside it", _RATES.format(window_s=_WINDOW_S, windows=_WINDOWS), columns, rows)


def main() -> None:
    report = Measurement("partner", "The event partner", "make bench-partner", "")
    with tempfile.TemporaryDirectory(prefix="seating-figures-") as name:
        folder = Path(name)
        stand_in = StandIn(folder / "stand-in")
        try:
            with fetching_system(folder / "fetches", stand_in.url) as system:
                report.tables.append(fetches(system, stand_in))
        finally:
            stand_in.stop()
        partner = Partner(habits.fares_well)
        # So that the partner is really asked, and not kept away from by a breaker.
        with fetching_system(folder / "sale", partner.url, CIRCUIT_BREAKER_FAILURE_THRESHOLD="1000") as system:
            report.tables.append(rates(system, partner))
    report.save()


if __name__ == "__main__":
    main()
