"""A page of a list that is too long for one response."""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

_Item = TypeVar("_Item")
_Cursor = TypeVar("_Cursor")


class Page(NamedTuple, Generic[_Item, _Cursor]):
    """`next` is the cursor of the next page; None on the last one."""

    items: list[_Item]
    next: _Cursor | None


def first_of(found: list[_Item], count: int, cursor_of: Callable[[_Item], _Cursor]) -> Page[_Item, _Cursor]:
    """Return the first `count` of `found`. If `found` has more, `next` is the cursor of the last one returned."""
    return Page(found[:count], cursor_of(found[count - 1]) if len(found) > count else None)
