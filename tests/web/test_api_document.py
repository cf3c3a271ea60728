"""What clients are generated from: examples, codes, names, required headers, paging and the live feeds."""

import json
import re
from typing import Any

from openapi_schema_validator import OAS31Validator

from seating.server import worker
from seating.web import errors
from tests.live.client import Socket
from tests.system import System
from tests.web import JSON, operations

HALL = {"generate": {"sections": 1, "rows": 1, "seatsPerRow": 1}}


def test_every_example_is_valid(document: Any) -> None:
    """Of parameters, headers, requests, answers, problems and messages of the live feeds; each operation has some."""
    components = document["components"]
    seen = 0

    def check(schema: Any, value: object) -> None:
        nonlocal seen
        seen += 1
        errors = list(OAS31Validator(schema | {"components": components}).iter_errors(value))
        assert errors == [], (value, errors)

    for name, schema in components["schemas"].items():
        for value in schema.get("examples", ()):
            check({"$ref": f"#/components/schemas/{name}"}, value)
    for header in components["headers"].values():
        check(header["schema"], header["example"])
    for method, path in operations(document):
        operation = document["paths"][path][method]
        for parameter in operation.get("parameters", ()):
            if parameter["required"]:
                check(parameter["schema"], parameter["example"])
        for holder in (operation.get("requestBody", {}), *operation["responses"].values()):
            for media in holder.get("content", {}).values():
                assert media["examples"], operation["operationId"]
                for given in media["examples"].values():
                    if "$ref" in given:
                        given = components["examples"][given["$ref"].rpartition("/")[2]]
                    check(media["schema"], given["value"])
    assert seen > 400


def test_examples_of_requests_are_accepted(document: Any, system: System) -> None:
    """New events are; other bodies speak of seats that are not there."""
    bodies = document["paths"]["/api/v1/events"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    for body in bodies.values():
        answer = system.request("POST", "/api/v1/events", json.dumps(body["value"]).encode(), JSON)
        assert answer.status == 201, answer.body


def test_each_code_has_its_statuses_and_a_meaning(document: Any) -> None:
    codes = document["components"]["schemas"]["ErrorCode"]
    assert len(codes["enum"]) == len(set(codes["enum"])) == len(codes["x-enum-descriptions"])
    for method, path in operations(document):
        for status, response in document["paths"][path][method]["responses"].items():
            for media_type, media in response.get("content", {}).items():
                if media_type != "application/problem+json":
                    continue
                declared = media["schema"]["properties"]["code"]["enum"]
                assert {*declared} <= {*codes["enum"]}
                for code in declared:
                    assert f"- `{code}`: " in response["description"], (path, status, code)
                values = [
                    document["components"]["examples"][given["$ref"].rpartition("/")[2]]["value"]
                    for given in media["examples"].values()
                ]
                assert {value["code"] for value in values} == {*declared}
                assert {value["status"] for value in values} == {int(status)}


def test_every_error_has_a_code_in_the_document(document: Any) -> None:
    """Those of requests that reach no route too."""
    codes = document["components"]["schemas"]["ErrorCode"]["enum"]
    assert {error.code for error in errors.STATUS} <= {*codes}
    assert {errors.code_of(status) for status in worker.STATUS.values()} <= {*codes}


def test_operations_have_names_that_a_person_would_choose(document: Any) -> None:
    ids = [document["paths"][path][method]["operationId"] for method, path in operations(document)]
    assert len(ids) == len(set(ids))
    assert {"buySeats", "holdSeats", "getEvent", "listEvents", "cancelPurchase", "getSeatMap"} <= {*ids}
    assert [name for name in ids if not re.fullmatch("[a-z]+([A-Z][a-z]+)+", name)] == []


def test_what_takes_a_key_can_refuse_it(document: Any) -> None:
    """Whether a key is required depends on the installation for those that also list no key."""
    kinds = set()
    for method, path in operations(document):
        operation = document["paths"][path][method]
        kinds.add(json.dumps(operation["security"]))
        statuses = {"401", "403", "429"} & operation["responses"].keys()
        assert statuses == ({"401", "403", "429"} if operation["security"] else set()), (method, path)
    assert kinds == {"[]", '[{"key": []}]', '[{}, {"key": []}]'}


def test_a_purchase_needs_its_key(document: Any) -> None:
    for path in ("/api/v1/purchase", "/api/v1/events/{event_id}/purchases"):
        parameters = {p["name"]: p for p in document["paths"][path]["post"]["parameters"]}
        assert parameters["Idempotency-Key"]["required"]
        assert parameters["Idempotency-Key"]["schema"]["type"] == "string"
        assert not parameters["Prefer"]["required"]


def test_buyers_who_are_early_are_told_when_a_sale_opens(document: Any) -> None:
    for method, path in (
        ("post", "/api/v1/purchase"),
        ("post", "/api/v1/events/{event_id}/purchases"),
        ("post", "/api/v1/events/{event_id}/holds"),
        ("patch", "/api/v1/events/{event_id}/holds/{token}"),
    ):
        refused = document["paths"][path][method]["responses"]["409"]
        assert "Retry-After" in refused["headers"]
        assert "NotOpenYet" in refused["content"]["application/problem+json"]["examples"]
    assert document["components"]["examples"]["NotOpenYet"]["value"]["opensAt"]
    assert "Retry-After" not in document["paths"]["/seats/{seat_id}"]["patch"]["responses"]["409"]["headers"]


def test_lists_are_paged_alike(document: Any) -> None:
    """With `limit` and `cursor`, and `next` in the body, but for the bare list that older clients need."""
    paged = []
    for method, path in operations(document):
        operation = document["paths"][path][method]
        parameters = {parameter["name"]: parameter["schema"] for parameter in operation.get("parameters", ())}
        assert ("limit" in parameters) == ("cursor" in parameters)
        if "limit" in parameters:
            assert parameters["cursor"]["type"] == "string"
            paged.append(path)
            (reference,) = operation["responses"]["200"]["content"]["application/json"]["schema"].values()
            schema = document["components"]["schemas"][reference.rpartition("/")[2]]
            assert ("next" in schema.get("properties", ())) == (path != "/users")
    assert {"/users", "/api/v1/events", "/api/v1/losses", "/api/v1/audit", "/api/v1/quarantine"} <= {*paged}


def test_live_feeds_send_what_is_declared(document: Any, system: System) -> None:
    hall = system.create_event(seatingPlan=HALL)
    field = system.create_event(totalSeats=5, offSaleAt="2099-01-01T00:00:00Z")
    seen = set()
    for template, path, event in (
        ("/", "/", "demo"),
        ("/api/v1/events/{event_id}/live", f"/api/v1/events/{hall}/live", hall),
        ("/api/v1/events/{event_id}/live", f"/api/v1/events/{field}/live", field),
    ):
        schema = OAS31Validator(document["x-websockets"][template]["messages"] | {"components": document["components"]})
        with Socket(system, path) as feed:
            first = feed.message()
            assert system.buy(1, event_id=event).status == 200
            for message in (first, feed.message()):
                assert list(schema.iter_errors(message)) == []
                seen.add(message["type"])
        assert not schema.is_valid({"type": "OTHER", "position": "1-1", "since": "1-1.00000000"})
    assert {"CONNECTED", "SEAT_UPDATE", "SNAPSHOT_NEEDED", "SEATS", "AVAILABILITY", "OPENING"} == seen
