"""The seats of an event: all of them at once, rendered once for a crowd, and setting one as the organiser wants."""

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NamedTuple

from sqlalchemy import Connection

from seating.domain import errors
from seating.domain.actor import Actor
from seating.domain.log_format import PLACES_SET
from seating.domain.page import Page, first_of
from seating.domain.position import Position
from seating.domain.seat_selection import PlacesOutcomeUnknown, SeatSelection
from seating.domain.seat_status import OFF_SALE, SETTABLE, WORDS
from seating.domain.seating_plan import SeatRange
from seating.memo import FreshLook, Memo
from seating.redis_store.event_scripts import MissingInventory
from seating.redis_store.seat_states import SeatStates, SeatStore, SetSeats, States
from seating.services.event_changes import EventChanges
from seating.services.missing_event import MissingEvent
from seating.services.offers import Offers
from seating.services.seat_names import SeatNames
from seating.storage import events, organiser
from seating.storage.database import Database, Offload
from seating.storage.organiser import OrganiserPlaces, OrganiserSeat

_MOST_BYTES: Final = 32_000_000
# Level 1: a map of four letters is a quarter of its size at any level.
_COMPRESSION: Final = 1
_WORTH_COMPRESSING_BYTES: Final = 1_000


class OrganisersPart(NamedTuple):
    """A page of the seats that the organiser set; in general admission none, and all `places` instead."""

    page: Page[OrganiserSeat, str]
    places: list[OrganiserPlaces]


class Seat(NamedTuple):
    """`status` is available, held, reserved or sold."""

    id: str
    status: str


@dataclass(frozen=True, slots=True)
class Seats:
    """Raises EventNotFound, InventoryUnavailable."""

    store: SeatStore
    names: SeatNames
    changes: EventChanges
    database: Database
    offers: Offers

    def set_all(self, event_id: str, chosen: SeatSelection, status: str, by: Actor) -> SetSeats:
        """Set all of them or, if a buyer has one, none. `status` is one of SETTABLE.

        Raises InvalidRequest, SeatNotFound, SeatSold, SeatHeld, SeatUnavailable, RolloutInProgress, OutcomeUnknown and,
        for places, SoldOut if there are fewer, and PlacesOutcomeUnknown.
        """
        plan = self.names.plan(event_id)
        # Names become places here: the scripts know no names.
        runs = chosen.runs(plan) if plan else self._places(event_id, chosen)
        quantity = None if runs else chosen.quantity
        # Older versions read an entry with a quantity without setting any place.
        with self.changes.of(event_id, None if quantity is None else PLACES_SET):
            try:
                done = self.store.set(event_id, runs, SETTABLE[status], by, chosen.places_are, quantity)
            except errors.OutcomeUnknown as error:
                if chosen.quantity is None:
                    raise
                raise PlacesOutcomeUnknown from error
        self.changes.reached(event_id, done.position)
        return done

    def _places(self, event_id: str, chosen: SeatSelection) -> list[SeatRange]:
        """Of general admission: so many places of the category's area; empty where there are no categories."""
        if chosen.quantity is None:
            raise errors.InvalidRequest("This event is of general admission: give a quantity", "quantity")
        if chosen.category is None:
            if self.offers.has_categories(event_id):
                raise errors.InvalidRequest("Category is required: these are places of one", "category")
            return []
        ((area, _),) = self.offers.blocks_of_category(event_id, chosen.category)
        return [SeatRange(area, 0, chosen.quantity)]

    def set_by_organiser(self, event_id: str, after_seat: str, count: int, status: str | None) -> OrganisersPart:
        """What the organiser made of seats, as SQL has it; of a status that is one of SETTABLE, if it is given.

        Raises EventNotFound, RecordUnavailable.
        """
        letter = None if status is None else SETTABLE[status]

        def find(connection: Connection) -> OrganisersPart:
            seats = organiser.seats_page(connection, event_id, after_seat, count + 1, letter)
            event = None if seats else events.find(connection, event_id)
            if not seats and event is None:
                raise errors.EventNotFound
            places = organiser.places(connection, event_id) if event and not event.seated else []
            of_status = [one for one in places if letter in (None, one.status)]
            return OrganisersPart(first_of(seats, count, lambda seat: seat.seat_id), of_status)

        return self.database.read(find)

    def set(self, event_id: str, seat_id: str, status: object, by: Actor) -> Seat:
        """`status` is one of SETTABLE. Raises InvalidStatus, UnknownSeat, SeatSold, SeatHeld."""
        if not isinstance(status, str) or status not in SETTABLE:
            raise errors.InvalidStatus(field="status")
        try:
            runs = self.names.runs(event_id, [seat_id])
        except errors.SeatNotFound:
            raise errors.UnknownSeat from None
        with self.changes.of(event_id):
            done = self.store.set(event_id, runs, SETTABLE[status], by)
        self.changes.reached(event_id, done.position)
        return Seat(seat_id, WORDS[OFF_SALE] if done.off_sale else status)


Render = Callable[[States], bytes]


class SeatPage(NamedTuple):
    """What a view made of a map. `tag` names the map: another one of the same event has another tag."""

    tag: str
    position: Position
    body: bytes
    gzipped: bool


@dataclass(frozen=True, slots=True)
class SeatMaps:
    """Keeps pages of 32 MB together, the last ones of each event; the least recently used go first.

    `offload` is for compressing. Raises EventNotFound, InventoryUnavailable.
    """

    states: SeatStates
    presence: MissingEvent
    offload: Offload
    _looks: FreshLook[tuple[str, str, bool], SeatPage] = field(default_factory=FreshLook, init=False)
    _kept: Memo[tuple[str, str, bool], bytes] = field(
        default_factory=lambda: Memo(max_weight=_MOST_BYTES, weigh=len), init=False
    )

    def of(self, event_id: str) -> States:
        """As they are now."""
        try:
            return self.states.of(event_id)
        except MissingInventory:
            raise self.presence.absence_of(event_id) from None

    def page(self, event_id: str, name: str, render: Render, *, gzipped: bool) -> SeatPage:
        """The map as it is now, as `render` shows it; `name` is that of the rendering. A small page is not compressed.

        One page of an event is rendered at a time, so a crowd that reads while seats are sold does not take a process.
        """
        return self._looks.get((event_id, name, gzipped), partial(self._look, event_id, name, render, gzipped))

    def _look(self, event_id: str, name: str, render: Render, gzipped: bool) -> SeatPage:
        found = self.of(event_id)
        # Everything that the page depends on, since the position alone does not change when holds lapse.
        tag = f"{event_id}.{found.since}.{found.lapsed}"
        body = self._kept.get((event_id, name, False), partial(render, found), version=tag)
        gzipped = gzipped and len(body) >= _WORTH_COMPRESSING_BYTES
        if gzipped:
            body = self._kept.get((event_id, name, True), partial(self._compress, body), version=tag)
        return SeatPage(tag, found.checkpoint.position, body, gzipped)

    def _compress(self, body: bytes) -> bytes:
        compressed: bytes = self.offload(partial(gzip.compress, body, _COMPRESSION, mtime=0))
        return compressed
