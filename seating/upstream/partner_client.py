"""The event partner's service over HTTP. Nothing that it sends, or fails to send, costs more than the deadline."""

import json
import random
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from math import ceil
from typing import Any, Final, Literal, NamedTuple, TypeVar
from urllib.parse import quote

import gevent
from gevent.lock import BoundedSemaphore
from pydantic import BaseModel, TypeAdapter, ValidationError
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Timeout, connection_from_url
from urllib3.exceptions import HTTPError
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
)

MAX_ANSWER_BYTES: Final = 1 << 20
_RETRY_AFTER_S: Final = (0.02, 0.1)
_LONGEST_MESSAGE: Final = 300

T = TypeVar("T")


class Deadline:
    """Begins to run when it is made."""

    def __init__(self, within_s: float) -> None:
        self._at: Final = time.monotonic() + within_s

    @property
    def left_s(self) -> float:
        """Never less than a moment, in which whatever waits is ended."""
        return max(self._at - time.monotonic(), 0.001)

    def limit(self, grace_s: float = 0.0) -> "gevent.Timeout":
        """A context whose greenlet gets PartnerTooSlow once the deadline has passed by `grace_s`."""
        return gevent.Timeout(self.left_s + grace_s, PartnerTooSlow)


class PartnerLimits(NamedTuple):
    """`at_once` is how many calls one process makes at a time."""

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
    """No answer, or half of one."""


class PartnerClient:
    """For the greenlets of one process. Talks to `base_url` only, and follows no redirect.

    Every call raises PartnerFailed, PartnerTooSlow, PartnerThrottled, PartnerAnswerInvalid or CatalogueBusy. A read
    whose connection broke is asked once more; an event is never sent twice.
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
        """Raises PartnerUserNotFound too."""
        answer = self._read(f"/getUserById/{quote(str(user_id), safe='')}", deadline)
        if answer.status == HTTPStatus.NOT_FOUND:
            raise PartnerUserNotFound
        user = _checked(_USER, answer)
        _refuse_other_id(user_id, user.id)
        return user

    def event(self, event_id: PartnerId, deadline: Deadline) -> PartnerEvent:
        event = _checked(_EVENT, self._read(f"/getEventById/{quote(str(event_id), safe='')}", deadline))
        _refuse_other_id(event_id, event.id)
        return event

    def add_event(self, name: str, user_id: PartnerId, deadline: Deadline) -> None:
        """Raises PartnerOverloaded too, for the partner's own 503."""
        body = json.dumps({"name": name, "userId": user_id}).encode()
        # A connection of its own: one that was kept may be closed by the partner in the moment in which it is used,
        # and then nobody could tell whether the event was added.
        with self._slot(deadline), closing(self._new_pool(1)) as pool:
            answer = self._exchange(pool, "POST", "/addEvent", body)
        if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
            raise _to_be_retried(PartnerOverloaded(_message_in(answer.body)), answer)
        _checked(_ADDED, answer)

    def close(self) -> None:
        """Ends the connections that are kept for the next call."""
        self._pool.close()

    def _read(self, path: str, deadline: Deadline) -> "_Answer":
        with self._slot(deadline):
            try:
                return self._exchange(self._pool, "GET", path)
            except _ConnectionLost:
                # Those whose connections broke together do not come back together.
                gevent.sleep(random.uniform(*_RETRY_AFTER_S))
                return self._exchange(self._pool, "GET", path)

    @contextmanager
    def _slot(self, deadline: Deadline) -> Iterator[None]:
        if not self._slots.acquire(timeout=deadline.left_s):
            raise CatalogueBusy
        try:
            with deadline.limit():
                yield
        finally:
            self._slots.release()

    def _exchange(self, pool: HTTPConnectionPool, method: str, path: str, body: bytes | None = None) -> "_Answer":
        headers = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if body else {})
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
            # Closing one that was read to its end leaves its connection in the pool; any other goes with it.
            with closing(response):
                content = _read_bounded(response)
        except Urllib3TimeoutError as error:
            raise PartnerTooSlow from error
        except (HTTPError, OSError) as error:
            raise _ConnectionLost from error
        if len(content) > MAX_ANSWER_BYTES:
            raise PartnerAnswerInvalid(f"more than {MAX_ANSWER_BYTES} bytes")
        return _Answer(response.status, content, wait_s_in(response.headers.get("Retry-After")))

    def _new_pool(self, size: int) -> HTTPConnectionPool:
        timeout = Timeout(connect=self._limits.connect_timeout_s, read=self._limits.read_timeout_s)
        return connection_from_url(self._base_url, maxsize=size, timeout=timeout)


class _Answer(NamedTuple):
    """`retry_after_s` is None where the partner names no wait."""

    status: int
    body: bytes
    retry_after_s: int | None


def _read_bounded(response: BaseHTTPResponse) -> bytes:
    """The body up to one byte more than is allowed. An end that comes too early is an error of the last, empty read."""
    content = b""
    while len(content) <= MAX_ANSWER_BYTES and (piece := response.read(MAX_ANSWER_BYTES + 1 - len(content))):
        content += piece
    return content


def _checked(shape: TypeAdapter[T], answer: _Answer) -> T:
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
    """The error, with the partner's own wait if it names one."""
    error.retry_after_s = answer.retry_after_s or error.retry_after_s
    return error


def _refuse_other_id(asked: PartnerId, told: PartnerId) -> None:
    if str(asked) != str(told):
        raise PartnerAnswerInvalid("it is about something else than was asked for")


def _message_in(body: bytes) -> str | None:
    """The partner's own words, if it has any that can be shown."""
    try:
        said: Any = json.loads(body)
        message = said["message"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return message[:_LONGEST_MESSAGE] if isinstance(message, str) and message.isprintable() else None


LONGEST_WAIT_S: Final = 3600
"""What a partner may ask of our callers; a typing error of its must not keep them away for years."""


def wait_s_in(text: str | None) -> int | None:
    """Seconds from now, 1 to LONGEST_WAIT_S; None where the header is missing or is neither a number nor a date."""
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        wait_s = float(text[:10])
    else:
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return None
        wait_s = (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(1, ceil(wait_s)), LONGEST_WAIT_S)
