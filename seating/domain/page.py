"""A page of a list that is too long for one response."""

from collections.abc import Callable, Iterator
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


def all_items(page_after: Callable[[_Cursor | None], Page[_Item, _Cursor]]) -> Iterator[_Item]:
    """Yield the items of all pages. Each page is fetched when its first item is asked for; the first one after None."""
    cursor: _Cursor | None = None
    while True:
        page = page_after(cursor)
        yield from page.items
        cursor = page.next
        if cursor is None:
            return
