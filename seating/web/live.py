"""Live seat changes over WebSockets.

`/` serves the default event: CONNECTED, then SEAT_UPDATE for each changed seat.
`/api/v1/events/{id}/live?since=<since>` sends SEATS or STATE for each log entry after `since`, or SNAPSHOT_NEEDED if
those entries are gone; in general admission, AVAILABILITY and STATE; and OPENING. docs/live.md describes both.
"""

from typing import Any, Final

import structlog
from flask import Blueprint, Flask, Response, current_app, g, request
from flask_sock import Sock  # type: ignore[import-untyped]
from pydantic import Field

from seating.config import Settings
from seating.domain.errors import EventNotFound, InvalidRequest, SeatingError
from seating.domain.event import is_event_id
from seating.domain.log_entry import ResumePoint
from seating.live.feed import PLAIN, POSITIONED, Audience
from seating.live.outbox import NORMAL
from seating.web import handshake
from seating.web.application import Routes
from seating.web.callers import Access, client_address, open_to
from seating.web.drafts import refuse_hidden_draft
from seating.web.live_socket import LIBRARY_OPTIONS, make_lean
from seating.web.origins import may_connect
from seating.web.request_errors import OriginNotAllowed
from seating.web.request_log import shown_client
from seating.web.responses import render
from seating.web.schemas import Answer, examples
from seating.web.services import hub, services, settings

api = Routes("live_status", __name__, "Seats", "The seat map and its live feeds.")
sockets = Blueprint("live", __name__)

_CONNECTIONS: Final = "seating.connections"
_REFUSED: Final = "seating.refused_feeds"
_LIVE_SHARE = 0.75
"""The share of a process's connections for live feeds: the rest is kept for requests."""

_log = structlog.get_logger(__name__)


class LiveStatusView(Answer):
    model_config = examples({"connectedClients": 12})

    connected_clients: int = Field(description="open WebSockets of all web processes, on all machines")


def register(app: Flask) -> None:
    app.config["SOCK_SERVER_OPTIONS"] = LIBRARY_OPTIONS
    app.register_blueprint(sockets)


def attach(app: Flask, current: Settings) -> None:
    """Attach the limits for sockets, and the sockets of refused feeds."""
    app.extensions[_CONNECTIONS] = handshake.OpenSockets(
        current.live_connections_per_address, int(current.web_connections * _LIVE_SHARE)
    )
    app.extensions[_REFUSED] = handshake.RefusedFeeds()


@api.get("/seats/ws-status", responses={200: LiveStatusView})
@open_to(Access.ANYBODY)
def get_live_status() -> Response:
    """Count the open WebSockets of all web processes"""
    return render(LiveStatusView(connected_clients=services().instances.counts().live_clients))


@sockets.before_request
def _before_handshake() -> Response | None:
    """Answer an invalid handshake with an HTTP error, and a valid but refused one with a socket that closes."""
    handshake.check(request)
    try:
        _admit()
    except SeatingError as error:
        return _refused_feeds().refuse(request, error)
    return None


def _admit() -> None:
    if not may_connect(request, settings().allowed_live_origins):
        raise OriginNotAllowed
    g.since = _since(request.args.get("since"))
    g.event_id = (request.view_args or {}).get("event_id") or settings().default_event
    if not is_event_id(g.event_id):
        raise EventNotFound
    refuse_hidden_draft(g.event_id)
    services().events.counts(g.event_id)
    address = client_address()
    # The last of the checks: a handshake that is refused takes no place.
    _connections().enter(address)
    # Not sooner: the end of the request gives back a place for the address that it finds here.
    g.address = address
    g.socket = handshake.prepare(request, settings().live_queue_kb * 1024)


@sockets.teardown_request
def _after_farewell(_error: BaseException | None) -> None:
    address = g.pop("address", None)
    if address:
        _connections().leave(address)


def _serve(library: Any, audience: Audience) -> None:
    make_lean(library)
    hub().serve(g.event_id, audience, g.since, g.socket.outbox, library.thread.run)
    _log.info(
        "live socket closed",
        request_id=request.environ["seating.request_id"],
        event_id=g.event_id,
        code=g.socket.outbox.code or NORMAL,
        **shown_client(request.environ, settings()),
    )
    g.socket.linger()


def _default_feed(library: Any) -> None:
    _serve(library, PLAIN)


def _event_feed(library: Any, event_id: str) -> None:
    assert event_id == g.event_id
    _serve(library, POSITIONED)


def _since(text: str | None) -> ResumePoint | None:
    try:
        return ResumePoint.parse(text) if text else None
    except ValueError:
        raise InvalidRequest("Since must be a position, such as 217907169-42.0f3a9c5e", "since") from None


def _connections() -> handshake.OpenSockets:
    found: handshake.OpenSockets = current_app.extensions[_CONNECTIONS]
    return found


def _refused_feeds() -> handshake.RefusedFeeds:
    found: handshake.RefusedFeeds = current_app.extensions[_REFUSED]
    return found


_sock = Sock()
_sock.route("/", bp=sockets)(_default_feed)
_sock.route("/api/v1/events/<event_id>/live", bp=sockets)(_event_feed)
