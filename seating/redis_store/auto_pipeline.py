"""Greenlets that call Redis in the same moment share one pipeline: one write, one fsync, one read.

While a batch is in flight the next one gathers, so batches grow with the load and a lone call waits for nobody.
A caller waits only for its own reply, and an error of one command is that caller's alone. No call is ever sent twice.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

import gevent
from gevent.event import AsyncResult, Event
from redis.exceptions import NoScriptError, ResponseError

from seating.redis_store.calls import (
    Argument,
    Call,
    Command,
    RedisOutcomeUnknown,
    RedisUnavailable,
    ScriptCall,
)
from seating.redis_store.connection import LOST, ScriptConnection


class _Pending:
    """A call whose reply is awaited. `sent` tells whether giving up leaves the outcome unknown."""

    __slots__ = ("call", "reply", "sent", "size")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.reply: AsyncResult[Any] = AsyncResult()
        self.sent = False
        words = call.args if isinstance(call, ScriptCall) else call.words
        self.size = sum(len(word) for word in words if not isinstance(word, int))


class AutoPipeline:
    """`Calls` for the greenlets of one process.

    At most `max_queued` calls wait and at most `max_batch` calls (about `max_batch_bytes`) are in flight. A call is
    given up after `patience_s`.
    """

    def __init__(
        self,
        connection: ScriptConnection,
        *,
        max_queued: int = 10_000,
        max_batch: int = 500,
        max_batch_bytes: int = 1 << 20,
        patience_s: float = 10.0,
    ) -> None:
        self._connection = connection
        self._max_queued = max_queued
        self._max_batch = max_batch
        self._max_batch_bytes = max_batch_bytes
        self._patience_s = patience_s
        self._queue: deque[_Pending] = deque()
        self._wake = Event()
        self._sender = gevent.spawn(self._send_forever)
        self.batches = 0
        self.calls = 0

    @property
    def run_id(self) -> str | None:
        return self._connection.run_id

    def command(self, *words: Argument) -> Any:
        return self._ask([Command(_encoded(words))])[0]

    def commands(self, many: Sequence[Sequence[Argument]]) -> list[Any]:
        return self._ask([Command(_encoded(words)) for words in many])

    def script(self, name: str, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        return self._ask([ScriptCall(name, tuple(keys), _encoded(args))])[0]

    def close(self) -> None:
        """Ends the sender. Whoever still waits is told at once."""
        self._sender.kill()
        self._fail(list(self._queue), RedisUnavailable("closed"))
        self._queue.clear()
        self._connection.disconnect()

    def _ask(self, calls: Sequence[Call]) -> list[Any]:
        if len(self._queue) + len(calls) > self._max_queued:
            raise RedisUnavailable(f"{len(self._queue)} calls wait already")
        waiting = [_Pending(call) for call in calls]
        self._queue.extend(waiting)
        self._wake.set()
        try:
            return [self._reply_to(pending) for pending in waiting]
        finally:
            # Given up, or killed, while still queued: it must not be sent for nobody.
            for pending in waiting:
                if not pending.sent and not pending.reply.ready():
                    self._queue.remove(pending)

    def _reply_to(self, pending: _Pending) -> Any:
        pending.reply.wait(self._patience_s)
        if pending.reply.ready():
            return pending.reply.get()
        if pending.sent:
            raise RedisOutcomeUnknown(f"no reply within {self._patience_s} s")
        raise RedisUnavailable(f"not sent within {self._patience_s} s")

    def _send_forever(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._queue:
                self._send_one_batch()

    def _send_one_batch(self) -> None:
        try:
            self._connection.connect()
        except RedisUnavailable as error:
            self._fail(list(self._queue), error)
            self._queue.clear()
            return
        batch = self._take_batch()
        unloaded: list[_Pending] = []

        def deliver(index: int, reply: Any) -> None:
            pending = batch[index]
            if isinstance(reply, NoScriptError):
                unloaded.append(pending)
            elif isinstance(reply, Exception):
                pending.reply.set_exception(reply)
            else:
                pending.reply.set(reply)

        try:
            self._connection.exchange([pending.call for pending in batch], deliver)
            if unloaded:
                self._connection.load_scripts()
        except (*LOST, ResponseError) as error:
            self._connection.disconnect()
            self._fail(unloaded, RedisUnavailable(str(error)))
            self._fail(batch, RedisOutcomeUnknown(str(error)))
            return
        except BaseException:
            self._fail(batch, RedisOutcomeUnknown("closed"))
            raise
        self._send_again(unloaded)

    def _take_batch(self) -> list[_Pending]:
        batch: list[_Pending] = []
        size = 0
        while self._queue and len(batch) < self._max_batch and size < self._max_batch_bytes:
            pending = self._queue.popleft()
            pending.sent = True
            size += pending.size
            batch.append(pending)
        self.batches += 1
        self.calls += len(batch)
        return batch

    def _send_again(self, unloaded: list[_Pending]) -> None:
        """Puts calls that provably did not run back at the head of the queue."""
        for pending in reversed(unloaded):
            pending.sent = False
            self._queue.appendleft(pending)

    @staticmethod
    def _fail(waiting: list[_Pending], error: Exception) -> None:
        for pending in waiting:
            if not pending.reply.ready():
                pending.reply.set_exception(error)


def _encoded(words: Sequence[Argument]) -> tuple[bytes | int, ...]:
    """Text that has no UTF-8 form fails here, in its own caller, and not in the batch."""
    return tuple(word.encode() if isinstance(word, str) else word for word in words)
