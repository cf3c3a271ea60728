"""Greenlets that call Redis at the same time share one pipeline: one write, one fsync, one read.

While a batch is in flight, the next one gathers: batches grow with the load, and a lone call is sent at once.
Each caller waits for its own reply only and gets its own error only. A call that may have run is never sent again.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import gevent
from gevent.event import AsyncResult, Event
from redis.exceptions import NoScriptError, RedisError

from seating.redis_store.calls import Call, RedisOutcomeUnknown, RedisUnavailable
from seating.redis_store.connection import LOST, OneServer, ScriptConnection
from seating.telemetry import metrics


class _Pending:
    """A call whose reply is awaited. Once it is `sent`, giving up leaves its outcome unknown."""

    __slots__ = ("call", "given_up", "packed", "reply", "sent", "server")

    def __init__(self, call: Call, connection: ScriptConnection) -> None:
        self.call = call
        self.pack(connection)
        self.reply: AsyncResult[Any] = AsyncResult()
        self.sent = False
        self.given_up = False

    def pack(self, connection: ScriptConnection) -> None:
        """Encode the call. A lone surrogate, for example, must fail here, in its caller, and not in the batch."""
        self.server = connection.run_id
        self.packed = connection.pack(self.call)


class AutoPipeline(OneServer):
    """`Calls` for the greenlets of one process.

    At most `max_queued` calls wait, and at most `max_batch` calls (about `max_batch_bytes`) are in flight. A call
    fails after `patience_s`.
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
        super().__init__(connection)
        self._max_queued = max_queued
        self._max_batch = max_batch
        self._max_batch_bytes = max_batch_bytes
        self._patience_s = patience_s
        self._queue: deque[_Pending] = deque()
        self._wake = Event()
        self._sender = gevent.spawn(self._send_forever)
        self._learn: Callable[[], object] = lambda: None
        self._learn_within_s = 0.0
        self.batches = 0
        self.calls = 0

    def on_new_connection(self, learn: Callable[[], object], within_s: float = 1.0) -> None:
        """Call `learn` on each new connection before the first batch, which waits for it at most `within_s`."""
        self._learn, self._learn_within_s = learn, within_s

    def close(self) -> None:
        """Stop sending. Waiting and later calls fail at once."""
        self._sender.kill()
        self._fail(list(self._queue), RedisUnavailable("closed"))
        self._queue.clear()
        self._connection.disconnect()

    def begin(self, calls: Sequence[Call]) -> Callable[[], list[Any]]:
        """Queue the calls; return what waits for the reply or the error of each."""
        return partial(self._wait, self._queued(calls), time.monotonic() + self._patience_s, self._outcome_of)

    def _ask(self, calls: Sequence[Call]) -> list[Any]:
        return self._wait(self._queued(calls), time.monotonic() + self._patience_s, self._reply_to)

    def _wait(self, waiting: list[_Pending], until: float, outcome_of: Callable[[_Pending, float], Any]) -> list[Any]:
        try:
            return [outcome_of(pending, until) for pending in waiting]
        finally:
            for pending in waiting:
                self._give_up(pending)

    def _outcome_of(self, pending: _Pending, until: float) -> Any:
        try:
            return self._reply_to(pending, until)
        except (RedisUnavailable, RedisError) as error:
            return error

    def _queued(self, calls: Sequence[Call]) -> list[_Pending]:
        if self._sender.dead:
            raise RedisUnavailable("closed")
        if len(self._queue) + len(calls) > self._max_queued:
            raise RedisUnavailable(f"{len(self._queue)} calls are already waiting")
        waiting = [_Pending(call, self._connection) for call in calls]
        self._queue.extend(waiting)
        self._wake.set()
        return waiting

    def _give_up(self, pending: _Pending) -> None:
        """Remove the call from the queue if it is unsent: its caller timed out or was killed."""
        pending.given_up = True
        if not pending.sent and not pending.reply.ready():
            self._queue.remove(pending)

    def _reply_to(self, pending: _Pending, until: float) -> Any:
        # `wait` sets its timer in the caller's hub. A caller in another thread has a hub of its own, which would
        # otherwise have nothing to wait for.
        pending.reply.wait(max(0.0, until - time.monotonic()))
        if pending.reply.ready():
            return pending.reply.get()
        if pending.sent:
            raise RedisOutcomeUnknown(f"no reply within {self._patience_s} s")
        raise RedisUnavailable(f"not sent within {self._patience_s} s")

    def _send_forever(self) -> None:
        while True:
            self._wake.wait()
            # Clear it before emptying the queue: a call that comes in between sets it again.
            self._wake.clear()
            # One batch at a time: the calls that come during its round trip and fsync share the next one.
            while self._queue:
                self._send_one_batch()

    def _send_one_batch(self) -> None:
        try:
            self._connection.connect()
        except RedisUnavailable as error:
            self._fail(list(self._queue), error)
            self._queue.clear()
            return
        if self._connection.is_new:
            self._learn_first()
        if not self._queue:
            return
        batch = self._take_batch()
        if not batch:
            return
        began_s = time.perf_counter()
        try:
            self._connection.exchange(
                [pending.packed for pending in batch], lambda index, reply: self._deliver(batch[index], reply)
            )
        except BaseException as error:
            # Also when this greenlet is killed: callers must not wait until they time out.
            self._fail([pending for pending in batch if pending.sent], RedisOutcomeUnknown(str(error) or "closed"))
            if not isinstance(error, LOST):
                raise
        finally:
            metrics.BATCH_CALLS.observe(len(batch))
            metrics.BATCH_SECONDS.observe(time.perf_counter() - began_s)

    def _learn_first(self) -> None:
        self._connection.is_new = False
        # It learns from SQL, without which the sale must go on.
        with gevent.Timeout(self._learn_within_s, False):  # type: ignore[arg-type]
            self._learn()
        for pending in self._queue:
            pending.server = None  # Pack it again, with what was learned.

    def _take_batch(self) -> list[_Pending]:
        batch: list[_Pending] = []
        size = 0
        while self._queue and len(batch) < self._max_batch and size < self._max_batch_bytes:
            pending = self._queue.popleft()
            if refusal := self._connection.refusal(pending.call):
                pending.reply.set_exception(RedisUnavailable(refusal))
                continue
            # A call names the server it is for; the script on another one would refuse it.
            if pending.server is None or pending.server != self._connection.run_id:
                pending.pack(self._connection)
            pending.sent = True
            size += len(pending.packed)
            batch.append(pending)
        if batch:
            self.batches += 1
            self.calls += len(batch)
        return batch

    def _deliver(self, pending: _Pending, reply: Any) -> None:
        if isinstance(reply, NoScriptError) and not pending.given_up:
            # It did not run, so it can be sent again.
            pending.sent = False
            self._queue.appendleft(pending)
        elif isinstance(reply, Exception):
            pending.reply.set_exception(reply)
        else:
            pending.reply.set(reply)

    @staticmethod
    def _fail(waiting: list[_Pending], error: Exception) -> None:
        for pending in waiting:
            if not pending.reply.ready():
                pending.reply.set_exception(error)
