"""Events that are drafts: for all but operators and readers they do not exist."""

from flask import Flask, Response

from seating.domain.errors import EventNotFound, InventoryUnavailable, NotOnSale
from seating.domain.event import DRAFT
from seating.web.callers import Access, may
from seating.web.errors import refuse
from seating.web.services import services


def register(app: Flask) -> None:
    """Answer callers who do not see drafts that there is no such event, not that it is not on sale or unavailable."""
    for refusal in (NotOnSale, InventoryUnavailable):
        app.register_error_handler(refusal, _hide)


def sees_drafts() -> bool:
    """Return whether the caller may know of drafts: those who operate or read."""
    return may(Access.READERS)


def refuse_hidden_draft(event_id: str) -> bool:
    """Return whether the event is a draft. Raises EventNotFound for one, unless the caller sees drafts.

    Call this before looking up anything that the request names. Asks Redis, and SQL where Redis lacks the event or may
    not sell it, until the event is known to be public.
    """
    is_draft = services().events.is_draft(event_id)
    if is_draft and not sees_drafts():
        raise EventNotFound
    return is_draft


def _hide(error: NotOnSale | InventoryUnavailable) -> Response:
    is_hidden = error.facts.get("state") == DRAFT and not sees_drafts()
    return refuse(EventNotFound() if is_hidden else error)
