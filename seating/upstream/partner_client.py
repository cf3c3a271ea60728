"""The client of the event partner's HTTP service. Nothing that the partner does delays a call past its deadline."""

import json
import random
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from typing import Any, Final, Literal, NamedTuple, TypeVar
from urllib.parse import quote

import gevent
from gevent.lock import BoundedSemaphore
from pydantic import BaseModel, TypeAdapter, ValidationError
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Timeout, connection_from_url
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as Urllib3TimeoutError
from urllib3.util import parse_url

from seating.domain.catalogue import PartnerEvent, PartnerId, PartnerUser, PartnerUserEvents
from seating.domain.errors import SeatingError
from seating.domain.partner_errors import (
    CatalogueBusy,
    PartnerAnswerInvalid,
    PartnerFailed,
    PartnerOverloaded,
    PartnerThrottled,
    PartnerTooSlow,
    PartnerUserNotFound,
    TurnTooLate,
)
from seating.telemetry import tracing
from seating.upstream.retry_after import wait_s_in

MAX_ANSWER_BYTES: Final = 1 << 20
MAX_USER_BYTES: Final = 128 << 10
"""Room for 1,000 event ids of 64 characters."""
MAX_EVENT_BYTES: Final = 16 << 10
"""One request may fetch 1,000 events, and JSON takes 20 times its size once it is parsed."""
_RETRY_AFTER_S: Final = (0.02, 0.1)
_LONGEST_MESSAGE: Final = 300

T = TypeVar("T")


class Deadline:
    """Starts when it is created."""

    def __init__(self, within_s: float) -> None:
        self._at: Final = time.monotonic() + within_s

    @property
    def left_s(self) -> float:
        """Return the seconds left; never 0, which would mean no timeout."""
        return max(self._at - time.monotonic(), 0.001)

    def limit(self, grace_s: float = 0.0, error: type[SeatingError] = PartnerTooSlow) -> "gevent.Timeout":
        """Return a context that raises `error` `grace_s` after the deadline."""
        return gevent.Timeout(self.left_s + grace_s, error)


class PartnerLimits(NamedTuple):
    """`at_once` is the most concurrent calls of one process."""

    connect_timeout_s: float
    read_timeout_s: float
    at_once: int


class _Added(BaseModel):
    success: Literal[True]


_USERS: Final = TypeAdapter(list[PartnerUser])
_USER: Final = TypeAdapter(PartnerUserEvents)
_EVENTS: Final = TypeAdapter(list[PartnerEvent])
_EVENT: Final = TypeAdapter(PartnerEvent)
_ADDED: Final = TypeAdapter(_Added)


class _ConnectionLost(PartnerFailed):
    """No response, or an incomplete one."""


class PartnerClient:
    """For the greenlets of one process. Connects to `base_url` only, and follows no redirects.

    Every call raises PartnerFailed, PartnerTooSlow, PartnerThrottled, PartnerAnswerInvalid or CatalogueBusy. A read
    is retried once after a broken connection; an event is never sent twice.
    """

    def __init__(self, base_url: str, limits: PartnerLimits) -> None:
        self._base_url = base_url
        self._prefix = (parse_url(base_url).path or "").rstrip("/")
        self._limits = limits
        self._slots = BoundedSemaphore(limits.at_once)
        self._pool = self._new_pool(limits.at_once)

    def users(self, deadline: Deadline) -> list[PartnerUser]:
        return _checked(_USERS, self._read("/getUsers", deadline))

    def events(self, deadline: Deadline) -> list[PartnerEvent]:
        return _checked(_EVENTS, self._read("/getEvents", deadline))

    def user(self, user_id: PartnerId, deadline: Deadline) -> PartnerUserEvents:
        """Return a user's events. Also raises PartnerUserNotFound."""
        answer = self._read(f"/getUserById/{quote(str(user_id), safe='')}", deadline, MAX_USER_BYTES)
        if answer.status == HTTPStatus.NOT_FOUND:
            raise PartnerUserNotFound
        user = _checked(_USER, answer)
        _refuse_other_id(user_id, user.id)
        return user

    def event(self, event_id: PartnerId, deadline: Deadline) -> tuple[PartnerEvent, int]:
        """Return an event and the size of its answer, in bytes."""
        answer = self._read(f"/getEventById/{quote(str(event_id), safe='')}", deadline, MAX_EVENT_BYTES)
        event = _checked(_EVENT, answer)
        _refuse_other_id(event_id, event.id)
        return event, len(answer.body)

    def add_event(self, name: str, user_id: PartnerId, deadline: Deadline) -> None:
        """Add an event. Also raises PartnerOverloaded, for the partner's own 503."""
        body = json.dumps({"name": name, "userId": user_id}).encode()
        # Use a new connection: the partner may close a kept one just as the request is sent, and then it would be
        # unknown whether the event was added.
        with self._slot(deadline), closing(self._new_pool(1)) as pool:
            answer = self._exchange(pool, "POST", "/addEvent", body)
        # Before `_checked`, for which it is like any other 5xx: callers get the partner's own message.
        if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
            raise _to_be_retried(PartnerOverloaded(_message_in(answer.body)), answer)
        _checked(_ADDED, answer)

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    def _read(self, path: str, deadline: Deadline, max_bytes: int = MAX_ANSWER_BYTES) -> "_Answer":
        with self._slot(deadline):
            try:
                return self._exchange(self._pool, "GET", path, max_bytes=max_bytes)
            except _ConnectionLost:
                # Jitter: calls whose connections broke together must not retry together.
                gevent.sleep(random.uniform(*_RETRY_AFTER_S))
                return self._exchange(self._pool, "GET", path, max_bytes=max_bytes)

    @contextmanager
    def _slot(self, deadline: Deadline) -> Iterator[None]:
        # Bounded: a partner that hangs must not fill the process with waiting requests.
        has_waited = not self._slots.acquire(blocking=False)
        if has_waited and not self._slots.acquire(timeout=deadline.left_s):
            raise CatalogueBusy
        try:
            # Whoever waited has part of the deadline only, so its end says nothing about the partner.
            with deadline.limit(error=TurnTooLate if has_waited else PartnerTooSlow):
                yield
        finally:
            self._slots.release()

    def _exchange(
        self,
        pool: HTTPConnectionPool,
        method: str,
        path: str,
        body: bytes | None = None,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> "_Answer":
        # Without the id that follows: a span's name should have few values.
        with tracing.call("partner", f"{method} /{path.split('/')[1]}") as span:
            return self._send(pool, method, path, body, max_bytes, span.headers())

    def _send(
        self,
        pool: HTTPConnectionPool,
        method: str,
        path: str,
        body: bytes | None,
        max_bytes: int,
        trace: dict[str, str],
    ) -> "_Answer":
        headers = {"Accept": "application/json", **trace} | ({"Content-Type": "application/json"} if body else {})
        try:
            response = pool.urlopen(
                method,
                self._prefix + path,
                body,
                headers,
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            # After a complete read, this returns the connection to the pool; otherwise it closes it.
            with closing(response):
                content = _read_bounded(response, max_bytes)
        except (HTTPError, OSError) as error:
            # urllib3 calls a connection that was refused a timeout, too.
            too_slow = isinstance(error, Urllib3TimeoutError) and not isinstance(error, NewConnectionError)
            raise (PartnerTooSlow if too_slow else _ConnectionLost) from error
        if len(content) > max_bytes:
            raise PartnerAnswerInvalid(f"more than {max_bytes} bytes")
        return _Answer(response.status, content, wait_s_in(response.headers.get("Retry-After")))

    def _new_pool(self, size: int) -> HTTPConnectionPool:
        timeout = Timeout(connect=self._limits.connect_timeout_s, read=self._limits.read_timeout_s)
        return connection_from_url(self._base_url, maxsize=size, timeout=timeout)


class _Answer(NamedTuple):
    """`retry_after_s` is None if the partner names no wait."""

    status: int
    body: bytes
    retry_after_s: int | None


def _read_bounded(response: BaseHTTPResponse, max_bytes: int) -> bytes:
    """Return the body, up to one byte beyond the limit. If it ends early, the last, empty read raises."""
    content = b""
    while len(content) <= max_bytes and (piece := response.read(max_bytes + 1 - len(content))):
        content += piece
    return content


def _checked(shape: TypeAdapter[T], answer: _Answer) -> T:
    # Apart from other 4xx: a partner that limits us is neither down nor proved healthy.
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        raise _to_be_retried(PartnerThrottled(), answer)
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise _to_be_retried(PartnerFailed(partner_status=answer.status), answer)
    if answer.status != HTTPStatus.OK:
        raise PartnerAnswerInvalid(f"status {answer.status}")
    try:
        return shape.validate_json(answer.body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:100] or "body"
        raise PartnerAnswerInvalid(f"{where}: {first['type']}") from None


def _to_be_retried(error: SeatingError, answer: _Answer) -> SeatingError:
    """Return the error, with the partner's own wait if it names one."""
    error.retry_after_s = answer.retry_after_s or error.retry_after_s
    return error


def _refuse_other_id(asked: PartnerId, told: PartnerId) -> None:
    # The partner may write the same id as a number here and as a text there.
    if str(asked) != str(told):
        raise PartnerAnswerInvalid("it describes another resource than the one requested")


def _message_in(body: bytes) -> str | None:
    """Return the partner's own message, if it can be shown."""
    try:
        said: Any = json.loads(body)
        message = said["message"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return message[:_LONGEST_MESSAGE] if isinstance(message, str) and message.isprintable() else None
