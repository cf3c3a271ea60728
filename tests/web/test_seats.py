"""All seats at once: never stale, rendered once for a crowd, and kept within bounds."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event

from seating.memo import Memo
from seating.redis_store.seat_states import States
from seating.services import seats as seat_services
from seating.services.seats import SeatMaps, SeatPage
from seating.web.seats import SeatList, SeatMapView
from tests.crowd import new_keys
from tests.processes import client, clock
from tests.seating_plan_file import theatre
from tests.system import System
from tests.users.conftest import Web, web

__all__ = ["client", "clock", "web"]

CROWD = 200
HALL = {"generate": {"sections": 3, "rows": 5, "seatsPerRow": 100}}
GZIP = {"Accept-Encoding": "gzip"}
ROUTES = ["/seats", "/api/v1/events/{}/seats"]


class Hall:
    """A web process with one hall, the default event."""

    def __init__(self, start: Callable[..., Web], plan: Any) -> None:
        created: Any = start().client.post("/api/v1/events", json={"name": "Hall", "seatingPlan": plan})
        self.event: str = created.json["id"]
        self.web = start(default_event=self.event)

    def get(self, route: str, **headers: str) -> Any:
        return self.web.client.get(route.format(self.event), headers=headers)

    def buy(self, quantity: int = 1) -> Any:
        (key,) = new_keys(1)
        path, headers = f"/api/v1/events/{self.event}/purchases", {"Idempotency-Key": key}
        bought = self.web.client.post(path, json={"quantity": quantity}, headers=headers)
        assert bought.status_code == 200
        return bought.json


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Seats are in Redis."""
    return sqlite_url


@pytest.fixture
def hall(web: Callable[..., Web]) -> Hall:
    return Hall(web, HALL)


def test_the_list_is_what_its_model_makes(web: Callable[..., Web]) -> None:
    """To the byte, with any id."""
    plan = theatre()
    ids = ['"', "\\", "%s", "{}", "Größe 7", "席", "\u2028", "a/b"]
    for seat, name in zip(
        plan["zones"][0]["rows"][1]["seats"] + plan["zones"][1]["rows"][0]["seats"], ids, strict=False
    ):
        seat["seat_guid"] = name
    hall = Hall(web, plan)
    hall.buy(2)
    rows = hall.get("/api/v1/events/{}/plan").json["blocks"]
    names = [seat for block in rows for row in block["rows"] for seat in row["seats"]]
    found = hall.get("/api/v1/events/{}/seats").json
    words = [found["statuses"][letter] for letter in found["seats"]]
    assert words.count("sold") == 2
    model = SeatList.model_validate([{"id": name, "status": word} for name, word in zip(names, words, strict=True)])
    assert hall.get("/seats").data == model.model_dump_json().encode()


def test_the_map_is_what_its_model_makes(hall: Hall) -> None:
    hall.buy()
    found = hall.get("/api/v1/events/{}/seats")
    fields = {name: found.json[alias] for name, alias in zip(SeatMapView.model_fields, found.json, strict=True)}
    assert found.data == SeatMapView(**fields).model_dump_json(by_alias=True).encode()


@pytest.mark.parametrize("headers", [{}, GZIP], ids=["plain", "gzipped"])
@pytest.mark.parametrize("route", ROUTES)
def test_each_position_has_its_own_answer(hall: Hall, route: str, headers: dict[str, str]) -> None:
    tags, bodies = set[str](), set[bytes]()
    for _ in range(5):
        bought = hall.buy()
        found = hall.get(route, **headers)
        assert found.headers["Position"] == bought["position"]
        assert hall.get(route, **headers, **{"If-None-Match": found.headers["ETag"]}).status_code == 304
        tags.add(found.headers["ETag"])
        bodies.add(found.data)
    assert (len(tags), len(bodies)) == (5, 5)
    stale = hall.get(route, **headers, **{"If-None-Match": ", ".join(tags - {found.headers["ETag"]})})
    assert (stale.status_code, stale.data) == (200, found.data)


@pytest.mark.parametrize("route", ROUTES)
def test_gzipped_it_is_the_same(hall: Hall, route: str) -> None:
    hall.buy(3)
    plain, gzipped = hall.get(route), hall.get(route, **GZIP)
    assert (plain.headers.get("Content-Encoding"), gzipped.headers["Content-Encoding"]) == (None, "gzip")
    assert gzip.decompress(gzipped.data) == plain.data
    assert len(gzipped.data) < len(plain.data) / 2
    assert plain.headers["ETag"] == gzipped.headers["ETag"]
    assert plain.headers["Vary"] == gzipped.headers["Vary"] == "Accept-Encoding"


def test_what_is_small_is_not_gzipped(web: Callable[..., Web]) -> None:
    small = Hall(web, theatre())
    assert "Content-Encoding" not in small.get("/api/v1/events/{}/seats", **GZIP).headers


def test_general_admission_has_no_seats(web: Callable[..., Web]) -> None:
    created: Any = web().client.post("/api/v1/events", json={"name": "Field", "totalSeats": 5})
    assert web(default_event=created.json["id"]).get("/seats").json == []
    assert web(default_event="nosuchevent").get("/seats").status_code == 404


class Pages:
    """The maps of a web process, and how often one was rendered and compressed."""

    def __init__(self, hall: Hall) -> None:
        kept = hall.web.services.seat_maps
        self.maps = SeatMaps(kept.states, kept.presence, self._compress)
        self._offload = kept.offload
        self.hall = hall
        self.rendered = self.compressed = 0

    def _compress(self, work: Callable[[], Any]) -> Any:
        self.compressed += 1
        return self._offload(work)

    def _render(self, found: States) -> bytes:
        self.rendered += 1
        return found.seats.encode()

    def ask(self, *, gzipped: bool = True) -> SeatPage:
        return self.maps.page(self.hall.event, "map", self._render, gzipped=gzipped)

    def ask_at_once(self) -> set[SeatPage]:
        asking = [gevent.spawn(self.ask) for _ in range(CROWD)]
        gevent.joinall(asking, timeout=30, raise_error=True)
        return {one.get() for one in asking}


def test_a_crowd_costs_one_rendering(hall: Hall) -> None:
    pages = Pages(hall)
    for costs in (1, 2, 3):
        (page,) = pages.ask_at_once()
        assert (pages.rendered, pages.compressed) == (costs, costs)
        assert pages.ask_at_once() == {page}, "nothing was sold: nothing is rendered"
        assert pages.ask(gzipped=False).body == gzip.decompress(page.body)
        assert (pages.rendered, pages.compressed) == (costs, costs)
        hall.buy()


def test_without_keeping_it_each_of_them_renders(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin of the test above."""
    monkeypatch.setattr(Memo, "get", lambda _memo, _key, load, version=None: load())
    pages = Pages(hall)
    monkeypatch.setattr(pages.maps._looks, "get", lambda _key, look: look())
    pages.ask_at_once()
    assert pages.rendered == CROWD


def test_what_is_kept_does_not_grow_with_positions(hall: Hall) -> None:
    pages = Pages(hall)
    for _ in range(20):
        hall.buy()
        pages.ask()
    assert pages.rendered == 20
    assert len(pages.maps._kept) == 2, "one plain, one gzipped"


def test_what_is_kept_has_a_bound(web: Callable[..., Web], monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of the event that was asked for least recently go first."""
    monkeypatch.setattr(seat_services, "_MOST_BYTES", 3500)
    hall = Hall(web, HALL)
    pages = Pages(hall)
    events = [hall.event, *(Hall(web, HALL).event for _ in range(3))]
    for event in events:
        hall.event = event
        pages.ask(gzipped=False)
    assert (pages.rendered, len(pages.maps._kept)) == (4, 2)


def _read_before_and_after_a_sale(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], str]:
    """The positions that both readers got, and the sale's; the first read goes on until both have asked."""
    begun, asked, offload = Event(), Event(), pages._offload

    def compress(work: Callable[[], Any]) -> Any:
        begun.set()
        asked.wait()
        return offload(work)

    monkeypatch.setattr(pages, "_offload", compress)
    first = gevent.spawn(pages.ask)
    begun.wait()
    sold = pages.hall.buy()["position"]
    second = gevent.spawn(pages.ask)
    gevent.sleep(0)
    asked.set()
    return [str(one.get(timeout=10).position) for one in (first, second)], sold


def test_nobody_reads_what_was_before_they_asked(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    (before, after), sold = _read_before_and_after_a_sale(Pages(hall), monkeypatch)
    assert before != after == sold


def test_sharing_a_look_under_way_would_let_them(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin of the test above."""
    pages = Pages(hall)
    monkeypatch.setattr(pages.maps._looks, "get", Memo[tuple[str, str, bool], SeatPage](max_weight=0).get)
    (before, after), sold = _read_before_and_after_a_sale(pages, monkeypatch)
    assert before == after != sold


def test_of_real_processes_nobody_gets_a_stale_answer(system: System) -> None:
    """Buyers at several processes, each of whom reads at once what is left."""
    hall = system.create_event(seatingPlan={"generate": {"sections": 50, "rows": 10, "seatsPerRow": 100}})

    def buyer() -> None:
        for _ in range(3):
            position = system.buy(1, event_id=hall).json["position"]
            found = system.get(f"/api/v1/events/{hall}/seats", GZIP)
            assert found.headers["Position"] == (page := _unzipped(found))["position"]
            assert int(page["position"].split("-")[1]) >= int(position.split("-")[1])
            assert page["seats"].count("s") == 50_000 - page["seatsRemaining"]
            left = system.get(f"/api/v1/events/{hall}").json["seatsRemaining"]
            assert left <= page["seatsRemaining"]

    gevent.joinall([gevent.spawn(buyer) for _ in range(40)], timeout=120, raise_error=True)


def _unzipped(found: Any) -> Any:
    return json.loads(gzip.decompress(found.body))
