"""The sale of a chaos run: its events, and the processes that buy and watch."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from seating.launcher.child import die_with
from tests.proof.buyer import Venue
from tests.proof.evidence import seq_of
from tests.proof.history import HistoryFile
from tests.proof.orders import LoadOrders, WatchOrders
from tests.proof.probes import Probes
from tests.seating_plan_file import row, seat
from tests.system import Client, free_port

PROJECT: Final = Path(__file__).parents[2]
_HALL: Final = {"Stalls": 60, "Balcony": 60}
"""Rows of 50 by category."""
_SMALL: Final = {"Front": 5, "Back": 5}
_FULL: Final = 0.7
"""Buyers keep so many seats that a hall is about so full."""
_SEATS_EACH: Final = 2.4


@dataclass(frozen=True)
class Size:
    """How much load there is. `think_s` is a buyer's mean pause between requests."""

    buyers: int
    viewers: int
    think_s: float


class ChaosSale:
    """`files` are the history, one of each process that writes it."""

    def __init__(self, client: Client, folder: Path, seed: int, size: Size) -> None:
        self._client = client
        self._folder = folder
        self._seed = seed
        self._size = size
        self.files = [folder / f"{name}.jsonl" for name in ("load", "watching", "probes")]
        self.venues = self._create_events()
        self.events = [venue.event for venue in self.venues]
        # The last one is paused now and then.
        self.probes = Probes(client.port, self.venues[:-1], seed, HistoryFile(self.files[2]))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def _create_events(self) -> list[Venue]:
        areas = {"Standing": {"totalSeats": 2_000_000, "price": 4900}, "Lounge": {"totalSeats": 500_000, "price": 9900}}
        prices = {"Stalls": {"price": 5900}, "Balcony": {"price": 2900, "order": 1}}
        floor = self._client.create_event(name="Floor", currency="EUR", categories=areas)
        hall = self._client.create_event(name="Hall", seatingPlan=_plan(_HALL), currency="EUR", categories=prices)
        small = self._client.create_event(name="Small", seatingPlan=_plan(_SMALL))
        return [
            Venue(floor, 0.75, 1_000_000, ["Standing", "Lounge"]),
            self._seated("demo", 0.07, [], plain=True),
            self._seated(hall, 0.12, list(_HALL)),
            self._seated(small, 0.06, list(_SMALL)),
        ]

    def _seated(self, event: str, share: float, categories: list[str], *, plain: bool = False) -> Venue:
        plan = self._client.get(f"/api/v1/events/{event}/plan").json
        seats = [seat for block in plan["blocks"] for row in block["rows"] for seat in row["seats"]]
        kept = int(len(seats) * _FULL / _SEATS_EACH / self._size.buyers)
        return Venue(event, share, kept, categories, seats, plain)

    def start(self) -> None:
        seated = {venue.event: venue.seats for venue in self.venues if venue.seats}
        hooked = list(seated)[1:]
        port = free_port()
        most, rest = divmod(self._size.viewers, len(seated))
        viewers = {event: most + (number < rest) for number, event in enumerate(seated)}
        hooks_from = [self._add_webhook(f"http://127.0.0.1:{port}/{number}", e) for number, e in enumerate(hooked)]
        orders = WatchOrders(self._client.port, port, hooks_from, str(self.files[1]), viewers, seated)
        orders.write(self._folder / "watching.json")
        self._launch("watching")
        LoadOrders(
            self._client.port,
            self._seed,
            self._size.buyers,
            self._size.think_s,
            str(self.files[0]),
            [asdict(venue) for venue in self.venues],
        ).write(self._folder / "load.json")
        self._launch("load")

    def is_busy(self) -> bool:
        """Whether there are about as many answers as buyers."""
        with self.files[0].open("rb") as history:
            return sum(1 for _ in history) >= self._size.buyers

    def end(self, name: str) -> None:
        """SIGTERM, and wait for it. Raises AssertionError with what it said if it failed."""
        process = self._processes[name]
        process.send_signal(signal.SIGTERM)
        status = process.wait(timeout=120)
        assert status == 0, f"{name}: {(self._folder / f'{name}.log').read_text()[-2000:]}"

    def assert_running(self) -> None:
        for name, process in self._processes.items():
            assert process.poll() is None, f"{name}: {(self._folder / f'{name}.log').read_text()[-2000:]}"

    def kill(self) -> None:
        for process in self._processes.values():
            if process.poll() is None:
                process.kill()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=10)

    def webhooks_are_done(self) -> bool:
        return all(hook["lag"] == 0 for hook in self._client.get("/api/v1/webhooks").json["webhooks"])

    def _add_webhook(self, url: str, event: str) -> int:
        """Return the seq of the first entry that it is sent: all before are on record."""
        body = f'{{"url": "{url}", "eventId": "{event}"}}'.encode()
        answer = self._client.request("POST", "/api/v1/webhooks", body, {"Content-Type": "application/json"})
        assert answer.status == 201, answer
        return seq_of(self._client.get(f"/api/v1/events/{event}/seats").json["position"]) + 1

    def _launch(self, name: str) -> None:
        # What loads the product must not keep it from starting again.
        command = ["nice", "-n", "5", sys.executable, "-m", f"tests.proof.{name}", str(self._folder / f"{name}.json")]
        with (self._folder / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                command, cwd=PROJECT, stdout=log, stderr=log, preexec_fn=partial(die_with, os.getpid())
            )


def _plan(rows: dict[str, int]) -> dict[str, Any]:
    """Return a plan file with so many rows of 50 in each category, a zone each."""
    zones = []
    for start, (category, count) in enumerate(rows.items()):
        seats = [
            row(str(n), [seat(f"{category}-{n}-{s}", category, 12.0 * s) for s in range(1, 51)], 12.0 * n)
            for n in range(1, count + 1)
        ]
        zones.append({"name": category, "position": {"x": 0, "y": 1000 * start}, "rows": seats, "areas": []})
    return {"name": "Hall", "categories": [{"name": name} for name in rows], "zones": zones}
