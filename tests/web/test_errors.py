"""Addresses that lead nowhere, methods they do not take, and bytes that are not HTTP: all answered alike."""

import json
import uuid
from collections.abc import Iterator
from urllib.parse import quote

import psutil
import pytest

from tests.servers import PostgresServer, RedisServer
from tests.system import System
from tests.web import assert_problem, connect, exchange, get, post, read_answer, seats_sold, table

ONE = b'{"quantity":1}'
NOT_FOUND = "NOT_FOUND"
EVENT = "EVENT_NOT_FOUND"
PURCHASE = "PURCHASE_NOT_FOUND"
LAST_POSITION = f"{'9' * 9}-{'9' * 14}"


@pytest.fixture(scope="module")
def over_postgres(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[System]:
    """Postgres refuses text that SQLite takes."""
    folder = tmp_path_factory.mktemp("over-postgres")
    redis = RedisServer(folder / "redis")
    redis.start()
    running = System(folder / "data", redis, postgres_server.new_database())
    try:
        yield running.start("web")
    finally:
        running.stop()
        redis.stop()


@pytest.fixture(params=["system", "over_postgres"])
def either(request: pytest.FixtureRequest) -> System:
    """The product over SQLite and over Postgres."""
    found: System = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize(
    "path",
    [
        "/nope",
        "/api",
        "/api/v1/",
        "/api/v2/event",
        "/api/v1/event/",
        "/API/v1/event",
        "/api//v1/event",
        "/api/v1/events//purchases",
        "/api/v1/event%2f",
        "/api/v1/event%00",
        "/api/v1/event;a=1",
        "/static/app.js",
        "/docs/../../etc/passwd",
        "/docs/static/../../../../../../etc/passwd",
        "/docs/swagger/..%2f..%2f..%2f__init__.py",
        "/.env",
        "/%",
        "/%zz",
        "/%ff%fe",
        "/" + "a" * 4000,
    ],
    ids=lambda path: path[:50],
)
def test_unknown_route(system: System, path: str) -> None:
    assert_problem(exchange(system, get(path)), 404, NOT_FOUND)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "BREW"])
@pytest.mark.parametrize("path", ["/api/v1/purchase", "/api/v1/events/demo/purchases"])
def test_wrong_method(system: System, path: str, method: str) -> None:
    answer = exchange(system, get(path, method=method))
    assert_problem(answer, 405, "METHOD_NOT_ALLOWED")
    allowed = answer.headers["Allow"].split(", ")
    assert "POST" in allowed
    assert method not in allowed


def test_reading_what_is_only_written(system: System) -> None:
    answer = exchange(system, get("/api/v1/purchase"))
    assert_problem(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Allow"] == "OPTIONS, POST"


@pytest.mark.parametrize("path", ["/", "/health", "/ready", "/metrics", "/api/v1/event", "/api/v1/stats"])
def test_writing_what_is_only_read(system: System, path: str) -> None:
    answer = exchange(system, post(path, ONE))
    assert_problem(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    ("path", "status"), [("/api/v1/event", 200), ("/api/v1/purchase", 405), ("/nope", 404)], ids=lambda value: value
)
def test_head(system: System, path: str, status: int) -> None:
    """Like GET, without the body: the next answer on the connection is the next request's."""
    with connect(system) as connection:
        connection.sendall(get(path, method="HEAD"))
        answer = read_answer(connection, "HEAD")
        assert (answer.status, answer.body) == (status, b"")
        assert int(answer.headers["Content-Length"]) > 0
        assert answer.headers["X-Request-Id"]
        connection.sendall(get("/health"))
        assert read_answer(connection).json["status"] == "OK"


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/v1/event", {"GET", "HEAD", "OPTIONS"}),
        ("/api/v1/events", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/api/v1/purchase", {"OPTIONS", "POST"}),
    ],
)
def test_options(system: System, path: str, methods: set[str]) -> None:
    answer = exchange(system, get(path, method="OPTIONS"))
    assert (answer.status, answer.body) == (200, b"")
    assert set(answer.headers["Allow"].split(", ")) == methods


@pytest.mark.parametrize(
    ("event_id", "status", "code"),
    table(
        {
            "unknown": ("nosuchevent", 404, EVENT),
            "of another case": ("DEMO", 404, EVENT),
            "a blank": ("%20", 404, EVENT),
            "a blank after it": ("demo%20", 404, EVENT),
            "a line feed after it": ("demo%0a", 404, EVENT),
            "a header": ("demo%0d%0aSet-Cookie:%20a=b", 404, EVENT),
            "NUL": ("%00", 404, EVENT),
            "NUL after it": ("demo%00", 404, EVENT),
            "not UTF-8": ("%ff", 404, EVENT),
            "half a character": ("%ed%a0%80", 404, EVENT),
            "an emoji": ("%F0%9F%98%80", 404, EVENT),
            "full width": ("%EF%BD%84%EF%BD%85%EF%BD%8D%EF%BD%8F", 404, EVENT),
            "another key of Redis": ("demo%7D%3Ax%7B", 404, EVENT),
            "a pattern": ("*", 404, EVENT),
            "SQL": ("'%20OR%20'1'='1", 404, EVENT),
            "a template": ("%7B%7B7*7%7D%7D", 404, EVENT),
            "dots": ("%2e%2e", 404, EVENT),
            "65 characters": ("a" * 65, 404, EVENT),
            "3,900 characters": ("a" * 3900, 404, EVENT),
            "10,000 characters": ("a" * 10_000, 414, "URI_TOO_LONG"),
            "upwards": ("../../etc/passwd", 404, NOT_FOUND),
            "upwards, escaped": ("..%2f..%2fetc%2fpasswd", 404, NOT_FOUND),
        }
    ),
)
def test_unknown_event(either: System, event_id: str, status: int, code: str) -> None:
    before = seats_sold(either)
    assert_problem(exchange(either, get(f"/api/v1/events/{event_id}")), status, code)
    assert_problem(exchange(either, post(f"/api/v1/events/{event_id}/purchases", ONE)), status, code)
    assert seats_sold(either) == before


@pytest.fixture(scope="module")
def bought(system: System) -> str:
    """The id of a purchase that there is."""
    purchase_id: str = system.buy(event_id=system.create_event(totalSeats=10)).json["purchaseId"]
    return purchase_id


@pytest.mark.parametrize(
    "purchase_id",
    table(
        {
            "a word": ("nope",),
            "the event alone": ("{event}",),
            "no nonce": ("{event}.{position}",),
            "an empty nonce": ("{event}.{position}.",),
            "another nonce": ("{event}.{position}.0123456789abcdef",),
            "a nonce in capitals": ("{event}.{position}.0123456789ABCDEF",),
            "a nonce with something after it": ("{event}.{position}.{nonce}0",),
            "a nonce with NUL after it": ("{event}.{position}.{nonce}%00",),
            "a line feed after it": ("{event}.{position}.{nonce}%0a",),
            "another event that there is": ("demo.{position}.{nonce}",),
            "another event": ("nosuchevent.{position}.{nonce}",),
            "an event that cannot be": ("%00.{position}.{nonce}",),
            "where the log opens": ("{event}.{opened}.{nonce}",),
            "not yet": ("{event}.{epoch}-99999.{nonce}",),
            "the greatest position": ("{event}.999999999-99999999999999.{nonce}",),
            "position 0-0": ("{event}.0-0.{nonce}",),
            "a position of no stream": ("{event}.99999999999999999999-1.{nonce}",),
            "a position of many digits": ("{event}.{epoch}-" + "9" * 3000 + ".{nonce}",),
            "another spelling of the position": ("{event}.0{position}.{nonce}",),
            "a negative position": ("{event}.-{position}.{nonce}",),
            "the log's ends": ("{event}.--+.{nonce}",),
            "half a position": ("{event}.{epoch}.{nonce}",),
            "not UTF-8": ("%ff.{position}.{nonce}",),
            "NUL": ("%00",),
            "dots": ("...",),
        }
    ),
)
def test_unknown_purchase(system: System, bought: str, purchase_id: str) -> None:
    event, position, nonce = bought.split(".")
    (opened, _), *_ = system.redis.client().xrange(f"log:{{{event}}}", count=1)
    said = {"event": event, "position": position, "nonce": nonce}
    said |= {"epoch": position.partition("-")[0], "opened": opened.decode()}
    path = "/api/v1/purchases/" + purchase_id.format(**said)
    assert_problem(exchange(system, get(path)), 404, PURCHASE)


def test_known_purchase(system: System, bought: str) -> None:
    """What the ids above are variations of."""
    assert system.get(f"/api/v1/purchases/{bought}").json["purchaseId"] == bought


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=", "limit"),
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=201", "limit"),
        ("limit=ten", "limit"),
        ("limit=1e1", "limit"),
        ("limit=1.5", "limit"),
        ("limit=%00", "limit"),
        ("limit=%EF%BC%95", "limit"),
        pytest.param("limit=" + "9" * 3000, "limit", id="limit of 3,000 digits"),
        ("cursor=%00", "cursor"),
        ("cursor=demo%00", "cursor"),
        ("cursor=%ff", "cursor"),
        ("cursor=DEMO", "cursor"),
        ("cursor=demo%0a", "cursor"),
        ("cursor='--", "cursor"),
        pytest.param("cursor=" + "a" * 65, "cursor", id="cursor of 65 characters"),
        ("offset=1", "offset"),
        ("limit=1&page=2", "page"),
        ("Limit=1", "Limit"),
        ("limit[]=1", "limit[]"),
        ("%00=1", "\0"),
    ],
)
def test_list_query(either: System, query: str, field: str) -> None:
    assert_problem(exchange(either, get(f"/api/v1/events?{query}")), 400, "VALIDATION_ERROR", field)


@pytest.mark.parametrize("cursor", ["%00", "a%00", "a%0a"])
def test_a_cursor_that_can_be_no_seat(either: System, cursor: str) -> None:
    path = f"/api/v1/events/demo/seats/organiser?cursor={cursor}"
    assert_problem(exchange(either, get(path)), 400, "VALIDATION_ERROR", "cursor")


@pytest.fixture
def same_processes(system: System) -> Iterator[None]:
    """Sees to it that the test ends no process of the web."""
    master = psutil.Process(system.parts["web"].process.pid)
    before = {child.pid for child in master.children()}
    yield
    assert len(before) == 2
    assert {child.pid for child in master.children()} == before
    assert system.get("/health").status == 200


@pytest.mark.usefixtures("same_processes")
@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    table(
        {
            "words": (b"hello\r\n\r\n", 400, "BAD_REQUEST"),
            "an empty line": (b"   \r\n\r\n", 400, "BAD_REQUEST"),
            "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n", 400, "BAD_REQUEST"),
            "every byte": (bytes(range(256)) * 4 + b"\r\n\r\n", 400, "BAD_REQUEST"),
            "an answer": (b"HTTP/1.1 200 OK\r\n\r\n", 400, "BAD_REQUEST"),
            "Redis": (b"*1\r\n$8\r\nFLUSHALL\r\n", 400, "BAD_REQUEST"),
            "HTTP/0.9": (b"GET /\r\n\r\n", 400, "BAD_REQUEST"),
            "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "BAD_REQUEST"),
            "HTTP/3": (b"GET / HTTP/3.0\r\n\r\n", 400, "BAD_REQUEST"),
            "line feeds alone": (b"GET / HTTP/1.1\n\n", 400, "BAD_REQUEST"),
            "a small method": (get("/", method="get"), 400, "BAD_REQUEST"),
            "a method of 30 letters": (get("/", method="A" * 30), 400, "BAD_REQUEST"),
            "not a path": (get("*"), 400, "BAD_REQUEST"),
            "a path with a raw byte": (get("/\xff"), 400, "BAD_REQUEST"),
            "half an address": (get("http://[::1"), 400, "BAD_REQUEST"),
            "a header without a colon": (get("/", "nothing"), 400, "BAD_REQUEST"),
            "a header of two words": (get("/", "a b: c"), 400, "BAD_REQUEST"),
            "a header of markup": (get("/", "<script>: c"), 400, "BAD_REQUEST"),
            "a header with NUL": (get("/", "a: b\0c"), 400, "BAD_REQUEST"),
            "two hosts": (get("/", "Host: elsewhere"), 400, "BAD_REQUEST"),
            "a line of 5,000 characters": (get("/" + "a" * 5000), 414, "URI_TOO_LONG"),
            "a line of 100 KB": (get("/" + "a" * 100_000), 414, "URI_TOO_LONG"),
            "100 KB without a line": (b"a" * 100_000, 414, "URI_TOO_LONG"),
            "a header of 100 KB": (get("/", "a: " + "b" * 100_000), 431, "REQUEST_HEADER_FIELDS_TOO_LARGE"),
            "1,000 headers": (get("/", *["a: b"] * 1000), 431, "REQUEST_HEADER_FIELDS_TOO_LARGE"),
            "2 MB of headers": (get("/", *["a: " + "b" * 2000] * 1000), 431, "REQUEST_HEADER_FIELDS_TOO_LARGE"),
        }
    ),
)
def test_what_is_not_http(system: System, request_bytes: bytes, status: int, code: str) -> None:
    with connect(system) as connection:
        answer = exchange(system, request_bytes)
        assert_problem(answer, status, code)
        assert answer.headers["Connection"] == "close"
        # Who was connected before is served as before.
        connection.sendall(get("/health"))
        assert read_answer(connection).status == 200


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("DELETE", f"/api/v1/purchases/{{}}.{LAST_POSITION}.{'f' * 16}", PURCHASE),
        ("DELETE", f"/api/v1/quarantine/{{}}/{LAST_POSITION}", "QUARANTINE_ENTRY_NOT_FOUND"),
        ("POST", f"/api/v1/quarantine/{{}}/{LAST_POSITION}/replay", "QUARANTINE_ENTRY_NOT_FOUND"),
    ],
)
def test_the_longest_reason_fits_the_line(system: System, method: str, path: str, code: str) -> None:
    """Beside the longest ids, of characters that take the most bytes."""
    event, clef = "%65" * 64, quote("\U0001d11e")
    longest, longer = (f"{path.format(event)}?why={clef * count}" for count in (300, 301))
    assert_problem(exchange(system, get(longest, method=method)), 404, code)
    assert_problem(exchange(system, get(longer, method=method)), 400, "VALIDATION_ERROR", "why")


def test_the_answer_outlives_what_was_not_read(system: System) -> None:
    """A server that closes with bytes unread resets the connection, and many a client then loses the answer."""
    with connect(system) as connection:
        connection.sendall(get("/" + "a" * 20_000))
        assert_problem(read_answer(connection), 414, "URI_TOO_LONG")
        assert connection.recv(1) == b""


def test_garbage_after_a_good_request(system: System) -> None:
    with connect(system) as connection:
        connection.sendall(get("/health"))
        assert read_answer(connection).status == 200
        connection.sendall(b"garbage\r\n\r\n")
        assert_problem(read_answer(connection), 400, "BAD_REQUEST")
        assert connection.recv(1) == b""


@pytest.mark.usefixtures("same_processes")
@pytest.mark.parametrize(
    "line",
    [
        "Accept: \xff/\xff;q=1e999",
        "Accept: " + "a;q=x," * 2000,
        "Accept-Encoding: \xff",
        "Authorization: \xff",
        "Authorization: Bearer " + "a" * 10_000,
        'Cookie: \xff=;;"',
        "Forwarded: \xff",
        "If-None-Match: \xff",
        "Prefer: wait=" + "9" * 1000,
        "Range: bytes=-1",
        "Upgrade: h2c",
        "Upgrade: websocket",
        "X-Forwarded-For: \xff",
        "X-Forwarded-Proto: \xff",
        "Content-Length: 0",
    ],
    ids=lambda line: line[:20].encode("ascii", "replace").decode(),
)
def test_odd_headers_do_no_harm(system: System, line: str) -> None:
    assert exchange(system, get("/api/v1/event", line)).status == 200


@pytest.mark.parametrize("path", ["/health", "/nope", "/api/v1/purchase", "/docs/", "/openapi.json", "/metrics"])
def test_every_answer_has_a_request_id_of_its_own(system: System, path: str) -> None:
    request_ids = {exchange(system, get(path)).headers["X-Request-Id"] for _ in range(3)}
    assert len(request_ids) == 3


@pytest.mark.parametrize("request_id", ["a" * 8, "a" * 64, str(uuid.UUID(int=7)), "Order_7.retry-2"])
@pytest.mark.parametrize("path", ["/health", "/nope"])
def test_a_harmless_request_id_is_kept(system: System, path: str, request_id: str) -> None:
    answer = exchange(system, get(path, f"X-Request-Id: {request_id}"))
    assert answer.headers["X-Request-Id"] == request_id
    assert answer.json.get("requestId", request_id) == request_id


@pytest.mark.parametrize(
    "request_id",
    [
        "",
        "short",
        "a" * 65,
        "a" * 10_000,
        "two words",
        "<script>alert(1)</script>",
        '{"a":"bcdef"}',
        "caf\xe9caf\xe9",
        "a,bcdefgh",
    ],
    ids=lambda request_id: request_id[:20].encode("ascii", "replace").decode() or "empty",
)
def test_another_request_id_is_replaced(system: System, request_id: str) -> None:
    answer = exchange(system, get("/nope", f"X-Request-Id: {request_id}"))
    assert_problem(answer, 404, NOT_FOUND)
    assert answer.headers["X-Request-Id"] not in ("", request_id)
    assert len(answer.headers["X-Request-Id"]) == 16


def test_the_log_names_the_request(system: System) -> None:
    request_id = uuid.uuid4().hex
    exchange(system, get("/nope", f"X-Request-Id: {request_id}"))
    entries = [json.loads(line) for line in system.parts["web"].log.read_text().splitlines() if request_id in line]
    assert [(entry["event"], entry["status"]) for entry in entries] == [("request", 404)]


def test_a_client_does_not_say_where_the_application_lives(system: System) -> None:
    assert system.get("/health", {"SCRIPT_NAME": "/health"}).status == 200
