"""The sale under rehearsal: the routes and bodies that a rehearsal needs."""

import json
import time
from collections.abc import Sequence
from typing import Annotated, Final, NamedTuple, TypeVar
from urllib.parse import quote

import gevent
from pydantic import AliasPath, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from seating.domain.position import Position
from seating.rehearsal.server import HttpClient, Reply, Unreachable

LAG_WITHIN_S: Final = 60.0

_LOOK_EVERY_S: Final = 0.02


class _Body(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class Sold(_Body):
    """The body of a purchase's 200. `seats` are ids, none in general admission."""

    purchase_id: str
    event_id: str
    seats: list[str]
    position: Annotated[Position, BeforeValidator(lambda text: Position.parse(str(text)))]


class RecordedPurchase(_Body):
    """The current state of a purchase."""

    state: str
    quantity: int
    seats: list[str]


class Counts(_Body):
    """The event's seat counts. The server gives held and blocked seats for the default event only."""

    total_seats: int
    seats_sold: int
    seats_remaining: int
    seats_held: int | None = None
    seats_blocked: int | None = None

    @property
    def aside(self) -> int:
        """Seats neither sold nor for sale: as the server says, or else the rest of the capacity."""
        if self.seats_held is None or self.seats_blocked is None:
            return self.total_seats - self.seats_sold - self.seats_remaining
        return self.seats_held + self.seats_blocked


class _Stats(BaseModel):
    lag: int = Field(validation_alias=AliasPath("persistence", "lag"))


_AnyBody = TypeVar("_AnyBody", bound=BaseModel)


class RehearsedSale(NamedTuple):
    """What every buyer wants: `quantity` seats of one event; the default event without `event_id`.

    Its queries raise Unreachable.
    """

    server: HttpClient
    event_id: str | None
    quantity: int

    @property
    def event_path(self) -> str:
        return f"/api/v1/events/{quote(self.event_id, safe='')}" if self.event_id else "/api/v1/event"

    @property
    def purchase_path(self) -> str:
        return f"{self.event_path}/purchases" if self.event_id else "/api/v1/purchase"

    def counts(self, *, patiently: bool = True) -> Counts:
        return self._read(Counts, self.event_path, patiently=patiently)

    def record_of(self, purchase_id: str) -> RecordedPurchase | str:
        """Return the purchase, or a description of what came instead."""
        answer = self.server.read(f"/api/v1/purchases/{quote(purchase_id, safe='')}")
        if answer.status != 200:
            return f"answered {answer.status}"
        try:
            return RecordedPurchase.model_validate_json(answer.body)
        except ValidationError as error:
            return f"unreadable: {_first(error)}"

    def seconds_to_lag_zero(
        self, bought: Sequence[Sold], last_answer_at: float, within_s: float = LAG_WITHIN_S
    ) -> float | None:
        """Return the seconds from `last_answer_at` until SQL has every purchase; None if not `within_s` from now."""
        give_up_at = time.perf_counter() + within_s
        newest = max(bought, key=lambda sold: sold.position, default=None)
        while not self._lag_is_zero(newest):
            if time.perf_counter() > give_up_at:
                return None
            gevent.sleep(_LOOK_EVERY_S)
        return time.perf_counter() - last_answer_at

    def _lag_is_zero(self, newest: Sold | None) -> bool:
        """Return whether SQL has all purchases: the server's stats say so of the default event alone.

        Of another one, it has all if it has the newest. A purchase in quarantine has left the log too; checking the
        books reports it.
        """
        if self.event_id is None:
            return self._read(_Stats, "/api/v1/stats").lag == 0
        found = self.record_of(newest.purchase_id) if newest else None
        return not isinstance(found, RecordedPurchase) or found.state != "accepted"

    def _read(self, model: type[_AnyBody], path: str, *, patiently: bool = True) -> _AnyBody:
        answer = self.server.read(path, patiently=patiently)
        if answer.status != 200:
            raise Unreachable(f"{self.server.url}{path} answered {answer.status}{code_of(answer)}")
        try:
            return model.model_validate_json(answer.body)
        except ValidationError as error:
            raise Unreachable(f"{self.server.url}{path} is not a seating server's: {_first(error)}") from error


def code_of(answer: Reply) -> str:
    """The error's code after a space, or nothing."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        return ""
    code = body.get("code") or body.get("error") if isinstance(body, dict) else None
    return f" {code}" if isinstance(code, str) else ""


def _first(error: ValidationError) -> str:
    found = error.errors()[0]
    return f"{'.'.join(map(str, found['loc']))}: {found['msg']}".removeprefix(": ")
