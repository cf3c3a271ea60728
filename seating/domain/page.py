"""A part of a list that is too long for one answer."""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

_Item = TypeVar("_Item")
_Cursor = TypeVar("_Cursor")


class Page(NamedTuple, Generic[_Item, _Cursor]):
    """`next` is the cursor that continues the list, None ends it."""

    items: list[_Item]
    next: _Cursor | None


def first_of(found: list[_Item], count: int, cursor_of: Callable[[_Item], _Cursor]) -> Page[_Item, _Cursor]:
    """The first `count` of `found`, which has more than that if the list goes on, behind the last one's cursor."""
    return Page(found[:count], cursor_of(found[count - 1]) if len(found) > count else None)
