"""What pages of other hosts can do and read, in a real browser, and the client that docs/live.md shows."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from seating.redis_store import keys
from seating.storage import events
from seating.storage.database import Database
from tests.live.pages import Browser, NodeScript, Pages, look_at, node_has_websockets
from tests.servers import wait_until
from tests.system import PROJECT, System, running_system
from tests.web import JSON

HALL = {"generate": {"sections": 1, "rows": 1, "seatsPerRow": 4}}
SEATS = [f"sec-1-row-A-seat-{number}" for number in (1, 2, 3, 4)]

BUY_AND_WATCH = """
const buy = () => fetch(`${BASE}/api/v1/purchase`, {
  method: 'POST', body: '{"quantity":1}',
  headers: {'Content-Type': 'application/json', 'Idempotency-Key': 'a-key-of-this-very-page'},
})
try {
  await buy()
  const again = await buy()
  const names = ['Idempotent-Replayed', 'RateLimit-Policy', 'X-Request-Id']
  report('bought', again.status, names.filter((name) => again.headers.has(name)))
  const missing = await fetch(`${BASE}/api/v1/events/nosuchevent`)
  report('missing', missing.status, (await missing.json()).code)
} catch (error) {
  report('failed', error.name)
}
const socket = new WebSocket(`${BASE.replace('http', 'ws')}/api/v1/events/nosuchevent/live`)
socket.onclose = ({code, reason, wasClean}) => report('closed', code, reason, wasClean)
"""


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    server = Pages()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, pages: Pages) -> Iterator[System]:
    """A system that lists the origin of `pages` by one of its names."""
    folder = tmp_path_factory.mktemp("shop")
    with running_system(folder, CORS_ORIGINS=pages("")) as running:
        yield running


def test_a_listed_page_reads_what_another_does_not(shop: System, pages: Pages, tmp_path: Path) -> None:
    base = f"const BASE = {json.dumps(f'http://127.0.0.1:{shop.port}')}\n"
    frame = f"const frame = document.createElement('iframe')\nframe.src = {json.dumps(pages('/other', 'localhost'))}\n"
    pages.scripts["/shop"] = base + BUY_AND_WATCH + frame + "document.body.append(frame)"
    pages.scripts["/other"] = base + BUY_AND_WATCH
    browser = Browser(tmp_path, pages("/shop"))
    try:
        wait_until(lambda: len(pages.reports["127.0.0.1"]) == 3 and len(pages.reports["localhost"]) == 2, 60)
    finally:
        browser.stop()
    assert pages.reports == {
        "127.0.0.1": [
            ["bought", 200, ["Idempotent-Replayed", "RateLimit-Policy", "X-Request-Id"]],
            ["missing", 404, "EVENT_NOT_FOUND"],
            ["closed", 4404, "EVENT_NOT_FOUND: There is no such event", True],
        ],
        "localhost": [
            ["failed", "TypeError"],
            ["closed", 4403, "ORIGIN_NOT_ALLOWED: Pages of this origin may not connect here", True],
        ],
    }


@pytest.mark.parametrize(("path", "shows"), [("/docs/swagger", 'class="opblock '), ("/docs/", 'class="box"')])
def test_documentation_keeps_to_its_policy(shop: System, tmp_path: Path, path: str, shows: str) -> None:
    markup, log = look_at(tmp_path, f"http://127.0.0.1:{shop.port}{path}")
    assert shows in markup
    assert "Content Security Policy" not in log, log


@pytest.fixture
def run(tmp_path: Path, pages: Pages) -> Iterator[Callable[[str], Callable[[], list[Any]]]]:
    """Runs a script in Node.js or else in Chromium, and returns what gives its reports."""
    running: list[NodeScript | Browser] = []

    def start(script: str) -> Callable[[], list[Any]]:
        if node_has_websockets():
            node = NodeScript(tmp_path, script)
            running.append(node)
            return lambda: node.reports
        pages.scripts["/client"], pages.reports["127.0.0.1"] = script, []
        running.append(Browser(tmp_path, pages("/client")))
        return lambda: pages.reports["127.0.0.1"]

    yield start
    for each in running:
        each.stop()


def test_the_client_of_the_documentation(shop: System, run: Callable[[str], Callable[[], list[Any]]]) -> None:
    """It shows the snapshot, each change, and after a restart only what it missed; and it knows when to give up."""
    event = shop.create_event(seatingPlan=HALL)
    (client,) = re.findall(r"```js\n(.*?)```", (PROJECT / "docs" / "live.md").read_text(), re.DOTALL)
    assert client.count("\n") <= 50
    base = json.dumps(f"http://127.0.0.1:{shop.port}")
    show = """{
      seat: (...said) => report('seat', ...said),
      state: (...said) => report('state', ...said),
      end: (code) => report('end', code),
    }"""
    script = client.replace("export function", "function")
    reports = run(f"{script}follow({base}, {event!r}, {show})")

    expected: list[list[str]] = [*(["seat", seat, "available"] for seat in SEATS), ["state", "on_sale"]]
    wait_until(lambda: reports() == expected, 60, "the snapshot")

    def buy() -> None:
        (seat,) = shop.buy(1, event_id=event).json["seats"]
        expected.append(["seat", seat, "sold"])

    buy()
    wait_until(lambda: reports() == expected, what="the change")
    shop.parts["web"].stop()
    shop.start_part("web")
    shop.wait_ready()
    buy()
    wait_until(lambda: reports() == expected, 60, "what it missed")
    shop.request("PATCH", f"/api/v1/events/{event}", b'{"state":"paused"}', JSON)
    expected.append(["state", "paused"])
    wait_until(lambda: reports() == expected, what="the pause")


def test_the_client_stops_while_it_asks(run: Callable[[str], Callable[[], list[Any]]]) -> None:
    """Neither a failure nor an answer after that shows anything, or begins another attempt."""
    (client,) = re.findall(r"```js\n(.*?)```", (PROJECT / "docs" / "live.md").read_text(), re.DOTALL)
    script = client.replace("export function", "function")
    reports = run(
        script
        + """
const [soon, send] = [setTimeout, fetch]
globalThis.setTimeout = () => report('again')
const known = {
  '/plan': { blocks: [{ rows: [{ seats: ['A-1'] }] }] },
  '/seats': { statuses: { a: 'available' }, seats: 'a', since: '1-1' },
}
const answer = (body) => ({ ok: true, json: async () => body })
const ends = [
  () => { throw new Error('down') }, () => ({ ok: false, status: 404 }), () => answer({ state: 'on_sale' }),
]
async function stopBefore(end) {
  let go, stop
  await new Promise((asked) => {
    const waits = new Promise((done) => { go = done })
    globalThis.fetch = async (address, ...rest) => {
      if (address === '/report') return send(address, ...rest)
      for (const [path, body] of Object.entries(known)) if (address.endsWith(path)) return answer(body)
      asked()
      await waits
      return end()
    }
    const told = (word) => (...said) => report(word, ...said)
    stop = follow('http://nowhere', 'event', { seat: told('seat'), state: told('state'), end: told('end') })
  })
  stop()
  go()
  await new Promise((done) => soon(done, 0))
}
ends.reduce((before, end) => before.then(() => stopBefore(end)), Promise.resolve()).then(() => report('done'))
"""
    )
    wait_until(lambda: ["done"] in reports(), 60)
    assert reports() == [["done"]]


def test_the_client_gives_up_where_there_is_nothing(
    shop: System, run: Callable[[str], Callable[[], list[Any]]]
) -> None:
    (client,) = re.findall(r"```js\n(.*?)```", (PROJECT / "docs" / "live.md").read_text(), re.DOTALL)
    script = client.replace("export function", "function")
    base = json.dumps(f"http://127.0.0.1:{shop.port}")
    archived = shop.create_event(seatingPlan=HALL)
    shop.request("PATCH", f"/api/v1/events/{archived}", b'{"state":"closed"}', JSON)
    database = Database(shop.database_url)
    database.write(events.set_archived, archived)
    database.close()
    shop.redis.client().delete(*keys.all_of(archived))
    show = "{end: (code) => report('end', code)}"
    reports = run(f"{script}for (const event of ['nosuchevent', '{archived}']) follow({base}, event, {show})")
    wait_until(lambda: sorted(reports()) == [["end", 4404], ["end", 4409]], 60)
