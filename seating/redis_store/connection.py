"""One plain connection to Redis that knows its scripts and its server, and never sends anything twice."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from select import POLLIN
from typing import Any, Final

import redis
from gevent.monkey import get_original
from hiredis import pack_command
from redis.connection import ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, NoScriptError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from seating.redis_store.calls import (
    Argument,
    Call,
    Command,
    RedisOutcomeUnknown,
    RedisUnavailable,
    ScriptCall,
    Scripts,
)
from seating.redis_store.durability import SETTINGS, DurabilityWatch
from seating.redis_store.failures import ScriptFailures
from seating.redis_store.seen_positions import SeenPositions
from seating.redis_store.server_address import NO_RETRY, connection_options, fails_over, left_behind, primary_only
from seating.redis_store.server_report import ServerIdentity, ServerReport

LOST = (RedisConnectionError, RedisTimeoutError, InvalidResponse, OSError)
"""What redis-py raises when a connection cannot be had or breaks."""

# gevent's own would ask the event loop, which is slow; this only looks.
_poll = get_original("select", "poll")

_DOUBT_EVERY_S: Final = 1.0
_OPTIONS: Final[dict[str, Any]] = {"protocol": 2, "retry": NO_RETRY, "socket_connect_timeout": 2.0}

OnReply = Callable[[int, Any], None]


class ScriptConnection:
    """Connects on first use and again after a loss. Not for two users at a time."""

    def __init__(
        self, url: str, scripts: Scripts, *, seen: SeenPositions | None = None, reply_within_s: float = 5.0
    ) -> None:
        self.seen: Final = seen or SeenPositions()
        self._scripts = scripts
        options = _OPTIONS | {"socket_timeout": reply_within_s} | connection_options(url)
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
        """Of the server that this connection leads to, None while it leads nowhere."""
        return self._server

    @property
    def run_id(self) -> str | None:
        return self._server.run_id if self._server else None

    @property
    def missing_durability(self) -> str:
        """What the server of the last connection needs before it may promise anything, or ""."""
        return self._durability.missing

    def digest(self, script: str) -> str:
        """What a ScriptCall names the script by."""
        return self._scripts.digests[script]

    def connect(self) -> None:
        """Load the scripts and learn the server and its durability, unless that is done. Raise RedisUnavailable.

        A connection to a server that is no primary any more is left for a new one.
        """
        if self._ready and (self._left_behind or self._has_ended()):
            self.disconnect()
        if self._ready and not self._durability.is_due:
            return
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
                    raise RedisUnavailable("a replica answers")
        except (*LOST, ResponseError) as error:
            raise RedisUnavailable(str(error)) from error
        self._durability.note(report)
        self._server = report.server
        self._connected_at = self._connected_at if self._ready else time.monotonic()
        self.is_new = self.is_new or not self._ready
        self._ready = True

    def doubt(self) -> None:
        """Connect anew before the next call: another server may sell by now. At most once in `_DOUBT_EVERY_S`."""
        self._left_behind = self._left_behind or time.monotonic() - self._connected_at > _DOUBT_EVERY_S

    def refusal(self, call: Call) -> str:
        """Return why this call may not be sent to the server that this connection leads to now, or ""."""
        return self._durability.refusal() if isinstance(call, ScriptCall) and call.promises else ""

    def pack(self, call: Call) -> bytes:
        """What `exchange` sends, for the server that this connection leads to now."""
        if isinstance(call, ScriptCall):
            return _packed("EVALSHA", call.digest, len(call.keys), *call.keys, self._caller(call), *call.args)
        return _packed(*call.words)

    def _caller(self, call: ScriptCall) -> str:
        """As scripts read it: the server that they should run on, and what its event's inventory should have."""
        return f"{self.run_id or ''}:{self.seen.of(call.keys)}"

    def exchange(self, packed: Sequence[bytes], on_reply: OnReply) -> None:
        """Sends all `packed` calls in one write and hands over each reply, with its index, as it comes.

        A command's own error is handed over like a reply. Raises one of LOST when the connection breaks: calls whose
        reply was not handed over by then have an unknown outcome. After a NoScriptError, connect() loads again; after
        READONLY and NOREPLICAS, it connects anew.
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
        """Whether the server has closed the connection while nothing was asked: the next call would be lost in it."""
        watched = _poll()
        watched.register(self._connection._sock, POLLIN)
        return bool(watched.poll(0))

    def _send(self, packed: Sequence[bytes]) -> None:
        self._connection.send_packed_command([b"".join(packed)], check_health=False)

    @contextmanager
    def _in_step(self) -> Iterator[None]:
        """Replies that nobody read would be taken for those of the next calls."""
        try:
            yield
        except BaseException:
            self.disconnect()
            raise


class DirectCalls:
    """`Calls` one at a time, for the processes that have no greenlets: worker, cron and command line."""

    def __init__(self, connection: ScriptConnection) -> None:
        self._connection = connection
        self._script_failures = ScriptFailures()

    @property
    def seen(self) -> SeenPositions:
        return self._connection.seen

    def doubt(self) -> None:
        self._connection.doubt()

    @property
    def missing_durability(self) -> str:
        return self._connection.missing_durability

    def command(self, *words: Argument) -> Any:
        return self._ask([Command(words)])[0]

    def commands(self, many: Sequence[Sequence[Argument]]) -> list[Any]:
        return self._ask([Command(tuple(words)) for words in many])

    def script(self, name: str, keys: Sequence[str], args: Sequence[Argument], *, promises: bool = False) -> Any:
        return self._run_all(name, [ScriptCall(self._connection.digest(name), keys, args, promises)])[0]

    def scripts(self, name: str, keys_of_each: Sequence[Sequence[str]], args: Sequence[Argument]) -> list[Any]:
        digest = self._connection.digest(name)
        return self._run_all(name, [ScriptCall(digest, keys, args) for keys in keys_of_each])

    def close(self) -> None:
        self._connection.disconnect()

    def _run_all(self, name: str, calls: Sequence[Call]) -> list[Any]:
        try:
            return self._ask_again(calls)
        except ResponseError as error:
            self._script_failures.note(name, error)
            raise

    def _ask_again(self, calls: Sequence[Call]) -> list[Any]:
        try:
            return self._ask(calls)
        except NoScriptError:
            # None of them ran, and connecting loads the scripts again.
            return self._ask(calls)

    def _ask(self, calls: Sequence[Call]) -> list[Any]:
        self._connection.connect()
        for refusal in filter(None, map(self._connection.refusal, calls)):
            raise RedisUnavailable(refusal)
        replies: list[Any] = []
        try:
            packed = [self._connection.pack(call) for call in calls]
            self._connection.exchange(packed, lambda _index, reply: replies.append(reply))
        except LOST as error:
            raise RedisOutcomeUnknown(str(error)) from error
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies


def plain_client(url: str, *, reply_within_s: float = 10.0) -> "redis.Redis":
    """A client for what is no part of a sale, such as RQ. It waits for a free connection rather than add one.

    A server that a failover has left behind is a lost connection to it.
    """
    bounds = {"max_connections": 16, "timeout": 5, "socket_timeout": reply_within_s, "health_check_interval": 30}
    options = _OPTIONS | bounds | connection_options(url)
    options["connection_class"] = primary_only(options["connection_class"])
    return redis.Redis(connection_pool=redis.BlockingConnectionPool(**options))  # type: ignore[no-untyped-call]


def _packed(*words: Argument) -> bytes:
    packed: bytes = pack_command(words)  # type: ignore[arg-type]  # declared for one word only
    return packed
