"""`make bench-keeping`: what it costs Redis to keep the log of what SQL has, so that an older SQL can catch up with it.

ARGS='PURCHASES'.
"""

import sys
from functools import partial
from typing import NamedTuple

from bench.report import Measurement, Table
from bench.served import Served, is_recorded, services_of
from seating.config import Settings
from seating.domain.idempotency import short_hash
from seating.domain.purchase import Order
from seating.redis_store import keys
from tests.servers import wait_until

_GB = 1_000_000_000
_TEXT = """{purchases:,} general-admission purchases, all on record. **Log, bytes an entry** is what Redis says of the
event's log (`MEMORY USAGE`); **all, bytes a purchase** is what its memory grew by, the answers for repeated requests
included. **Entries in half of 1 GB** is what `LOG_KEEP_MEMORY_PERCENT=50` keeps with a `maxmemory` of 1 GB, if nothing
else is there."""


class Kept(NamedTuple):
    entries: int
    bytes_an_entry: float
    bytes_a_purchase: float


def measure(purchases: int, keep_s: int) -> Kept:
    with Served(LOG_KEEP_S=str(keep_s)) as served:
        event_id = served.create_event(totalSeats=purchases)
        client, log = served.redis.client(), keys.log(event_id)
        before = client.info("memory")["used_memory"]
        inventory = services_of(served).purchases.inventory
        for number in range(purchases):
            inventory.purchase(event_id, "anonymous", short_hash("anonymous", f"kept-{number}"), Order(1))
        wait_until(partial(is_recorded, inventory, event_id), 300, "all to be recorded")
        if not keep_s:
            most = 2 * Settings().live_resume_entries
            wait_until(lambda: client.xlen(log) <= most, 60, "the log to be trimmed")
        entries = client.xlen(log)
        grown = client.info("memory")["used_memory"] - before
        return Kept(entries, client.memory_usage(log, samples=0) / entries, grown / purchases)


def main(purchases: int = 100_000) -> None:
    columns = ["LOG_KEEP_S", "entries kept", "log, bytes an entry", "all, bytes a purchase", "entries in half of 1 GB"]
    rows = []
    for keep_s in (0, 86_400):
        kept = measure(purchases, keep_s)
        print(kept)
        fits = round(_GB / 2 / kept.bytes_a_purchase, -3) if keep_s else ""
        rows.append(
            [keep_s, kept.entries, round(kept.bytes_an_entry), round(kept.bytes_a_purchase), fits and int(fits)]
        )
    report = Measurement("keeping", "What the log keeps", "make bench-keeping", _TEXT.format(purchases=purchases))
    report.tables = [Table("", "", columns, rows)]
    report.save()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
