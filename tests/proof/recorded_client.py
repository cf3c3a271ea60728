"""A client of the product that records what it asks and is answered."""

import json
import time
import uuid
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

from tests.proof.history import HistoryFile, Kind, Operation
from tests.system import Client


class RecordedClient:
    """One of many, by its number, on one event. Each method returns what it recorded."""

    def __init__(self, number: int, client: Client, event: str, file: HistoryFile) -> None:
        self.number = number
        self.event = event
        self._client = client
        self._file = file

    def buy(self, key: str | None = None, *, wait_s: int = 0, **wanted: Any) -> Operation:
        """`wanted` are a body's fields: quantity, seats, holdToken, …"""
        op: Kind = "hold_purchase" if "holdToken" in wanted else "purchase"
        headers = {"Prefer": f"wait={wait_s}"} if wait_s else {}
        return self._ask(op, "POST", "/purchases", wanted, wanted, key or str(uuid.uuid4()), headers)

    def hold(self, key: str | None = None, **wanted: Any) -> Operation:
        return self._ask("hold", "POST", "/holds", wanted, wanted, key)

    def extend(self, token: str) -> Operation:
        return self._ask("extend", "PATCH", f"/holds/{token}", {"hold": token})

    def release(self, token: str) -> Operation:
        return self._ask("release", "DELETE", f"/holds/{token}", {"hold": token})

    def set_seats(self, status: str, **which: Any) -> Operation:
        body = {"status": status, **which}
        return self._ask("set_seats", "PATCH", "/seats", body, body)

    def set_state(self, state: str) -> Operation:
        return self._ask("state", "PATCH", "", {"state": state}, {"state": state})

    def cancel(self, purchase: str, *seats: str) -> Operation:
        arguments = {"purchase": purchase} | ({"seats": list(seats)} if seats else {})
        query = f"?seats={','.join(seats)}" if seats else ""
        return self._send("cancel", "DELETE", f"/api/v1/purchases/{purchase}{query}", arguments)

    def get(self, purchase: str) -> Operation:
        return self._send("get", "GET", f"/api/v1/purchases/{purchase}", {"purchase": purchase})

    def _ask(self, op: Kind, method: str, path: str, *rest: Any) -> Operation:
        return self._send(op, method, f"/api/v1/events/{self.event}{path}", *rest)

    def _send(
        self,
        op: Kind,
        method: str,
        path: str,
        arguments: dict[str, Any],
        body: dict[str, Any] | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Operation:
        sent = dict(headers or {}) | ({"Idempotency-Key": key} if key else {})
        encoded = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            encoded = json.dumps(body).encode()
        asked = Operation(self.number, op, self.event, key, arguments, time.monotonic_ns())
        try:
            answer = self._client.request(method, path, encoded, sent)
        except (OSError, HTTPException):
            return self._file.answered(asked, None)
        return self._file.answered(asked, answer.status, answer.body, answer.headers)
