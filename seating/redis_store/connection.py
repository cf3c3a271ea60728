"""One plain connection to Redis. It loads the scripts, identifies the server, and never sends anything twice."""

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from select import POLLIN
from typing import Any, Final, Self

from gevent.monkey import get_original
from hiredis import pack_command
from redis.connection import ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, NoScriptError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from seating.redis_store.calls import (
    Argument,
    Call,
    Calls,
    RedisOutcomeUnknown,
    RedisUnavailable,
    ScriptCall,
    Scripts,
    replies_of,
)
from seating.redis_store.durability import SETTINGS, DurabilityWatch
from seating.redis_store.seen_positions import SeenPositions
from seating.redis_store.server_address import BOUNDS, connection_options, fails_over, left_behind
from seating.redis_store.server_report import ServerIdentity, ServerReport

LOST = (RedisConnectionError, RedisTimeoutError, InvalidResponse, OSError)
"""What redis-py raises when it cannot connect or a connection breaks."""

# gevent's poll goes through the event loop, which is slow; this one returns at once.
_poll = get_original("select", "poll")

# Every call is refused until the next term: without a bound, each would reconnect.
_DOUBT_EVERY_S: Final = 1.0

OnReply = Callable[[int, Any], None]


class ScriptConnection:
    """Connects on first use and again after a loss. Not safe for concurrent use."""

    def __init__(
        self, url: str, scripts: Scripts, *, seen: SeenPositions | None = None, reply_within_s: float = 5.0
    ) -> None:
        self.seen: Final = seen or SeenPositions()
        self._scripts = scripts
        options = connection_options(url) | BOUNDS | {"socket_timeout": reply_within_s}
        pool = ConnectionPool(**options)
        # redis-py declares most of a connection without types.
        self._connection: Any = pool.make_connection()
        self._durability = DurabilityWatch(fails_over=fails_over(url))
        self._server: ServerIdentity | None = None
        self._ready = False
        self._connected_at = 0.0
        self.is_new = False
        self._left_behind = False

    @property
    def server(self) -> ServerIdentity | None:
        """The server at the other end; None while disconnected."""
        return self._server

    @property
    def run_id(self) -> str | None:
        return self._server.run_id if self._server else None

    @property
    def missing_durability(self) -> str:
        """What the last server lacks to be durable, or ""."""
        return self._durability.missing

    def digest(self, script: str) -> str:
        """Return the SHA-1 that a ScriptCall refers to the script by."""
        return self._scripts.digests[script]

    def connect(self) -> None:
        """Connect if necessary: load the scripts, identify the server, check its durability. Raises RedisUnavailable.

        Reconnects if the server is no longer a primary.
        """
        if self._ready and (self._left_behind or self._has_ended()):
            self.disconnect()
        if self._ready and not self._durability.is_due:
            return
        # On each connect, as a Redis that was restarted has forgotten its scripts.
        loading = [] if self._ready else [("SCRIPT", "LOAD", source) for source in self._scripts.sources.values()]
        asking = ServerReport.questions(SETTINGS)
        try:
            with self._in_step():
                self._connection.connect()
                self._send([_packed(*words) for words in (*loading, *asking)])
                for _ in loading:
                    self._connection.read_response()
                report = ServerReport.read(self._connection.read_response)
                if not report.is_primary:
                    raise RedisUnavailable("the server is a replica")
        except (*LOST, ResponseError) as error:
            raise RedisUnavailable(str(error)) from error
        self._durability.note(report)
        self._server = report.server
        self._connected_at = self._connected_at if self._ready else time.monotonic()
        self.is_new = self.is_new or not self._ready
        self._ready = True

    def doubt(self) -> None:
        """Reconnect before the next call: another server may be selling now. At most once in `_DOUBT_EVERY_S`."""
        self._left_behind = self._left_behind or time.monotonic() - self._connected_at > _DOUBT_EVERY_S

    def refusal(self, call: Call) -> str:
        """Return why this call may not be sent to the current server, or ""."""
        # What promises nothing goes on: reading, and recording what was sold.
        return self._durability.refusal() if isinstance(call, ScriptCall) and call.promises else ""

    def pack(self, call: Call) -> bytes:
        """Encode the call for `exchange`, addressed to the current server."""
        if isinstance(call, ScriptCall):
            return _packed("EVALSHA", call.digest, len(call.keys), *call.keys, self._caller(call), *call.args)
        return _packed(*call.words)

    def _caller(self, call: ScriptCall) -> str:
        """Return what scripts check: the server to run on, and the position that the event's inventory must have.

        Behind it comes the trace, if there is one.
        """
        caller = f"{self.run_id or ''}:{self.seen.of(call.keys)}"
        return f"{caller}:{call.trace}" if call.trace else caller

    def exchange(self, packed: Sequence[bytes], on_reply: OnReply) -> None:
        """Send all `packed` calls in one write; pass each reply, with its index, to `on_reply` as it arrives.

        A command's error is passed on like a reply. Raises one of LOST if the connection breaks; calls without a
        reply then have an unknown outcome. After a NoScriptError the next connect() loads the scripts again; after
        READONLY or NOREPLICAS it reconnects.
        """
        with self._in_step():
            self._send(packed)
            for index in range(len(packed)):
                try:
                    reply = self._connection.read_response()
                except ResponseError as error:
                    if isinstance(error, NoScriptError):
                        self._ready = False
                    self._left_behind = self._left_behind or left_behind(error)
                    reply = error
                on_reply(index, reply)

    def disconnect(self) -> None:
        self._ready = False
        self._left_behind = False
        self._server = None
        self._connection.disconnect()

    def _has_ended(self) -> bool:
        """Return whether the server has closed the idle connection: a call sent on it would have an unknown outcome."""
        # Nothing is due on an idle connection: what can be read is its end.
        watched = _poll()
        watched.register(self._connection._sock, POLLIN)
        return bool(watched.poll(0))

    def _send(self, packed: Sequence[bytes]) -> None:
        self._connection.send_packed_command([b"".join(packed)], check_health=False)

    @contextmanager
    def _in_step(self) -> Iterator[None]:
        """Disconnect on any error: an unread reply would be taken for that of the next call."""
        try:
            yield
        except BaseException:
            self.disconnect()
            raise


class OneServer(Calls):
    """`Calls` over one connection."""

    def __init__(self, connection: ScriptConnection) -> None:
        super().__init__(connection.seen, connection.digest)
        self._connection = connection

    @abstractmethod
    def begin(self, calls: Sequence[Call]) -> Callable[[], list[Any]]:
        """Queue the calls, if these calls have a queue; return what then returns the reply or the error of each."""

    @abstractmethod
    def close(self) -> None: ...

    @property
    def missing_durability(self) -> str:
        return self._connection.missing_durability

    def doubt(self, key: str, named: bytes) -> bool:
        if named:
            self._connection.doubt()
        return False

    def is_silent(self, key: str) -> bool:
        return False

    def primaries(self) -> list[Self]:
        return [self]


class DirectCalls(OneServer):
    """`Calls` one at a time, for the processes without greenlets: worker, cron and command line."""

    def close(self) -> None:
        self._connection.disconnect()

    def begin(self, calls: Sequence[Call]) -> Callable[[], list[Any]]:
        """Return what sends the calls one after the other, and returns the reply of each, or its refusal by Redis."""
        return partial(self._outcomes, calls)

    def _ask(self, calls: Sequence[Call]) -> list[Any]:
        with suppress(NoScriptError):
            return replies_of(self._outcomes(calls))
        # All call one script, so none of them ran, and connecting loads the scripts again.
        return replies_of(self._outcomes(calls))

    def _outcomes(self, calls: Sequence[Call]) -> list[Any]:
        self._connection.connect()
        for refusal in filter(None, map(self._connection.refusal, calls)):
            raise RedisUnavailable(refusal)
        replies: list[Any] = []
        try:
            packed = [self._connection.pack(call) for call in calls]
            self._connection.exchange(packed, lambda _index, reply: replies.append(reply))
        except LOST as error:
            raise RedisOutcomeUnknown(str(error)) from error
        return replies


def _packed(*words: Argument) -> bytes:
    packed: bytes = pack_command(words)  # type: ignore[arg-type]  # declared for one word only
    return packed
