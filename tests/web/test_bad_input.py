"""Every bad body and header of a request has an answer of its own, and sells nothing."""

import gzip
import json
import select
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from seating.server.client_socket import BODY_WITHIN_S
from seating.web.strict_json import MAX_BODY_BYTES, MAX_DEPTH
from tests.system import System
from tests.web import assert_problem, connect, exchange, post, read_answer, seats_sold, table

DEFAULT_ROUTE = "/api/v1/purchase"
ONE = b'{"quantity":1}'

AN_INTEGER = "Quantity must be an integer"
AT_LEAST = "Quantity must be at least 1"
TOO_MANY = "Quantity cannot exceed 10"


@pytest.fixture(scope="module")
def event(system: System) -> str:
    return system.create_event(totalSeats=1000)


@pytest.fixture(params=["default event", "event"])
def route(request: pytest.FixtureRequest, event: str) -> str:
    """Where purchases are posted: each of the two addresses."""
    return DEFAULT_ROUTE if request.param == "default event" else f"/api/v1/events/{event}/purchases"


@pytest.fixture
def nothing_sold(system: System, event: str) -> Iterator[None]:
    """Sees to it that the test neither sells a seat nor creates an event."""
    before = seats_sold(system)
    yield
    assert seats_sold(system) == before


def test_a_sale_is_seen(system: System, event: str) -> None:
    """What the other tests rely on: were one of their requests to sell seats, `nothing_sold` would notice."""
    before = seats_sold(system)
    assert exchange(system, post(DEFAULT_ROUTE, ONE)).status == 200
    assert exchange(system, post(f"/api/v1/events/{event}/purchases", b'{"quantity":2}')).status == 200
    assert seats_sold(system) == before | {"demo": before["demo"] + 1, event: before[event] + 2}


@pytest.mark.usefixtures("nothing_sold")
@pytest.mark.parametrize(
    ("quantity", "message"),
    [
        (None, "Quantity is required"),
        ("null", AN_INTEGER),
        ("0", AT_LEAST),
        ("-0", AT_LEAST),
        ("-1", AT_LEAST),
        ("-99999999999999999999", AT_LEAST),
        ("11", TOO_MANY),
        ("9007199254740993", TOO_MANY),
        pytest.param("1" + "0" * 400, TOO_MANY, id="10^400"),
        ("1.5", AN_INTEGER),
        ("2.0", AN_INTEGER),
        ("2e0", AN_INTEGER),
        ("1e400", AN_INTEGER),
        ('"2"', AN_INTEGER),
        ('""', AN_INTEGER),
        ("true", AN_INTEGER),
        ("false", AN_INTEGER),
        ("[]", AN_INTEGER),
        ("[2]", AN_INTEGER),
        ("{}", AN_INTEGER),
    ],
)
def test_quantity(system: System, route: str, quantity: str | None, message: str) -> None:
    body = f'{{"quantity":{quantity}}}' if quantity is not None else "{}"
    answer = exchange(system, post(route, body.encode()))
    assert assert_problem(answer, 400, "VALIDATION_ERROR", "quantity")["message"] == message


@pytest.mark.usefixtures("nothing_sold")
@pytest.mark.parametrize(
    ("body", "field"),
    table(
        {
            "empty": (b"", "body"),
            "blank": (b" \r\n", "body"),
            "words": (b"two seats, please", "body"),
            "a form": (b"quantity=2", "body"),
            "HTML": (b"<html><body>2</body></html>", "body"),
            "half of it": (b'{"quantity":', "body"),
            "single quotes": (b"{'quantity':1}", "body"),
            "a comment": (b'{"quantity":1/**/}', "body"),
            "a trailing comma": (b'{"quantity":1,}', "body"),
            "something after it": (b'{"quantity":1}{"quantity":1}', "body"),
            "NUL after it": (b'{"quantity":1}\0', "body"),
            "a leading zero": (b'{"quantity":01}', "body"),
            "a plus sign": (b'{"quantity":+1}', "body"),
            "a hexadecimal number": (b'{"quantity":0x1}', "body"),
            "NaN": (b'{"quantity":NaN}', "body"),
            "Infinity": (b'{"quantity":Infinity}', "body"),
            "-Infinity": (b'{"quantity":-Infinity}', "body"),
            "a number of 5,000 digits": (b'{"quantity":1%s}' % (b"0" * 5000), "body"),
            "list": (b'[{"quantity":1}]', "body"),
            "string": (b'"quantity"', "body"),
            "number": (b"1", "body"),
            "true": (b"true", "body"),
            "null": (b"null", "body"),
            "unknown field": (b'{"quantity":1,"price":0}', "price"),
            "unknown field of another case": (b'{"quantity":1,"Quantity":1}', "Quantity"),
            "unknown field without a name": (b'{"quantity":1,"":1}', "body"),
            "unknown field of 10,000 characters": (b'{"quantity":1,"%s":1}' % (b"k" * 10_000), "k" * 100),
            "unknown field __proto__": (b'{"quantity":1,"__proto__":{}}', "__proto__"),
            "duplicate key": (b'{"quantity":1,"quantity":2}', "quantity"),
            "duplicate key, the same value": (b'{"quantity":1,"quantity":1}', "quantity"),
            "duplicate key, escaped": (b'{"quantity":1,"\\u0071uantity":1}', "quantity"),
            "duplicate key further down": (b'{"quantity":{"a":1,"a":1}}', "a"),
            "duplicate key of 5,000 characters": (b'{"%s":1,"%s":1}' % ((b"k" * 5000,) * 2), "k" * 100),
            "duplicate key, a lone surrogate": (b'{"\\ud800":1,"\\ud800":1}', "\\ud800"),
            "lone surrogate in a value": (b'{"quantity":1,"reference":"\\ud800"}', "body"),
            "lone surrogate in a name": (b'{"quantity":1,"\\udc00":1}', "body"),
            "surrogates the wrong way round": (b'{"quantity":1,"reference":"\\ude00\\ud83d"}', "body"),
            "surrogate in UTF-8": (b'{"quantity":1,"reference":"\xed\xa0\x80"}', "body"),
            "invalid UTF-8": (b'{"quantity":1,"reference":"\xff"}', "body"),
            "overlong UTF-8": (b'{"quantity":1,"reference":"\xc0\xaf"}', "body"),
            "UTF-16": ('{"quantity":1}'.encode("utf-16"), "body"),
            "byte order mark": (b'\xef\xbb\xbf{"quantity":1}', "body"),
            "raw control character": (b'{"quantity":1,"reference":"\x01"}', "body"),
            "lists, one too deep": (b'{"quantity":%s%s}' % (b"[" * MAX_DEPTH, b"]" * MAX_DEPTH), "body"),
            "lists, 16 KB deep": (b"[" * 8192 + b"]" * 8192, "body"),
            "lists, 16 KB deep and open": (b"[" * MAX_BODY_BYTES, "body"),
            "objects, 2,000 deep": (b'{"a":' * 2000 + b"1" + b"}" * 2000, "body"),
        }
    ),
)
def test_body(system: System, route: str, body: bytes, field: str) -> None:
    assert_problem(exchange(system, post(route, body)), 400, "VALIDATION_ERROR", field)


@pytest.mark.usefixtures("nothing_sold")
def test_deep_nesting_is_refused_quickly(system: System, route: str) -> None:
    """Escaped quotes without an end once took half a second of a process's only core to look through."""
    started = time.monotonic()
    for _ in range(20):
        assert exchange(system, post(route, b"[" * 40 + b'"' + b'\\"' * 8000)).status == 400
    assert time.monotonic() - started < 5


CHUNKED = {"Content_Length": None, "Transfer_Encoding": "chunked"}


def chunks(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


@pytest.mark.usefixtures("nothing_sold")
@pytest.mark.parametrize(
    "request_of",
    table(
        {
            "one byte": (lambda route: post(route, ONE + b" " * (MAX_BODY_BYTES + 1 - len(ONE))),),
            "one byte, chunked": (
                lambda route: post(route, chunks(ONE + b" " * (MAX_BODY_BYTES + 1 - len(ONE))), **CHUNKED),
            ),
            "100,000 deep": (lambda route: post(route, b"[" * 100_000 + b"]" * 100_000),),
            "20 MB": (lambda route: post(route, b"x" * 20_000_000),),
            "20 MB chunked": (lambda route: post(route, chunks(b"x" * 20_000_000), **CHUNKED),),
            "20 MB in small chunks": (
                lambda route: post(route, b"400\r\n%s\r\n" % (b"x" * 1024) * 20_000 + b"0\r\n\r\n", **CHUNKED),
            ),
            "20 MB announced": (lambda route: post(route, ONE, Content_Length="20000000"),),
            "10^30 bytes announced": (lambda route: post(route, ONE, Content_Length="1" + "0" * 30),),
        }
    ),
)
def test_a_body_that_is_too_large(system: System, route: str, request_of: Callable[[str], bytes]) -> None:
    assert_problem(exchange(system, request_of(route)), 413, "BODY_TOO_LARGE")


@pytest.mark.usefixtures("nothing_sold")
@pytest.mark.parametrize(
    ("body", "headers"),
    table(
        {
            "ends before its length": (ONE, {"Content_Length": "15"}),
            "never comes": (b"", {"Content_Length": "14"}),
            "ends between chunks": (b"e\r\n%s\r\n" % ONE, CHUNKED),
            "ends within a chunk": (b"f\r\n%s" % ONE, CHUNKED),
            "ends before the first chunk": (b"", CHUNKED),
            "a chunk of no size": (b"zz\r\n%s\r\n0\r\n\r\n" % ONE, CHUNKED),
            "a chunk of a negative size": (b"-e\r\n%s\r\n0\r\n\r\n" % ONE, CHUNKED),
            "a chunk longer than its size": (b"e\r\n%sXX\r\n0\r\n\r\n" % ONE, CHUNKED),
            "a trailer that is none": (b"e\r\n%s\r\n0\r\nnone\r\n\r\n" % ONE, CHUNKED),
            "a trailer with a length": (b"e\r\n%s\r\n0\r\nContent-Length: 14\r\n\r\n" % ONE, CHUNKED),
        }
    ),
)
def test_a_body_that_does_not_arrive_whole(
    system: System, route: str, body: bytes, headers: dict[str, str | None]
) -> None:
    """Not even when what did arrive is a purchase."""
    answer = exchange(system, post(route, body, **headers), then_close=True)
    assert_problem(answer, 400, "VALIDATION_ERROR", "body")


@pytest.mark.usefixtures("nothing_sold")
@pytest.mark.parametrize(
    ("body", "headers", "status"),
    table(
        {
            "two lengths": (ONE, {"Content_Length": "14\r\nContent-Length: 14"}, 400),
            "two different lengths": (ONE, {"Content_Length": "14\r\nContent-Length: 1"}, 400),
            "length and chunks": (chunks(ONE), {"Transfer_Encoding": "chunked"}, 400),
            "a negative length": (ONE, {"Content_Length": "-14"}, 400),
            "a length with a sign": (ONE, {"Content_Length": "+14"}, 400),
            "a length in words": (ONE, {"Content_Length": "fourteen"}, 400),
            "a length of 5,000 digits": (ONE, {"Content_Length": "9" * 5000}, 400),
            "chunked twice": (chunks(ONE), {"Content_Length": None, "Transfer_Encoding": "chunked, chunked"}, 400),
            "not chunked in the end": (
                chunks(ONE),
                {"Content_Length": None, "Transfer_Encoding": "chunked, gzip"},
                400,
            ),
            "an unknown coding": (ONE, {"Content_Length": None, "Transfer_Encoding": "magic"}, 501),
            "two media types": (ONE, {"Content_Type": "application/json\r\nContent-Type: text/plain"}, 400),
            "an expectation": (ONE, {"Expect": "a miracle"}, 417),
        }
    ),
)
def test_framing(system: System, route: str, body: bytes, headers: dict[str, str | None], status: int) -> None:
    """Where a body ends must not be a matter of opinion."""
    codes = {400: "BAD_REQUEST", 417: "EXPECTATION_FAILED", 501: "NOT_IMPLEMENTED"}
    assert_problem(exchange(system, post(route, body, **headers)), status, codes[status])


@pytest.mark.usefixtures("nothing_sold")
@pytest.mark.parametrize(
    ("body", "headers"),
    table(
        {
            "none": (ONE, {"Content_Type": None}),
            "empty": (ONE, {"Content_Type": ""}),
            "text": (ONE, {"Content_Type": "text/plain"}),
            "text that says JSON": (ONE, {"Content_Type": "text/json"}),
            "a form": (b"quantity=1", {"Content_Type": "application/x-www-form-urlencoded"}),
            "a form with files": (
                b'--x\r\nContent-Disposition: form-data; name="quantity"\r\n\r\n1\r\n--x--\r\n',
                {"Content_Type": "multipart/form-data; boundary=x"},
            ),
            "XML": (b"<quantity>1</quantity>", {"Content_Type": "application/xml"}),
            "any": (ONE, {"Content_Type": "*/*"}),
            "JSON in a parameter": (ONE, {"Content_Type": "text/plain; a=application/json"}),
            "not ASCII": (ONE, {"Content_Type": "application/j\xffson"}),
            "gzip": (gzip.compress(ONE), {"Content_Encoding": "gzip"}),
            "gzip that is none": (ONE, {"Content_Encoding": "gzip"}),
            "brotli": (b'\x8b\x06\x80{"quantity":1}\x03', {"Content_Encoding": "br"}),
        }
    ),
)
def test_media_type(system: System, route: str, body: bytes, headers: dict[str, str | None]) -> None:
    assert_problem(exchange(system, post(route, body, **headers)), 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    ("body", "headers"),
    table(
        {
            "charset": (ONE, {"Content_Type": "application/json; charset=utf-8"}),
            "capitals": (ONE, {"Content_Type": "APPLICATION/JSON"}),
            "a kind of JSON": (ONE, {"Content_Type": "application/vnd.shop+json"}),
            "not compressed": (ONE, {"Content_Encoding": "identity"}),
            "chunked": (chunks(ONE), CHUNKED),
            "the largest": (ONE + b" " * (MAX_BODY_BYTES - len(ONE)), {}),
            "blanks around it": (b' \r\n\t{ "quantity" : 1 } \n', {}),
            "escapes in a name": (b'{"\\u0071uantity":1}', {}),
            "awaited": (ONE, {"Expect": "100-continue", "Connection": "close"}),
        }
    ),
)
def test_good_bodies(system: System, route: str, body: bytes, headers: dict[str, str | None]) -> None:
    """The refusals above are not for want of a purchase that could be sold."""
    assert exchange(system, post(route, body, **headers)).status == 200


@pytest.mark.usefixtures("nothing_sold")
@pytest.mark.parametrize(
    ("key", "code"),
    table(
        {
            "missing": (None, "MISSING_IDEMPOTENCY_KEY"),
            "empty": ("", "MISSING_IDEMPOTENCY_KEY"),
            "blanks": (" \t ", "MISSING_IDEMPOTENCY_KEY"),
            "15 characters": ("k" * 15, "INVALID_IDEMPOTENCY_KEY"),
            "quoted, 15 characters": ('"' + "k" * 13 + r"\"\\" + '"', "INVALID_IDEMPOTENCY_KEY"),
            "256 characters": ("k" * 256, "INVALID_IDEMPOTENCY_KEY"),
            "10,000 characters": ("k" * 10_000, "INVALID_IDEMPOTENCY_KEY"),
            "a blank in it": ("a b", "INVALID_IDEMPOTENCY_KEY"),
            "a tab in it": ("a\tb", "INVALID_IDEMPOTENCY_KEY"),
            "Latin 1": ("caf\xe9", "INVALID_IDEMPOTENCY_KEY"),
            "a blank of Latin 1 before it": ("\xa0abc", "INVALID_IDEMPOTENCY_KEY"),
            "UTF-8": ("\xf0\x9f\x98\x80", "INVALID_IDEMPOTENCY_KEY"),
            "C1 control character": ("a\x85b", "INVALID_IDEMPOTENCY_KEY"),
            "quoted, empty": ('""', "INVALID_IDEMPOTENCY_KEY"),
            "quoted, 256 characters": ('"' + "k" * 256 + '"', "INVALID_IDEMPOTENCY_KEY"),
            "quoted, a blank": ('"a b"', "INVALID_IDEMPOTENCY_KEY"),
            "quoted, Latin 1": ('"caf\xe9"', "INVALID_IDEMPOTENCY_KEY"),
            "quoted without an end": ('"abc', "INVALID_IDEMPOTENCY_KEY"),
            "only a quote": ('"', "INVALID_IDEMPOTENCY_KEY"),
            "an escaped end": ('"abc\\"', "INVALID_IDEMPOTENCY_KEY"),
            "a quote in it": ('"a"b"', "INVALID_IDEMPOTENCY_KEY"),
            "an escape of nothing": ('"a\\b"', "INVALID_IDEMPOTENCY_KEY"),
            "something after the end": ('"abc"d', "INVALID_IDEMPOTENCY_KEY"),
            "parameters": ('"abc";a=1', "INVALID_IDEMPOTENCY_KEY"),
            # These are not HTTP any more, and refused before anybody looks for a key.
            "NUL": ("a\0b", "BAD_REQUEST"),
            "control character": ("a\x01b", "BAD_REQUEST"),
            "delete": ("a\x7fb", "BAD_REQUEST"),
            "line feed": ("a\nb", "BAD_REQUEST"),
            "continued on the next line": ("a\r\n b", "BAD_REQUEST"),
        }
    ),
)
def test_idempotency_key(system: System, route: str, key: str | None, code: str) -> None:
    assert_problem(exchange(system, post(route, ONE, Idempotency_Key=key)), 400, code)


def test_the_longest_key(system: System, route: str) -> None:
    """Every visible ASCII character may be in it."""
    visible = "".join(map(chr, range(0x21, 0x7F))).replace('"', "")
    key = (uuid.uuid4().hex + visible * 3)[:255]
    first = exchange(system, post(route, ONE, Idempotency_Key=key))
    assert first.status == 200
    again = exchange(system, post(route, ONE, Idempotency_Key=key))
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.body == first.body


@pytest.mark.parametrize(
    ("first_key", "second_key"),
    [("{}", '"{}"'), ('"{}"', "{}"), ('{}"\\', '"{}\\"\\\\"'), ("{}", "  {} ")],
    ids=["bare, quoted", "quoted, bare", "with quote and backslash", "with blanks around it"],
)
def test_two_spellings_of_one_key(system: System, route: str, first_key: str, second_key: str) -> None:
    unique = uuid.uuid4().hex
    first = exchange(system, post(route, ONE, Idempotency_Key=first_key.format(unique)))
    again = exchange(system, post(route, ONE, Idempotency_Key=second_key.format(unique)))
    assert first.status == again.status == 200
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.body == first.body


@pytest.mark.parametrize("repeated", [b'{"quantity":2}', b'{"quantity":1,"together":true}'])
def test_a_key_used_for_something_else(system: System, event: str, repeated: bytes) -> None:
    route, key = f"/api/v1/events/{event}/purchases", str(uuid.uuid4())
    assert exchange(system, post(route, ONE, Idempotency_Key=key)).status == 200
    before = seats_sold(system)
    assert_problem(exchange(system, post(route, repeated, Idempotency_Key=key)), 422, "IDEMPOTENCY_KEY_REUSED")
    assert seats_sold(system) == before


@pytest.mark.usefixtures("nothing_sold")
@pytest.mark.parametrize(
    ("name", "value"),
    table(
        {
            "reference, empty": ("reference", ""),
            "reference, 65 characters": ("reference", "r" * 65),
            "reference, NUL": ("reference", "a\0b"),
            "reference, line feed": ("reference", "a\nb"),
            "reference, escape": ("reference", "\x1b[31m"),
            "reference, delete": ("reference", "\x7f"),
            "reference, C1": ("reference", "\x85"),
            "reference, number": ("reference", 7),
            "reference, list": ("reference", ["a"]),
            "together, text": ("together", "true"),
            "together, number": ("together", 1),
            "together, null": ("together", None),
        }
    ),
)
def test_fields_of_an_event_purchase(system: System, event: str, name: str, value: object) -> None:
    body = json.dumps({"quantity": 1, name: value}).encode()
    answer = exchange(system, post(f"/api/v1/events/{event}/purchases", body))
    problem = assert_problem(answer, 400, "VALIDATION_ERROR", name)
    assert problem["message"].startswith(name.capitalize())


@pytest.mark.usefixtures("nothing_sold")
@pytest.mark.parametrize(
    ("body", "field", "message"),
    table(
        {
            "no seats": ({"seats": []}, "seats", "Seats must not be empty"),
            "too many seats": ({"seats": [*"abcdefghijk"]}, "seats", "Seats cannot have more than 10 items"),
            "no token": ({"holdToken": ""}, "holdToken", "HoldToken must not be empty"),
            "no reference": ({"quantity": 1, "reference": ""}, "reference", "Reference must not be empty"),
            "a long reference": (
                {"quantity": 1, "reference": "r" * 65},
                "reference",
                "Reference cannot have more than 64 characters",
            ),
            "a field too many": ({"quantity": 1, "price": 0}, "price", "This request has no field price"),
        }
    ),
)
def test_reasons_are_in_words_for_people(system: System, event: str, body: object, field: str, message: str) -> None:
    answer = exchange(system, post(f"/api/v1/events/{event}/purchases", json.dumps(body).encode()))
    assert assert_problem(answer, 400, "VALIDATION_ERROR", field)["message"] == message


@pytest.mark.usefixtures("nothing_sold")
@pytest.mark.parametrize("name", [" ", "\u2003 "])
def test_an_event_without_a_name(system: System, name: str) -> None:
    body = json.dumps({"name": name, "totalSeats": 1}).encode()
    problem = assert_problem(exchange(system, post("/api/v1/events", body)), 400, "VALIDATION_ERROR", "name")
    assert problem["message"] == "Name must not be blank"


def test_a_reference_of_64_characters(system: System, event: str) -> None:
    reference = "é😀" + "r" * 62
    bought = exchange(system, post(f"/api/v1/events/{event}/purchases", purchase(reference)))
    found = system.get(f"/api/v1/purchases/{bought.json['purchaseId']}")
    assert found.json["reference"] == reference


def purchase(reference: str) -> bytes:
    return json.dumps({"quantity": 1, "reference": reference}).encode()


HALL = {"sections": 1, "rows": 1, "seatsPerRow": 1}


def hall(**changed: object) -> dict[str, object]:
    return {"name": "Test", "seatingPlan": {"generate": HALL | changed}}


@pytest.mark.usefixtures("nothing_sold")
@pytest.mark.parametrize(
    ("body", "field"),
    table(
        {
            "no name": ({"totalSeats": 1}, "name"),
            "name null": ({"name": None, "totalSeats": 1}, "name"),
            "name a number": ({"name": 1, "totalSeats": 1}, "name"),
            "name empty": ({"name": "", "totalSeats": 1}, "name"),
            "name of 201 characters": ({"name": "n" * 201, "totalSeats": 1}, "name"),
            "name with NUL": ({"name": "a\0b", "totalSeats": 1}, "name"),
            "name of two lines": ({"name": "a\nb", "totalSeats": 1}, "name"),
            "name with half a character": ({"name": "\ud83d", "totalSeats": 1}, "body"),
            "neither seats nor plan": ({"name": "Test"}, "totalSeats"),
            "both nothing": ({"name": "Test", "totalSeats": None, "seatingPlan": None}, "totalSeats"),
            "both seats and plan": (hall() | {"totalSeats": 1}, "totalSeats"),
            "no seats": ({"name": "Test", "totalSeats": 0}, "totalSeats"),
            "fewer than no seats": ({"name": "Test", "totalSeats": -1}, "totalSeats"),
            "too many seats": ({"name": "Test", "totalSeats": 10_000_001}, "totalSeats"),
            "10^400 seats": ({"name": "Test", "totalSeats": 10**400}, "totalSeats"),
            "seats as text": ({"name": "Test", "totalSeats": "5"}, "totalSeats"),
            "seats and a half": ({"name": "Test", "totalSeats": 1.5}, "totalSeats"),
            "seats true": ({"name": "Test", "totalSeats": True}, "totalSeats"),
            "seats by another name": ({"name": "Test", "totalSeats": 1, "total_seats": 2}, "total_seats"),
            "only by another name": ({"name": "Test", "total_seats": 2}, "total_seats"),
            "a field too many": ({"name": "Test", "totalSeats": 1, "state": "closed"}, "state"),
            "plan as text": ({"name": "Test", "seatingPlan": "hall"}, "seatingPlan"),
            "plan as a list": ({"name": "Test", "seatingPlan": [[["A1"]]]}, "seatingPlan"),
            "plan without a source": ({"name": "Test", "seatingPlan": {}}, "seatingPlan.generate"),
            "plan from elsewhere": (
                {"name": "Test", "seatingPlan": {"generate": HALL, "url": "http://x"}},
                "seatingPlan.url",
            ),
            "a hall of nothing": ({"name": "Test", "seatingPlan": {"generate": {}}}, "seatingPlan.generate.sections"),
            "a hall with boxes": (hall(boxes=1), "seatingPlan.generate.boxes"),
            "no sections": (hall(sections=0), "seatingPlan.generate.sections"),
            "101 sections": (hall(sections=101), "seatingPlan.generate.sections"),
            "sections as text": (hall(sections="1"), "seatingPlan.generate.sections"),
            "no rows": (hall(rows=0), "seatingPlan.generate.rows"),
            "27 rows": (hall(rows=27), "seatingPlan.generate.rows"),
            "rows and a half": (hall(rows=1.5), "seatingPlan.generate.rows"),
            "no seats a row": (hall(seatsPerRow=0), "seatingPlan.generate.seatsPerRow"),
            "101 seats a row": (hall(seatsPerRow=101), "seatingPlan.generate.seatsPerRow"),
            "seats a row null": (hall(seatsPerRow=None), "seatingPlan.generate.seatsPerRow"),
            "101,400 seats in all": (hall(sections=39, rows=26, seatsPerRow=100), "seatingPlan"),
        }
    ),
)
def test_new_event(system: System, body: dict[str, object], field: str) -> None:
    answer = exchange(system, post("/api/v1/events", json.dumps(body).encode()))
    assert_problem(answer, 400, "VALIDATION_ERROR", field)


@pytest.mark.parametrize(
    ("body", "capacity"),
    table(
        {
            "one seat": ({"name": "n" * 200, "totalSeats": 1}, 1),
            "the largest": ({"name": "é😀", "totalSeats": 10_000_000}, 10_000_000),
            "the smallest hall": (hall(), 1),
            "the largest hall": (hall(sections=40, rows=25, seatsPerRow=100), 100_000),
        }
    ),
)
def test_good_events(system: System, body: dict[str, object], capacity: int) -> None:
    answer = exchange(system, post("/api/v1/events", json.dumps(body).encode()))
    assert answer.status == 201
    assert (answer.json["name"], answer.json["seatsRemaining"]) == (body["name"], capacity)


@pytest.mark.usefixtures("nothing_sold")
def test_requests_that_never_end(system: System) -> None:
    """A byte now and then does not keep them open for longer than their bound, and nobody else waits meanwhile."""
    started = time.monotonic()
    with ExitStack() as stack:
        head, measured, chunked = waiting = [stack.enter_context(connect(system)) for _ in range(3)]
        head.sendall(bytes(1000))
        measured.sendall(post(DEFAULT_ROUTE, b"{", Content_Length=str(MAX_BODY_BYTES)))
        chunked.sendall(post(DEFAULT_ROUTE, b"1000\r\n{", **CHUNKED))
        while waiting:
            ended, _, _ = select.select(waiting, [], [], 0.3)
            elapsed_s = time.monotonic() - started
            assert elapsed_s < BODY_WITHIN_S + 5
            waiting = [connection for connection in waiting if connection not in ended]
            for connection in ended:
                if connection is head:
                    assert connection.recv(1) == b""
                    assert elapsed_s < BODY_WITHIN_S
                else:
                    assert_problem(read_answer(connection), 408, "BODY_TOO_SLOW")
                    assert elapsed_s > BODY_WITHIN_S - 1
            for connection in {measured, chunked}.intersection(waiting):
                connection.sendall(b" ")
            assert system.get("/health").status == 200
