"""One plain connection to Redis that knows its scripts and its server, and never sends anything twice."""

from collections.abc import Callable, Sequence
from typing import Any

import redis
from hiredis import pack_command
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from seating.redis_store.calls import Call, RedisUnavailable, ScriptCall
from seating.redis_store.scripts import Scripts

LOST = (RedisConnectionError, RedisTimeoutError, OSError)
"""What redis-py raises when a connection cannot be had or breaks."""

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

    @property
    def run_id(self) -> str | None:
        """Of the server that this connection leads to, None while it leads nowhere."""
        return self._run_id

    def connect(self) -> None:
        """Loads the scripts and learns the server's run_id. Raises RedisUnavailable."""
        if self._run_id is not None:
            return
        try:
            self._connection.connect()
            self.load_scripts()
            self._connection.send_command("INFO", "server")
            info = self._connection.read_response()
        except (*LOST, ResponseError) as error:
            self.disconnect()
            raise RedisUnavailable(str(error)) from error
        self._run_id = _run_id_in(info)

    def load_scripts(self) -> None:
        commands = [("SCRIPT", "LOAD", source) for source in self._scripts.sources.values()]
        self._connection.send_packed_command(self._connection.pack_commands(commands), check_health=False)
        for _ in commands:
            self._connection.read_response()

    def exchange(self, calls: Sequence[Call], on_reply: OnReply) -> None:
        """Sends all `calls` in one write and hands over each reply, with its index, as it comes.

        A command's own error is handed over like a reply. Raises one of LOST when the connection breaks: calls whose
        reply was not handed over by then have an unknown outcome.
        """
        connection = self._connection
        try:
            packed = b"".join([pack_command(self._words(call)) for call in calls])
            connection.send_packed_command([packed], check_health=False)
            for index in range(len(calls)):
                try:
                    reply = connection.read_response()
                except ResponseError as error:
                    reply = error
                on_reply(index, reply)
        except BaseException:
            # Replies that nobody read would be taken for the next batch's.
            self.disconnect()
            raise

    def disconnect(self) -> None:
        self._run_id = None
        self._connection.disconnect()

    def _words(self, call: Call) -> tuple[Any, ...]:
        if isinstance(call, ScriptCall):
            digest = self._scripts.digests[call.name]
            return ("EVALSHA", digest, len(call.keys), *call.keys, self._run_id, *call.args)
        return call.words


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


def _run_id_in(info: bytes) -> str:
    for line in info.decode().splitlines():
        name, _, value = line.partition(":")
        if name == "run_id":
            return value
    raise RedisUnavailable("the server does not tell its run_id")
