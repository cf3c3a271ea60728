"""The event partner's catalogue: list it, fetch a user's events concurrently, add an event."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import gevent

from seating.domain.catalogue import PartnerEvent, PartnerId, PartnerUser
from seating.domain.errors import SeatingError
from seating.domain.partner_errors import PartnerAnswerInvalid, PartnerNotConfigured
from seating.memo import Memo
from seating.services.circuit_breakers import CircuitBreakers
from seating.telemetry import tracing
from seating.upstream.partner_client import Deadline, PartnerClient

_Fetched = tuple[PartnerEvent, int]
"""An event and the size of its answer, in bytes."""

GET_USERS: Final = "getUsers"
GET_EVENTS: Final = "getEvents"
GET_USER: Final = "getUserById"
GET_EVENT: Final = "getEventById"
ADD_EVENT: Final = "addEvent"
MAX_EVENTS_BYTES: Final = 4 << 20
"""Of all answers for one user's events together: up to 1,000 of them are kept parsed until the last one is there."""
_GRACE_S: Final = 0.1
KINDS: Final = (GET_USERS, GET_EVENTS, GET_USER, GET_EVENT, ADD_EVENT)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Returns complete results or raises one of partner_errors, within `deadline_s`.

    Concurrent requests in this process for the same event share its fetch.
    """

    client: PartnerClient | None
    guards: CircuitBreakers
    deadline_s: float
    # Only shared, not kept: how stale the partner's data may become is unknown.
    _fetches: Memo[PartnerId, _Fetched] = field(default_factory=lambda: Memo(max_weight=0))

    def users(self) -> list[PartnerUser]:
        client, deadline = self._begin()
        return self.guards.call(GET_USERS, lambda: client.users(deadline))

    def events(self) -> list[PartnerEvent]:
        client, deadline = self._begin()
        return self.guards.call(GET_EVENTS, lambda: client.events(deadline))

    def events_of(self, user_id: PartnerId) -> list[PartnerEvent]:
        """Return the user's events in the partner's order. Also raises PartnerUserNotFound."""
        client, deadline = self._begin()
        user = self.guards.call(GET_USER, lambda: client.user(user_id, deadline))
        return [event for event, _ in self._fetch(client, user.events, deadline)]

    def add_event(self, name: str, user_id: PartnerId) -> None:
        """Add an event. Also raises PartnerOverloaded. After PartnerFailed the outcome is unknown."""
        client, deadline = self._begin()
        self.guards.call(ADD_EVENT, lambda: client.add_event(name, user_id, deadline))

    def _begin(self) -> tuple[PartnerClient, Deadline]:
        if self.client is None:
            raise PartnerNotConfigured
        return self.client, Deadline(self.deadline_s)

    def _fetch(self, client: PartnerClient, event_ids: Sequence[PartnerId], deadline: Deadline) -> list[_Fetched]:
        if not event_ids:
            return []
        admission = self.guards.admit(GET_EVENT)

        def fetch(event_id: PartnerId) -> _Fetched:
            return self.guards.run(GET_EVENT, admission, lambda: client.event(event_id, deadline))

        if admission.is_probe:
            # A probe is one call. The others follow only after it has shown that the partner is back.
            return [fetch(event_ids[0]), *self._fetch(client, event_ids[1:], deadline)]

        def fetch_once(event_id: PartnerId) -> _Fetched:
            # The client stops the fetching request, which needs a moment to record it. This limit is for waiting ones.
            with deadline.limit(grace_s=_GRACE_S):
                return self._fetches.get(event_id, lambda: fetch(event_id))

        return _side_by_side(fetch_once, event_ids)


def _side_by_side(fetch: Callable[[PartnerId], _Fetched], event_ids: Sequence[PartnerId]) -> list[_Fetched]:
    """Return all events, or raise the first error after stopping the other fetches."""
    size = 0

    def outcome_of(event_id: PartnerId) -> _Fetched | SeatingError | None:
        # gevent prints an exception that ends a greenlet, and keeps it alive, together with a socket that was just
        # being connected.
        try:
            return fetch(event_id)
        except SeatingError as error:
            return error
        except gevent.GreenletExit:
            return None

    fetches: list[Any] = [gevent.spawn(tracing.carried(outcome_of), event_id) for event_id in event_ids]
    try:
        for ended in gevent.iwait(fetches):
            if isinstance(ended.get(), SeatingError):
                raise ended.get()
            size += ended.get()[1]
            if size > MAX_EVENTS_BYTES:
                raise PartnerAnswerInvalid(f"more than {MAX_EVENTS_BYTES} bytes of events")
        return [one.get() for one in fetches]
    finally:
        # Do not wait for their clean-up.
        gevent.killall(fetches, block=False)
