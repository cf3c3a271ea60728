"""Pages from elsewhere in a browser at this machine, where operators need no key: they change nothing."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from seating.domain.change_json import change_json
from seating.domain.changes import Purchased
from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.storage.database import Database
from seating.storage.quarantine import FORK, QuarantinedEntry, put_aside
from tests.doors import web_alone
from tests.live.pages import Browser, Pages
from tests.programs import chromium
from tests.servers import wait_until
from tests.system import System
from tests.web import JSON, seats_sold

NEW_EVENT = b'{"name":"Test","totalSeats":5}'
EVIL = "--host-resolver-rules=MAP evil.example 127.0.0.1"
"""The name of somebody's host that leads to this machine."""

REBOUND = """
const tell = (...said) => fetch(REPORTS, {method: 'POST', mode: 'no-cors', body: JSON.stringify(said)})
const answers = async () => (await fetch('/ready')).headers.get('Content-Type').startsWith('application/json')
tell('loaded', location.hostname)
while (!await answers().catch(() => false)) await new Promise((resolve) => setTimeout(resolve, 50))
const headers = {'Content-Type': 'application/json'}
for (const [method, path, body] of ACTS[location.hostname]) {
  const {status} = await fetch(path, {method, headers, body})
  await tell(location.hostname, method, path, status)
}
await tell('done', location.hostname)
"""

POST_FORMS = """
const submit = (action, enctype, rel) => new Promise((resolve) => {
  const frame = document.createElement('iframe')
  frame.name = `frame-${Math.random()}`
  document.body.append(frame)
  const form = document.createElement('form')
  const field = document.createElement('input')
  Object.assign(field, {name: '{"name":"Test","totalSeats":5,"why":"', value: '"}'})
  Object.assign(form, {action, enctype, rel, method: 'POST', target: frame.name})
  form.append(field)
  document.body.append(form)
  frame.onload = resolve
  form.submit()
})
const simply = (action) => fetch(action, {method: 'POST', mode: 'no-cors', body: '{"name":"Test","totalSeats":5}'})
  .catch(() => 'not even its size may be seen')
const sent = TARGETS.flatMap((action) => [
  submit(action, 'application/x-www-form-urlencoded', ''),
  submit(action, 'text/plain', ''),
  submit(action, 'text/plain', 'noreferrer'),
  simply(action),
])
await Promise.all(sent)
report(sent.length)
"""


class World(NamedTuple):
    """An event with a purchase, and an entry in quarantine that can be replayed."""

    system: System
    event: str
    purchase: str
    position: str

    @property
    def replay(self) -> str:
        return f"/api/v1/quarantine/{self.event}/{self.position}/replay"

    def state(self) -> tuple[Any, ...]:
        """All that the acts of these tests would change."""
        event = self.system.get(f"/api/v1/events/{self.event}").json
        waiting = [
            entry for entry in self.system.get("/api/v1/quarantine").json["entries"] if self.event in entry.values()
        ]
        return seats_sold(self.system), event, waiting


def _world(system: System, seq: int) -> World:
    event = system.create_event(totalSeats=5)
    purchase = system.buy(1, event_id=event).json["purchaseId"]
    change = change_json(Purchased(5_000, 1, 4, [], f"{seq:016x}", f"hash-{seq}", "print", 1, None))
    entry = LogEntry(Position(1, seq), change, f"{seq:040x}")
    database = Database(system.database_url)
    database.write(put_aside, [QuarantinedEntry(event, entry, FORK, "it was lost", None)])
    database.close()
    return World(system, event, purchase, f"1-{seq}")


@pytest.fixture(scope="module", autouse=True)
def _chromium() -> None:
    chromium()


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with web_alone(tmp_path_factory.mktemp("pages")) as running:
        yield running


@pytest.fixture
def pages() -> Iterator[Pages]:
    server = Pages()
    yield server
    server.stop()


def test_a_name_that_comes_to_lead_here(system: System, pages: Pages, tmp_path: Path) -> None:
    """DNS rebinding: to the browser, the page and the server are one origin. The same page by our own name may act."""
    victim, own = _world(system, 5), _world(system, 6)
    acts = {
        name: [
            ("DELETE", f"/api/v1/purchases/{of.purchase}", None),
            ("POST", of.replay, None),
            ("PATCH", f"/api/v1/events/{of.event}", '{"state":"paused"}'),
            ("POST", "/api/v1/events", NEW_EVENT.decode()),
            ("GET", "/api/v1/audit", None),
        ]
        for name, of in {"evil.example": victim, "localhost": own}.items()
    }
    before = victim.state()
    system.parts["web"].stop()
    rebinding = Pages(system.port)
    frame = f"if (location.hostname !== 'localhost') {{\n{_frame(rebinding('/', 'localhost'))}}}\n"
    rebinding.scripts["/"] = (
        f"const REPORTS = {json.dumps(pages('/report'))}, ACTS = {json.dumps(acts)}\n{frame}{REBOUND}"
    )
    said = pages.reports["127.0.0.1"]
    browser = Browser(tmp_path, rebinding("/", "evil.example"), EVIL)
    try:
        wait_until(lambda: len([1 for word, *_ in said if word == "loaded"]) == 2, 60, "the pages to be loaded")
        rebinding.stop()
        system.start_part("web")
        wait_until(lambda: len([1 for word, *_ in said if word == "done"]) == 2, 60, "the pages to have acted")
    finally:
        browser.stop()
        rebinding.stop()
    assert [status for name, *_, status in said if name == "evil.example"] == [401] * 5, said
    assert [status for name, *_, status in said if name == "localhost"] == [200, 204, 200, 201, 200], said
    (sold, *of_victim), (sold_then, *of_victim_then) = before, victim.state()
    assert of_victim_then == of_victim
    assert len(sold_then) == len(sold) + 1
    _assert_open_to_this_machine(victim)


def _frame(url: str) -> str:
    script = f"const frame = document.createElement('iframe')\nframe.src = {json.dumps(url)}\n"
    return f"{script}document.body.append(frame)\n"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1"])
def test_forms_that_need_no_preflight(system: System, pages: Pages, tmp_path: Path, host: str) -> None:
    """Also from a page of this machine on another port, which is the same site, and from one that hides its origin."""
    world = _world(system, 7)
    before, log = world.state(), system.parts["web"].log
    already = _logged(log)
    bases = [f"http://{name}:{system.port}" for name in ("127.0.0.1", "localhost", "evil.example")]
    targets = [base + path for base in bases for path in (world.replay, "/api/v1/events")]
    pages.scripts["/forms"] = f"const TARGETS = {json.dumps(targets)}\n{POST_FORMS}"
    browser = Browser(tmp_path, pages("/forms", host), EVIL)
    try:
        wait_until(lambda: pages.reports[host] == [[24]], 60, "the forms to be sent")
    finally:
        browser.stop()
    assert _logged(log) - already == Counter(
        {("/api/v1/quarantine/<event_id>/<position>/replay", 401): 12, ("/api/v1/events", 401): 12}
    )
    assert world.state() == before
    _assert_open_to_this_machine(world)


def _logged(log: Path) -> Counter[tuple[str, int]]:
    """The route and status of each POST."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if '"request"' in line]
    return Counter((line["route"], line["status"]) for line in lines if line["method"] == "POST")


def _assert_open_to_this_machine(world: World) -> None:
    """The same acts, of no page."""
    ask = world.system.request
    assert ask("POST", world.replay).status == 204
    assert ask("POST", "/api/v1/events", NEW_EVENT, JSON).status == 201
    assert ask("PATCH", f"/api/v1/events/{world.event}", b'{"state":"paused"}', JSON).status == 200
    assert ask("DELETE", f"/api/v1/purchases/{world.purchase}").status == 200
