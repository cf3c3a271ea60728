"""What seats are sold as: which blocks a buyer's wish names, and the names and prices of what was sold."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from seating.domain.errors import InvalidRequest, InventoryUnavailable
from seating.domain.offer import BlockRange, Offer, block_ranges, common_blocks
from seating.domain.purchase import Order, Purchase
from seating.domain.seat_selection import unknown
from seating.domain.seating_plan import SeatingPlan, SeatRange
from seating.domain.sold_as import SoldAs, total_of_part
from seating.memo import Memo
from seating.redis_store.event_scripts import MissingInventory
from seating.redis_store.inventory import Inventory
from seating.services.seat_names import SeatNames
from seating.storage import events
from seating.storage.database import Database

_MOST_CATEGORIES: Final = 10_000
_NOWHERE: Final = ((1, 0),)
"""For a search that finds nothing; no blocks at all would mean all of them."""


class _NoOffer(MissingInventory):
    """Neither an event without categories has one, nor one whose inventory has gone."""


@dataclass(frozen=True, slots=True)
class Offers:
    """Names and blocks of categories never change for an event, so they are kept; what else an offer says is not."""

    inventory: Inventory
    names: SeatNames
    database: Database
    _first: Memo[str, Offer] = field(
        default_factory=lambda: Memo(max_weight=_MOST_CATEGORIES, weigh=lambda offer: len(offer.categories)), init=False
    )

    def within(self, event_id: str, order: Order) -> Sequence[BlockRange]:
        """The blocks of the category and zone that an order names; none where it names neither.

        Raises InvalidRequest for one that the event does not have, and EventNotFound.
        """
        wished: list[Sequence[BlockRange]] = []
        if order.category is not None:
            wished.append(self.blocks_of_category(event_id, order.category))
        if order.zone is not None:
            wished.append(self._blocks_of_zone(event_id, order.zone))
        return (common_blocks(*wished) or _NOWHERE) if wished else ()

    def named(
        self, event_id: str, runs: Sequence[SeatRange], tariff: str, currency: str | None
    ) -> tuple[list[str], SoldAs | None]:
        """The ids of the seats in `runs`, none in general admission, and what they are sold as; None without one."""
        if not tariff:
            return self.names.names(event_id, runs), None
        offer = self._first.get(event_id, partial(self._load, event_id))
        sold_as = SoldAs.of(tariff, currency, runs, [category.name for category in offer.categories])
        return [] if offer.has_areas else self.names.names(event_id, runs), sold_as

    def named_purchases(self, found: Sequence[Purchase]) -> list[Purchase]:
        """Purchases of one event with the ids of their seats, and what they were sold as."""
        if not any(purchase.runs for purchase in found):
            return list(found)
        event_id = found[0].id.event_id
        priced = any(purchase.tariff for purchase in found)
        offer = self._first.get(event_id, partial(self._load, event_id)) if priced else None
        plan = None if offer and offer.has_areas else self.names.any_plan(event_id)
        categories = [category.name for category in offer.categories] if offer else []
        return [with_names(purchase, plan, categories) for purchase in found]

    def blocks_of_category(self, event_id: str, name: str) -> Sequence[BlockRange]:
        """Where its seats are; an area is its number twice. Raises InvalidRequest, EventNotFound."""
        offer = self._open_offer(event_id)
        if offer is None:
            raise InvalidRequest("This event has no categories", "category")
        number = offer.number_of(name)
        if number is None:
            raise unknown("category", name, [category.name for category in offer.categories])
        return offer.categories[number].blocks

    def has_categories(self, event_id: str) -> bool:
        """Of an event that sells. Raises EventNotFound, InventoryUnavailable."""
        return self._open_offer(event_id) is not None

    def _open_offer(self, event_id: str) -> Offer | None:
        return self.names.of_open(event_id, lambda _: self._first.get(event_id, partial(self._load_open, event_id)))

    def _blocks_of_zone(self, event_id: str, name: str) -> Sequence[BlockRange]:
        plan = self.names.plan(event_id)
        zones = plan.parts.zone_of if plan else []
        if not zones:
            raise InvalidRequest("This event has no zones", "zone")
        if name not in zones:
            raise unknown("zone", name, zones)
        return block_ranges([block for block, zone in enumerate(zones) if zone == name])

    def _load_open(self, event_id: str) -> Offer:
        """Of an event that sells. SQL is not asked: anybody may ask for a category, as often as they like."""
        (offer,) = self.inventory.offers([event_id])
        if offer is None or not offer.categories:
            raise _NoOffer
        return offer

    def _load(self, event_id: str) -> Offer:
        """Also of an archived event, or one whose inventory is gone, or whose Redis does not answer."""
        try:
            return self._load_open(event_id)
        except InventoryUnavailable:
            event = self.database.read(events.find, event_id)
            if event is None or event.offer is None:
                raise
            return event.offer


def with_names(purchase: Purchase, plan: SeatingPlan | None, categories: Sequence[str]) -> Purchase:
    """Return a purchase with the ids of its seats and what they were sold as; `categories` are names."""
    runs, tariff, currency = purchase.runs, purchase.tariff, purchase.currency
    return purchase._replace(
        seats=plan.seats_of(runs) if plan else (),
        cancelled_seats=plan.seats_of(purchase.gone.runs) if plan else (),
        sold_as=SoldAs.of(tariff, currency, runs, categories) if tariff else None,
        cancelled_total=total_of_part(tariff, runs, purchase.gone.runs) if currency else None,
    )
