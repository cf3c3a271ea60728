"""One plain connection to Redis that knows its scripts and its server, and never sends anything twice."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from select import POLLIN
from typing import Any

import redis
from gevent.monkey import get_original
from hiredis import pack_command
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, NoScriptError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from seating.redis_store.calls import Argument, Call, RedisUnavailable, ScriptCall
from seating.redis_store.scripts import Scripts

LOST = (RedisConnectionError, RedisTimeoutError, InvalidResponse, OSError)
"""What redis-py raises when a connection cannot be had or breaks."""

# gevent's own would ask the event loop, which is slow; this only looks.
_poll = get_original("select", "poll")

OnReply = Callable[[int, Any], None]


class ScriptConnection:
    """Connects on first use and again after a loss. Not for two users at a time."""

    def __init__(self, url: str, scripts: Scripts, *, reply_within_s: float = 5.0) -> None:
        self._scripts = scripts
        pool = ConnectionPool.from_url(
            url,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=2.0,
            socket_timeout=reply_within_s,
        )
        # redis-py declares most of a connection without types.
        self._connection: Any = pool.make_connection()
        self._run_id: str | None = None
        self._ready = False

    @property
    def run_id(self) -> str | None:
        """Of the server that this connection leads to, None while it leads nowhere."""
        return self._run_id

    def digest(self, script: str) -> str:
        """What a ScriptCall names the script by."""
        return self._scripts.digests[script]

    def connect(self) -> None:
        """Loads the scripts and learns the server's run_id, unless that is done. Raises RedisUnavailable."""
        if self._ready and self._has_ended():
            self.disconnect()
        if self._ready:
            return
        loading = [_packed("SCRIPT", "LOAD", source) for source in self._scripts.sources.values()]
        try:
            with self._in_step():
                self._connection.connect()
                self._send([*loading, _packed("INFO", "server")])
                for _ in loading:
                    self._connection.read_response()
                self._run_id = _run_id_in(self._connection.read_response())
        except (*LOST, ResponseError) as error:
            raise RedisUnavailable(str(error)) from error
        self._ready = True

    def pack(self, call: Call) -> bytes:
        """What `exchange` sends, for the server that this connection leads to now."""
        if isinstance(call, ScriptCall):
            return _packed("EVALSHA", call.digest, len(call.keys), *call.keys, self._run_id or "", *call.args)
        return _packed(*call.words)

    def exchange(self, packed: Sequence[bytes], on_reply: OnReply) -> None:
        """Sends all `packed` calls in one write and hands over each reply, with its index, as it comes.

        A command's own error is handed over like a reply. Raises one of LOST when the connection breaks: calls whose
        reply was not handed over by then have an unknown outcome. After a NoScriptError, connect() loads again.
        """
        with self._in_step():
            self._send(packed)
            for index in range(len(packed)):
                try:
                    reply = self._connection.read_response()
                except ResponseError as error:
                    if isinstance(error, NoScriptError):
                        self._ready = False
                    reply = error
                on_reply(index, reply)

    def disconnect(self) -> None:
        self._ready = False
        self._run_id = None
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


def plain_client(url: str) -> "redis.Redis":
    """A client for what is no part of a sale, such as RQ. It waits for a free connection rather than add one."""
    pool = redis.BlockingConnectionPool.from_url(
        url,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
        max_connections=16,
        timeout=5,
        socket_connect_timeout=2.0,
        health_check_interval=30,
    )
    return redis.Redis(connection_pool=pool)


def _packed(*words: Argument) -> bytes:
    packed: bytes = pack_command(words)  # type: ignore[arg-type]  # declared for one word only
    return packed


def _run_id_in(info: bytes) -> str:
    for line in info.decode().splitlines():
        name, _, value = line.partition(":")
        if name == "run_id":
            return value
    raise RedisUnavailable("the server does not tell its run_id")
