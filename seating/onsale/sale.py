"""What is bought, and what the server says of it: the routes and bodies that a rehearsal needs."""

import json
from typing import Annotated, NamedTuple, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, PlainValidator, ValidationError
from pydantic.alias_generators import to_camel

from seating.domain.position import Position
from seating.onsale.server import Answer, Client, Server, Unreachable


class _Body(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class Sold(_Body):
    """A 200 to a purchase. `seats` are ids, none in general admission."""

    purchase_id: str
    event_id: str
    seats: list[str]
    position: Annotated[Position, PlainValidator(lambda text: Position.parse(str(text)))]


class Record(_Body):
    """A purchase as it stands."""

    state: str
    quantity: int
    seats: list[str]


class Counts(_Body):
    """Seats of the event. Held and blocked ones are told of the default event only."""

    total_seats: int
    seats_sold: int
    seats_remaining: int
    seats_held: int | None = None
    seats_blocked: int | None = None

    @property
    def aside(self) -> int:
        """Neither sold nor for sale: as the server says, or else what is missing to the capacity."""
        if self.seats_held is None or self.seats_blocked is None:
            return self.total_seats - self.seats_sold - self.seats_remaining
        return self.seats_held + self.seats_blocked


class _SeatCache(_Body):
    event_id: str


class _CacheStats(_Body):
    seat_cache: _SeatCache


class _Persistence(_Body):
    lag: int


class Stats(_Body):
    cache_stats: _CacheStats
    persistence: _Persistence


_AnyBody = TypeVar("_AnyBody", bound=_Body)


class Sale(NamedTuple):
    """What every buyer wants: `quantity` seats of one event; the default event without `event_id`."""

    server: Server
    event_id: str | None
    quantity: int

    @property
    def event_path(self) -> str:
        return f"/api/v1/events/{quote(self.event_id, safe='')}" if self.event_id else "/api/v1/event"

    @property
    def purchase_path(self) -> str:
        return f"{self.event_path}/purchases" if self.event_id else "/api/v1/purchase"

    @property
    def order(self) -> bytes:
        return json.dumps({"quantity": self.quantity}).encode()

    def counts(self, client: Client, tries: int = 6) -> Counts:
        """Raises Unreachable."""
        return _parsed(Counts, client.read(self.event_path, tries), f"{self.server.url}{self.event_path}")

    def lag(self, client: Client) -> int | None:
        """Log entries that SQL does not have yet; None where the server's stats are of another event."""
        stats = _parsed(Stats, client.read("/api/v1/stats"), f"{self.server.url}/api/v1/stats")
        covered = self.event_id in (None, stats.cache_stats.seat_cache.event_id)
        return stats.persistence.lag if covered else None


def record_of(client: Client, purchase_id: str) -> Record | str:
    """The purchase, or in words what came instead. Raises Unreachable."""
    answer = client.read(f"/api/v1/purchases/{quote(purchase_id, safe='')}")
    if answer.status != 200:
        return f"answered {answer.status}"
    try:
        return Record.model_validate_json(answer.body)
    except ValidationError as error:
        return f"unreadable: {_first(error)}"


def _parsed(model: type[_AnyBody], answer: Answer, address: str) -> _AnyBody:
    if answer.status != 200:
        raise Unreachable(f"{address} answered {answer.status}{code_of(answer)}")
    try:
        return model.model_validate_json(answer.body)
    except ValidationError as error:
        raise Unreachable(f"{address} is not a seating server's: {_first(error)}") from error


def code_of(answer: Answer) -> str:
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
