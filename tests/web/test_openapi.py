"""The OpenAPI document: valid, whole, and true; and its pages, which need no other host."""

import gzip
import json
import re
import uuid
from typing import Any, NamedTuple, cast

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from seating.app import create_app
from seating.config import Settings
from seating.live.hub import Hub
from seating.services.services import Services
from seating.web.api_headers import HEADERS
from tests.seating_plan_file import theatre
from tests.system import System
from tests.web import JSON, operations


def test_comes_gzipped_to_those_who_accept_it(system: System, document: Any) -> None:
    answer = system.get("/openapi.json", {"Accept-Encoding": "gzip"})
    assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert json.loads(gzip.decompress(answer.body)) == document
    assert len(answer.body) < 45_000


def test_is_not_sent_again_to_those_who_have_it(system: System) -> None:
    """The same for every process, and for either coding."""
    tags = {system.get("/openapi.json", {"Accept-Encoding": coding}).headers["ETag"] for coding in ("gzip", "identity")}
    (tag,) = tags
    for coding in ("gzip", "identity"):
        answer = system.get("/openapi.json", {"Accept-Encoding": coding, "If-None-Match": tag})
        assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", tag)
    assert system.get("/openapi.json", {"If-None-Match": '"another"'}).status == 200


def test_valid(document: Any) -> None:
    assert document["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_lists_every_route(document: Any) -> None:
    app = create_app(Settings(), cast("Services", None), cast("Hub", None))
    served = {
        (method.lower(), re.sub("<(?:[^:>]*:)?([^>]*)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not (rule.rule.startswith("/docs") or rule.rule == "/openapi.json" or rule.websocket)
        if not rule.endpoint.startswith("pages.")
    }
    assert operations(document) == served


KEY: list[dict[str, list[str]]] = [{"key": []}]
"""The requirement of what always needs a key."""


def test_says_who_may_use_it(system: System, document: Any) -> None:
    """What needs the operator's token says so: it refuses whatever came by a proxy, and nothing else does."""
    for method, path in operations(document):
        answer = system.request(method.upper(), re.sub(r"{\w+}", "demo", path), headers={"Via": "1.1 proxy"})
        guarded = document["paths"][path][method]["security"] == KEY
        assert (answer.status == 401) == guarded, (method, path, answer.status)


class Call(NamedTuple):
    """A call and the status it gets. Words in angle brackets, in the path and the key, are filled in from `known`."""

    operation: str
    path: str
    status: int
    body: object = None
    key: str | None = None


@pytest.fixture(scope="module")
def known(system: System) -> dict[str, str]:
    """A hall, an event of one seat, a purchase, and the key of one seat of the default event and two of the hall."""
    hall = system.create_event(seatingPlan={"generate": {"sections": 1, "rows": 2, "seatsPerRow": 5}})
    key = str(uuid.uuid4())
    bought = system.buy(2, key, hall)
    assert (bought.status, system.buy(1, key).status) == (200, 200)
    held = system.request("POST", f"/api/v1/events/{hall}/holds", b'{"quantity":1}', JSON)
    return {
        "<token>": held.json["holdToken"],
        "<hall>": hall,
        "<small>": system.create_event(totalSeats=1),
        "<purchase>": bought.json["purchaseId"],
        "<used>": key,
        "<new>": str(uuid.uuid4()),
    }


EVENT = "get /api/v1/events/{event_id}"
NEW_EVENT = "post /api/v1/events"
BUY = "post /api/v1/events/{event_id}/purchases"
BUY_DEFAULT = "post /api/v1/purchase"
PURCHASE = "get /api/v1/purchases/{purchase_id}"
SETTLE = "post /api/v1/losses/{loss_id}/settle"
USER = "get /users/{user_id}"
NEW_USER = "post /users"
HOLD = "post /api/v1/events/{event_id}/holds"
EXTEND = "patch /api/v1/events/{event_id}/holds/{token}"
FIND = "get /api/v1/events/{event_id}/holds/{token}"
GIVE_BACK = "delete /api/v1/events/{event_id}/holds/{token}"
SEAT_MAP = "get /api/v1/events/{event_id}/seats"
HALL = {"generate": {"sections": 1, "rows": 1, "seatsPerRow": 1}}

CALLS = [
    Call("get /", "/", 200),
    Call("get /health", "/health", 200),
    Call("get /ready", "/ready", 200),
    Call("get /metrics", "/metrics", 200),
    Call("get /api/v1/stats", "/api/v1/stats", 200),
    Call("get /api/v1/event", "/api/v1/event", 200),
    Call("get /api/v1/events", "/api/v1/events", 200),
    Call("get /api/v1/events", "/api/v1/events?limit=1", 200),
    Call("get /api/v1/events", "/api/v1/events?limit=0", 400),
    Call(NEW_EVENT, "/api/v1/events", 201, {"name": "Test", "totalSeats": 1}),
    Call(NEW_EVENT, "/api/v1/events", 201, {"name": "Test", "seatingPlan": HALL}),
    Call(NEW_EVENT, "/api/v1/events", 400, {}),
    Call(NEW_EVENT, "/api/v1/events", 201, {"name": "Test", "seatingPlan": theatre()}),
    Call(NEW_EVENT, "/api/v1/events", 400, {"name": "n" * 20_000}),
    Call(NEW_EVENT, "/api/v1/events", 415),
    Call("get /api/v1/audit", "/api/v1/audit", 200),
    Call("get /api/v1/audit", "/api/v1/audit?event=<hall>&actor=anonymous&limit=1", 200),
    Call("get /api/v1/audit", "/api/v1/audit?cursor=0", 400),
    Call("get /api/v1/losses", "/api/v1/losses?limit=1", 200),
    Call(SETTLE, f"/api/v1/losses/{'0' * 81}/settle", 404, {"why": "it was a test"}),
    Call(EVENT, "/api/v1/events/<hall>", 200),
    Call(EVENT, "/api/v1/events/<small>", 200),
    Call(EVENT, "/api/v1/events/nosuchevent", 404),
    Call(BUY_DEFAULT, "/api/v1/purchase", 200, {"quantity": 1}, "<new>"),
    Call(BUY_DEFAULT, "/api/v1/purchase", 200, {"quantity": 1}, "<used>"),
    Call(BUY_DEFAULT, "/api/v1/purchase", 422, {"quantity": 2}, "<used>"),
    Call(BUY_DEFAULT, "/api/v1/purchase", 400, {"quantity": 1}),
    Call(BUY_DEFAULT, "/api/v1/purchase", 413, {"quantity": "n" * 20_000}, "<new>"),
    Call(BUY_DEFAULT, "/api/v1/purchase", 415),
    Call(BUY, "/api/v1/events/<hall>/purchases", 200, {"quantity": 2}, "<used>"),
    Call(BUY, "/api/v1/events/<hall>/purchases", 422, {"quantity": 3}, "<used>"),
    Call(BUY, "/api/v1/events/<hall>/purchases", 409, {"quantity": 6, "together": True}, "<new>"),
    Call(BUY, "/api/v1/events/<small>/purchases", 409, {"quantity": 2}, "<new>"),
    Call(BUY, "/api/v1/events/<small>/purchases", 200, {"quantity": 1, "reference": "A-1"}, "<new>"),
    Call(BUY, "/api/v1/events/<small>/purchases", 400, {"quantity": 0}, "<new>"),
    Call(BUY, "/api/v1/events/nosuchevent/purchases", 404, {"quantity": 1}, "<new>"),
    Call(BUY, "/api/v1/events/<hall>/purchases", 404, {"seats": ["nowhere"]}, "<new>"),
    Call(BUY, "/api/v1/events/<hall>/purchases", 409, {"holdToken": "nothing"}, "<new>"),
    Call(HOLD, "/api/v1/events/<hall>/holds", 201, {"seats": ["sec-1-row-B-seat-1"]}),
    Call(HOLD, "/api/v1/events/<hall>/holds", 201, {"quantity": 1}, "<new>"),
    Call(HOLD, "/api/v1/events/<hall>/holds", 422, {"quantity": 2}, "<used>"),
    Call(HOLD, "/api/v1/events/<hall>/holds", 409, {"quantity": 9}),
    Call(HOLD, "/api/v1/events/<hall>/holds", 400, {"seats": []}),
    Call(HOLD, "/api/v1/events/nosuchevent/holds", 404, {"quantity": 1}),
    Call(EXTEND, "/api/v1/events/<hall>/holds/<token>", 200),
    Call(EXTEND, "/api/v1/events/<small>/holds/<token>", 409),
    Call(EXTEND, "/api/v1/events/<hall>/holds/<token>", 200, {}),
    Call(EXTEND, "/api/v1/events/<hall>/holds/<token>", 200, {"add": ["sec-1-row-B-seat-5"]}),
    Call(EXTEND, "/api/v1/events/<hall>/holds/<token>", 409, {"add": ["sec-1-row-B-seat-1"]}),
    Call(EXTEND, "/api/v1/events/<hall>/holds/<token>", 404, {"add": ["nowhere"]}),
    Call(EXTEND, "/api/v1/events/<hall>/holds/<token>", 400, {"remove": []}),
    Call(FIND, "/api/v1/events/<hall>/holds/<token>", 200),
    Call(FIND, "/api/v1/events/<small>/holds/<token>", 409),
    Call(FIND, "/api/v1/events/nosuchevent/holds/<token>", 404),
    Call(GIVE_BACK, "/api/v1/events/<hall>/holds/<token>", 204),
    Call(GIVE_BACK, "/api/v1/events/<small>/holds/<token>", 409),
    Call("get /seats", "/seats", 200),
    Call("get /api/v1/events/{event_id}/plan", "/api/v1/events/<hall>/plan", 200),
    Call("get /api/v1/events/{event_id}/plan", "/api/v1/events/<small>/plan", 404),
    Call(PURCHASE, "/api/v1/purchases/<purchase>", 200),
    Call(SEAT_MAP, "/api/v1/events/<hall>/seats", 200),
    Call(SEAT_MAP, "/api/v1/events/<small>/seats", 200),
    Call(SEAT_MAP, "/api/v1/events/nosuchevent/seats", 404),
    Call("get /seats/ws-status", "/seats/ws-status", 200),
    Call(PURCHASE, "/api/v1/purchases/nosuchpurchase", 404),
    Call("get /users", "/users?limit=2", 200),
    Call("get /users", "/users?limit=0", 400),
    Call(USER, "/users/1", 200),
    Call(USER, "/users/nobody", 404),
    Call(USER, "/users/%00", 400),
    Call(NEW_USER, "/users", 201, {"name": "Test", "email": "<new>@example.com"}),
    Call(NEW_USER, "/users", 409, {"name": "Test", "email": "alice@example.com"}),
    Call(NEW_USER, "/users", 400, {"name": "Test"}),
    Call("get /cache-status", "/cache-status", 200),
    # No partner is set where these tests run; what it answers is tested with one.
    Call("get /getUsers", "/getUsers", 503),
    Call("get /getEvents", "/getEvents", 503),
    Call("get /getEventsByUserId/{user_id}", "/getEventsByUserId/1", 503),
    Call("post /addEvent", "/addEvent", 503, {"name": "Test", "userId": 1}),
    Call("get /users/cache-status", "/users/cache-status", 200),
]


CACHE_STATUS = {
    *("hits", "misses", "size", "capacity", "evictions", "expirations", "coalesced", "averageResponseTime"),
    *("hitRatio", "totalRequests", "uptime", "timestamp"),
}

# What the contract promises of them; more is welcome, less is not.
FIELDS = {
    "get /": {"message", "version", "status", "websocket"},
    "get /health": {"status", "timestamp", "uptime", "memory", "cacheSize"},
    "get /metrics": {"totalRequests", "statusDistribution", "averageResponseTime", "uptime"},
    "get /api/v1/stats": {"totalRequests", "successPurchases", "failedPurchases", "p95Latency", "cacheStats"},
    "get /api/v1/event": {"totalSeats", "seatsSold", "seatsRemaining", "seatsHeld", "seatsBlocked"},
    "get /api/v1/events": {"events", "next"},
    "get /api/v1/audit": {"acts", "next"},
    "get /api/v1/losses": {"losses", "next"},
    NEW_EVENT: {"id", "name", "totalSeats", "seatsSold", "seatsRemaining", "seated", "state"},
    EVENT: {"id", "name", "totalSeats", "seatsSold", "seatsRemaining", "seated", "state"},
    BUY: {"success", "seatsRemaining", "purchaseId", "eventId", "seats", "position"},
    BUY_DEFAULT: {"success", "seatsRemaining", "purchaseId", "eventId", "seats", "position"},
    HOLD: {"holdToken", "seats", "expiresAt", "expiresInMs", "position"},
    EXTEND: {"holdToken", "seats", "expiresAt", "expiresInMs", "position"},
    FIND: {"holdToken", "seats", "expiresAt", "expiresInMs", "position"},
    SEAT_MAP: {"position", "since", "seats"},
    "get /seats/ws-status": {"connectedClients"},
    PURCHASE: {"purchaseId", "eventId", "seats", "position", "state"},
    USER: {"id", "name", "email", "plan", "isActive", "createdAt"},
    NEW_USER: {"id", "name", "email", "plan", "isActive", "createdAt"},
    "get /cache-status": CACHE_STATUS,
    "get /users/cache-status": CACHE_STATUS,
}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.operation} {call.status}")
def test_answers_are_as_declared(system: System, document: Any, known: dict[str, str], call: Call) -> None:
    path, key = call.path, call.key
    for word, value in known.items():
        path, key = path.replace(word, value), key and key.replace(word, value)
    method, template = call.operation.split(" ")
    headers = ({} if call.body is None else JSON) | ({"Idempotency-Key": key} if key else {})
    body = None if call.body is None else json.dumps(call.body).replace("<new>", known["<new>"]).encode()

    answer = system.request(method.upper(), path, body, headers)

    assert answer.status == call.status, answer.body
    declared = document["paths"][template][method]["responses"][str(call.status)]
    _assert_headers(answer.headers, declared, document)
    if answer.status == 204:
        assert answer.body == b""
        return
    content = declared["content"][answer.headers["Content-Type"]]
    schema = OAS31Validator(content["schema"] | {"components": document["components"]})
    assert list(schema.iter_errors(answer.json)) == []
    assert not schema.is_valid({}), "the schema asks for nothing"
    if answer.status < 300 and call.operation in FIELDS:
        assert answer.json.keys() >= FIELDS[call.operation]


SAID: set[str] = {*HEADERS} - {"Cache-Control"}
"""Headers that mean something to clients. `Cache-Control` has a value with every answer."""


def _assert_headers(headers: dict[str, str], declared: Any, document: Any) -> None:
    """All that are required are there, and all that are there are declared, and as they are declared."""
    definitions = {name: document["components"]["headers"][name] for name in declared["headers"]}
    assert {name for name, definition in definitions.items() if definition["required"]} <= headers.keys()
    assert headers.keys() & SAID <= definitions.keys()
    for name in headers.keys() & definitions.keys():
        assert OAS31Validator(definitions[name]["schema"]).is_valid(headers[name]), (name, headers[name])


def test_every_operation_is_called(document: Any) -> None:
    """Or the test above would know less than it seems to. The operator's have tests of their own."""
    public = {
        (method, path) for method, path in operations(document) if document["paths"][path][method]["security"] != KEY
    }
    assert {" ".join(operation) for operation in public} <= {call.operation for call in CALLS}


@pytest.mark.parametrize("path", ["/docs/", "/docs/swagger"])
def test_pages_need_no_other_host(system: System, path: str) -> None:
    """Whatever a page asks for is found here."""
    page = system.get(path)
    assert page.status == 200
    assert page.headers["Content-Type"].startswith("text/html")
    text = re.sub(r"data:[^\"']*", "", page.body.decode())
    assert re.findall(r"""https?:|["'(=]//""", text) == []
    references = {found.strip() for found in re.findall(r"""(?:src|href|URL)\s*[=(]\s*["']([^"']+)""", text)} - {""}
    assert len(references) > 1
    for reference in references:
        found = system.get(f"/docs/{reference}")
        assert found.status == 200, reference
        if reference.endswith(".css"):
            assert set(re.findall(r"""(?:@import|url\()\s*["']?(.{5})""", found.body.decode())) == {"data:"}


def test_swagger_asks_nobody_to_validate(system: System) -> None:
    """Unless told not to, its page sends every visitor's browser to a validator elsewhere."""
    assert '"validatorUrl": null' in system.get("/docs/swagger").body.decode()


def test_docs_lead_to_their_page(system: System) -> None:
    moved = system.get("/docs")
    assert moved.status == 308
    assert moved.headers["Location"] == "/docs/"
