"""An offer: on what conditions an event is sold: when, how much at once, and category by category."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, NamedTuple, Self

import orjson

from seating.domain.seating_plan import SeatingPlan, SeatRange
from seating.domain.timestamps import LATEST_MS

MAX_PRICE: Final = 1_000_000_000
"""Of a seat, in minor units."""
MAX_ORDER: Final = 10_000
BOUNDS: Final = ("on_sale_at_ms", "off_sale_at_ms", "max_per_purchase", "max_per_buyer")
"""Fields of an offer that do not depend on the category."""

BlockRange = tuple[int, int]
"""The numbers of a first and a last block; of an area of general admission, its number twice."""


class SaleTimes(NamedTuple):
    """When seats are sold: from `opens_ms` on and before `closes_ms`, in ms since 1970; None is no bound."""

    opens_ms: int | None = None
    closes_ms: int | None = None

    @classmethod
    def parse(cls, bounds: str) -> Self:
        """Read them from the text of `Offer.bounds`. A damaged one may name a time after all that can be written."""
        return cls(*(min(int(moment), LATEST_MS) if moment else None for moment in bounds.split(":")[:2]))

    def is_open(self, now_ms: int) -> bool:
        """Whether seats may be sold at that moment."""
        has_opened = self.opens_ms is None or self.opens_ms <= now_ms
        return has_opened and (self.closes_ms is None or now_ms < self.closes_ms)


class CategoryOffer(NamedTuple):
    """`price` is in minor units, None without one. A category that is not `on_sale` cannot be had, one `on_request`
    only by those who ask for it or for its seats.

    Those with a lower `order` are searched first, within one order as the plan has them. `blocks` are where its seats
    are. `capacity` is the number of places of an area of general admission, None in a hall.
    """

    name: str
    price: int | None = None
    on_sale: bool = True
    on_request: bool = False
    accessible: bool = False
    order: int = 0
    capacity: int | None = None
    blocks: tuple[BlockRange, ...] = ()

    @property
    def flags(self) -> str:
        """As offer.lua reads them."""
        flags = (("x", not self.on_sale), ("q", self.on_request), ("a", self.accessible))
        return "".join(flag for flag, is_set in flags if is_set)


@dataclass(frozen=True, slots=True)
class Offer:
    """A category is known by its place in `categories`, which never changes for an event, nor does its name.

    `currency` is an ISO 4217 code; without it there are no prices. Seats are sold from `on_sale_at_ms` on and before
    `off_sale_at_ms`, in ms since 1970 by Redis's clock, at most `max_per_purchase` at once, and `max_per_buyer` to one
    buyer of a shop. None is no bound.
    """

    categories: tuple[CategoryOffer, ...] = ()
    currency: str | None = None
    on_sale_at_ms: int | None = None
    off_sale_at_ms: int | None = None
    max_per_purchase: int | None = None
    max_per_buyer: int | None = None

    def to_fields(self) -> dict[str, Any]:
        """As JSON has it; `from_fields` is its inverse."""
        said = {"categories": [_category_fields(category) for category in self.categories], "currency": self.currency}
        return said | {name: value for name in BOUNDS if (value := getattr(self, name)) is not None}

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """Ignores what this version does not know."""
        bounds = {name: fields.get(name) for name in BOUNDS}
        return cls(tuple(map(_category, fields["categories"])), fields.get("currency"), **bounds)

    def to_json(self) -> str:
        """As events.offer and the inventory keep it."""
        return orjson.dumps(self.to_fields()).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        return cls.from_fields(orjson.loads(text))

    def inventory_fields(self) -> dict[str, str]:
        """Fields of `inventory:{e}`; those without a value are empty, and not there in Redis."""
        fields = {"offer": self.searched, "currency": self.currency or "", "offered": self.to_json()}
        return fields | {"bounds": self.bounds}

    @property
    def bounds(self) -> str:
        """As acceptance.lua reads them: `opens:closes:most a purchase:most a buyer`; empty without any."""
        bounds = [getattr(self, name) for name in BOUNDS]
        return "" if bounds == [None] * len(BOUNDS) else ":".join("" if one is None else str(one) for one in bounds)

    @property
    def times(self) -> SaleTimes:
        return SaleTimes(self.on_sale_at_ms, self.off_sale_at_ms)

    @property
    def searched(self) -> str:
        """As offer.lua reads it: `category:flags:price:first-last;…`, in the order in which blocks are searched."""
        parts = [
            (
                category.order,
                first,
                f"{number}:{category.flags}:{'' if category.price is None else category.price}",
                last,
            )
            for number, category in enumerate(self.categories)
            for first, last in category.blocks
        ]
        return ";".join(f"{terms}:{first}-{last}" for _, first, terms, last in sorted(parts))

    @property
    def has_areas(self) -> bool:
        """Whether this is general admission: its places have no names."""
        return any(category.capacity is not None for category in self.categories)

    def is_off_sale(self, block: int) -> bool:
        """Whether the block, or the area of general admission, is of a category that is off sale."""
        return any(
            first <= block <= last
            for category in self.categories
            if not category.on_sale
            for first, last in category.blocks
        )

    def off_sale_of(self, runs: Iterable[SeatRange]) -> list[SeatRange]:
        """Those of `runs` that nobody can have when they return."""
        return [run for run in runs if self.is_off_sale(run.block)]

    def number_of(self, name: str) -> int | None:
        """The number of the category of that name."""
        return next((number for number, category in enumerate(self.categories) if category.name == name), None)


def block_ranges(blocks: Sequence[int]) -> tuple[BlockRange, ...]:
    """Ascending block numbers as ranges."""
    ranges = (list(group) for _, group in groupby(enumerate(blocks), key=lambda pair: pair[1] - pair[0]))
    return tuple((found[0][1], found[-1][1]) for found in ranges)


def common_blocks(*ranges_of_each: Sequence[BlockRange]) -> tuple[BlockRange, ...]:
    """The blocks that are in all of these."""
    common, *others = ranges_of_each
    for ranges in others:
        both = ((max(a, c), min(b, d)) for a, b in common for c, d in ranges)
        common = tuple((first, last) for first, last in both if first <= last)
    return tuple(common)


def offer_of_plan(plan: SeatingPlan) -> Offer:
    """All categories of a plan on sale, without prices."""
    parts = plan.parts
    blocks: list[list[int]] = [[] for _ in parts.categories]
    for block, category in enumerate(parts.category_of):
        blocks[category].append(block)
    return Offer(
        tuple(CategoryOffer(name, blocks=block_ranges(of)) for name, of in zip(parts.categories, blocks, strict=True))
    )


def _category_fields(category: CategoryOffer) -> dict[str, Any]:
    return category._asdict() | {"blocks": [list(blocks) for blocks in category.blocks]}


def _category(fields: Mapping[str, Any]) -> CategoryOffer:
    known = {name: fields[name] for name in CategoryOffer._fields if name in fields}
    return CategoryOffer(**known | {"blocks": tuple((first, last) for first, last in fields.get("blocks", ()))})
