"""`Calls` to a Redis Cluster: one AutoPipeline, or one direct connection, for each primary.

A call goes to the server that has its key's slot. MOVED, ASK and TRYAGAIN prove that it did not run, so it is sent
again, as is a call that was never sent. Anything that may have run is not (record 3, record 85).
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from redis.exceptions import AskError, ClusterDownError, MovedError, NoScriptError, TryAgainError
from redis.exceptions import ConnectionError as RedisConnectionError

from seating.redis_store.auto_pipeline import AutoPipeline
from seating.redis_store.calls import (
    Argument,
    Call,
    Calls,
    Command,
    RedisOutcomeUnknown,
    RedisUnavailable,
    ScriptCall,
    Scripts,
    replies_of,
)
from seating.redis_store.connection import OneServer
from seating.redis_store.seen_positions import SeenPositions
from seating.redis_store.silence import Silence, of_those_that_answer
from seating.redis_store.slot_map import SlotMap
from seating.redis_store.term_wait import TermWait
from seating.telemetry import metrics

_PATIENCE_S: Final = 10.0
_PAUSE_S: Final = 0.02
_ASKING: Final = Command(("ASKING",))


class _Waiting(NamedTuple):
    """A call that has no outcome yet; `asked` is the server that an ASK named."""

    place: int
    call: Call
    asked: str = ""

    @property
    def key(self) -> Argument:
        return self.call.keys[0] if isinstance(self.call, ScriptCall) else self.call.words[1]


class ClusterCalls(Calls):
    """`connect` opens the calls to the server at a URL.

    With `awaits_terms`, a call that meets an inventory of another server waits for up to 10 s and is repeated: after
    its slot has moved, a term begins within moments. Not for the processes that begin it.
    """

    def __init__(
        self,
        slots: SlotMap,
        connect: Callable[[str], OneServer],
        scripts: Scripts,
        seen: SeenPositions,
        *,
        awaits_terms: bool = False,
    ) -> None:
        super().__init__(seen, scripts.digests.__getitem__)
        self._slots = slots
        self._connect = connect
        self._terms = TermWait(self._server_of, self._look, self._doubt) if awaits_terms else None
        self._by_server: dict[str, OneServer] = {}
        self._silence = Silence()
        self._learn: Callable[[], object] | None = None

    def primaries(self) -> list[OneServer]:
        try:
            return [self._server(url) for url in self._slots.primaries()]
        except RedisConnectionError as error:
            raise RedisUnavailable(str(error)) from error

    @property
    def missing_durability(self) -> str:
        """What they lack, or "" as soon as one of them is durable."""
        return min((server.missing_durability for server in self._by_server.values()), key=bool, default="")

    def doubt(self, key: str, named: bytes) -> bool:
        self._doubt(key, named)
        return self._terms is not None and self._terms.until_trusted(key)

    def _doubt(self, key: str, named: bytes) -> None:
        self._slots.refresh()
        if url := self._server_of(key):
            self._server(url).doubt(key, named)

    def _look(self, key: str) -> list[Any]:
        found: list[Any] = self.script("look", (key,), ("server",))
        return found

    def is_silent(self, key: str) -> bool:
        return self._silence.is_of(self._server_of(key))

    def on_new_connection(self, learn: Callable[[], object]) -> None:
        """As AutoPipeline has it, for each server."""
        self._learn = learn
        for server in self._by_server.values():
            self._teach(server)

    def _teach(self, server: OneServer) -> None:
        if self._learn and isinstance(server, AutoPipeline):
            server.on_new_connection(self._learn)

    def close(self) -> None:
        for server in self._by_server.values():
            server.close()

    def _ask(self, calls: Sequence[Call]) -> list[Any]:
        return replies_of(self._outcomes(calls))

    def _ask_each(self, calls: Sequence[Call]) -> list[Any]:
        return replies_of(of_those_that_answer(self._outcomes(calls)))

    def _outcomes(self, calls: Sequence[Call]) -> list[Any]:
        """Return the reply or the error of each call."""
        outcomes: list[Any] = [None] * len(calls)
        waiting = [_Waiting(place, call) for place, call in enumerate(calls)]
        until, pause_s = time.monotonic() + _PATIENCE_S, 0.0
        while waiting:
            again: list[_Waiting] = []
            # Begin with all servers before waiting for any, so that they work at the same time.
            begun = [(server, group, self._begin(server, group)) for server, group in self._by_slots(waiting).items()]
            for server, group, replies in begun:
                found, took_s = replies()
                for one, outcome in zip(group, found, strict=True):
                    outcomes[one.place] = outcome
                    again += self._again(server, one, outcome)
                self._silence.note(server, found, took_s)
            if not again or time.monotonic() > until:
                break
            # A redirection is followed at once. One that repeats itself, or TRYAGAIN, means that keys are on their way.
            if pause_s or any(isinstance(outcomes[one.place], TryAgainError) for one in again):
                # Not gevent's: worker and commands call a cluster too, without greenlets.
                time.sleep(pause_s or _PAUSE_S)
            waiting, pause_s = again, _PAUSE_S
        return outcomes

    def _by_slots(self, waiting: Sequence[_Waiting]) -> dict[str, list[_Waiting]]:
        groups: dict[str, list[_Waiting]] = {}
        for one in waiting:
            groups.setdefault(one.asked or self._server_of(one.key), []).append(one)
        return groups

    def _server_of(self, key: Argument) -> str:
        """Return the URL of the key's server; "" if none is known."""
        try:
            return self._slots.server_of(key)
        except RedisConnectionError:
            self._slots.refresh()
            return ""

    def _begin(self, url: str, group: Sequence[_Waiting]) -> Callable[[], tuple[list[Any], float]]:
        """Queue the calls to one server; return what then returns the reply or the error of each, after how many s."""
        if not url or self._silence.is_of(url):
            refusal = RedisUnavailable("no reply a moment ago" if url else "no server of the cluster has this slot")
            return lambda: ([refusal] * len(group), 0.0)
        # ASKING is for the next command of its connection, and goes right before it. Should another command come
        # between, this one is redirected again; it runs nowhere else.
        calls = [call for one in group for call in ((_ASKING, one.call) if one.asked else (one.call,))]
        began_s = time.monotonic()
        try:
            replies = self._server(url).begin(calls)
        except RedisUnavailable as error:
            refused = error
            return lambda: ([refused] * len(group), 0.0)
        return partial(_ended, group, replies, began_s)

    def _again(self, url: str, one: _Waiting, outcome: Any) -> list[_Waiting]:
        """Return the call if it is to be sent again; [] if the outcome is its own, or it may have run."""
        match outcome:
            case MovedError():  # Which is an AskError, too.
                metrics.REDIRECTS.labels("moved").inc()
                self._slots.moved(outcome)
                return [one._replace(asked="")]
            case AskError():
                metrics.REDIRECTS.labels("ask").inc()
                return [one._replace(asked=self._slots.url(outcome.host, outcome.port))]
            case TryAgainError():
                metrics.REDIRECTS.labels("tryagain").inc()
                return [one._replace(asked="")]
            case NoScriptError():  # Connecting loads the scripts again.
                return [one]
            # It may have run, so it is not sent again. The next call should find the new primary.
            case RedisOutcomeUnknown() | ClusterDownError():
                self._slots.refresh()
            # It was never sent, and after a failover the slot has another server.
            case RedisUnavailable():
                self._slots.refresh()
                elsewhere = self._server_of(one.key)
                return [one._replace(asked="")] if elsewhere and elsewhere != url else []
        return []

    def _server(self, url: str) -> OneServer:
        # Those of servers that have left stay: they cost an idle connection, and a cluster has few servers.
        if url not in self._by_server:
            self._by_server[url] = self._connect(url)
            self._teach(self._by_server[url])
        return self._by_server[url]


def _ended(group: Sequence[_Waiting], replies: Callable[[], list[Any]], began_s: float) -> tuple[list[Any], float]:
    try:
        outcomes = iter(replies())
        found = [(next(outcomes), next(outcomes))[1] if one.asked else next(outcomes) for one in group]
    except RedisUnavailable as error:
        found = [error] * len(group)
    return found, time.monotonic() - began_s
