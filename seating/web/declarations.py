"""What a view declares for the OpenAPI document besides its signature: its refusals and response headers."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from seating.domain.errors import EventNotFound, InventoryUnavailable, NotOnSale, SeatingError

View = Callable[..., Any]
_View = TypeVar("_View", bound=View)

OF_INVENTORY: Final = (EventNotFound, NotOnSale, InventoryUnavailable)
"""Refusals of every route that reads or changes an event's inventory; NotOnSale then means that it is archived."""


def refuses(*errors: type[SeatingError]) -> Callable[[_View], _View]:
    """Declare refusals, except those that follow from a view's parameters, access and rate limit."""

    def declare(view: _View) -> _View:
        view.refusals = errors  # type: ignore[attr-defined]
        return view

    return declare


def sends(*headers: str, statuses: tuple[int, ...] = (200, 201, 304)) -> Callable[[_View], _View]:
    """Declare headers, by name in api_headers, and the statuses that send them."""

    def declare(view: _View) -> _View:
        view.sends = dict.fromkeys(headers, statuses)  # type: ignore[attr-defined]
        return view

    return declare
