"""One process of a sale that crashes at a chosen call: before it, inside its transaction, or after it.

The product knows nothing of this. Its own classes for the calls that leave a process (scripts and commands of Redis,
transactions of SQL, messages to receivers) are replaced here by kinds that count these calls and let one of them fail.
"""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy.exc import OperationalError

from seating.domain.errors import RecordUnavailable
from seating.domain.position import Position
from seating.domain.receipt import Receipt
from seating.domain.webhook_message import Message
from seating.redis_store.calls import Argument, RedisOutcomeUnknown, Scripts
from seating.redis_store.connection import DirectCalls, ScriptConnection
from seating.services.answered import Answered
from seating.storage.database import Database
from seating.upstream.webhook_client import DeliveryFailed, ReceiverConnection, WebhookClient
from tests.one_process import SHORT_LOGS, OneProcess


class Moment(StrEnum):
    """When the crash happens. Only a transaction of SQL has an inside: its statements ran, it is not committed."""

    BEFORE = "before"
    INSIDE = "inside"
    AFTER = "after"


class Fault(StrEnum):
    """What happens. Before or inside a call, a dropped reply means that the request is lost; its caller cannot tell."""

    KILLED = "SIGKILL"
    RAISED = "exception"
    DROPPED = "reply dropped"


class Crash(NamedTuple):
    """`call` is one of those in crash_points.py; `nth` counts from 1 the times that an act makes it."""

    call: str
    nth: int
    moment: Moment
    fault: Fault


class Crashed(Exception):
    """The exception that nobody expects."""


@dataclass
class Crossings:
    """The calls that leave one process, in their order, and the crash that waits for one of them."""

    crash: Crash | None = None
    calls: list[str] = field(default_factory=list)
    has_crashed: bool = False

    @contextmanager
    def of(self, call: str, lost: Callable[[], Exception]) -> Iterator[Callable[[], None]]:
        """Cross by the call in the block, which calls what this yields inside of its transaction, if it has one.

        `lost` makes the error that the caller gets instead of a reply.
        """
        self.calls.append(call)
        nth = self.calls.count(call)

        def meet(moment: Moment) -> None:
            if self.crash and self.crash[:3] == (call, nth, moment):
                self._fail(self.crash.fault, lost)

        meet(Moment.BEFORE)
        yield lambda: meet(Moment.INSIDE)
        meet(Moment.AFTER)

    def _fail(self, fault: Fault, lost: Callable[[], Exception]) -> None:
        self.has_crashed = True
        if fault is Fault.KILLED:
            os.kill(os.getpid(), signal.SIGKILL)
        raise Crashed if fault is Fault.RAISED else lost()


class CrashingDatabase(Database):
    def __init__(self, url: str, crossings: Crossings) -> None:
        super().__init__(url, checkpoints=True)
        self._crossings = crossings

    def _run(self, engine: Any, work: Any, *args: Any, **kwargs: Any) -> Any:
        def lost() -> Exception:
            return OperationalError("the connection broke", None, Exception())

        def crossed(connection: Any) -> Any:
            found = work(connection, *args, **kwargs)
            inside()
            return found

        # The error is raised where a lost connection raises it, and becomes what the product makes of it.
        call = f"SQL {'write' if engine is self.engine else 'read'} {_name_of(work)}"
        with _as_record_unavailable(), self._crossings.of(call, lost) as inside:
            return super()._run(engine, crossed)


@contextmanager
def _as_record_unavailable() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise RecordUnavailable from error


def _name_of(work: Callable[..., Any]) -> str:
    return f"{work.__module__.rpartition('.')[2]}.{work.__qualname__.replace('.<locals>', '')}"


class CrashingCalls(DirectCalls):
    def __init__(self, connection: ScriptConnection, crossings: Crossings) -> None:
        super().__init__(connection)
        self._crossings = crossings

    def _cross(self, call: str, ask: Callable[[], Any]) -> Any:
        def lost() -> Exception:
            self._connection.disconnect()
            return RedisOutcomeUnknown("the connection broke")

        with self._crossings.of(f"Redis {call}", lost):
            return ask()

    def command(self, *words: Argument) -> Any:
        return self._cross(str(words[0]), lambda: super(CrashingCalls, self).command(*words))

    def commands(self, many: Sequence[Sequence[Argument]]) -> list[Any]:
        words = "+".join(dict.fromkeys(str(each[0]) for each in many))
        return list(self._cross(words, lambda: super(CrashingCalls, self).commands(many)))

    def commands_of_each(self, many: Sequence[Sequence[Argument]]) -> list[Any]:
        return self.commands(many)

    def script(self, name: str, keys: Sequence[str], args: Sequence[Argument], *, promises: bool = False) -> Any:
        return self._cross(name, lambda: super(CrashingCalls, self).script(name, keys, args, promises=promises))

    def scripts(self, name: str, keys_of_each: Sequence[Sequence[str]], args: Sequence[Argument]) -> list[Any]:
        return list(self._cross(name, lambda: super(CrashingCalls, self).scripts(name, keys_of_each, args)))


class CrashingAnswered(Answered):
    """What a process notes in its memory between Redis's reply and its own."""

    crossings: Crossings

    def note(self, event_id: str, position: Position, receipt: Receipt | None = None, idempotency: str = "") -> None:
        with self.crossings.of("memory answered.note", Crashed):
            super().note(event_id, position, receipt, idempotency)


class CrashingProcess(OneProcess):
    """A process whose every call is one of `crossings`."""

    def __init__(self, redis_url: str, database_url: str, scripts: Scripts, crossings: Crossings) -> None:
        self.crossings = crossings
        calls = CrashingCalls(ScriptConnection(redis_url, scripts), crossings)
        database = CrashingDatabase(database_url, crossings)
        answered = CrashingAnswered(database, calls.seen)
        answered.crossings = crossings
        super().__init__(redis_url, database, calls, SHORT_LOGS, answered)

    def _nudge(self, *events: str) -> None:
        with self.crossings.of("memory nudge", Crashed):
            super()._nudge(*events)


class CrashingReceiverConnection(ReceiverConnection):
    crossings: Crossings

    def send(self, message: Message, signature: dict[str, str]) -> None:
        with self.crossings.of("HTTP send", lambda: DeliveryFailed("the connection broke")):
            super().send(message, signature)


class CrashingClient(WebhookClient):
    crossings: Crossings

    @contextmanager
    def connected(self, url: str) -> Iterator[ReceiverConnection]:
        with super().connected(url) as receiver:
            receiver.__class__ = CrashingReceiverConnection
            assert isinstance(receiver, CrashingReceiverConnection)
            receiver.crossings = self.crossings
            yield receiver
