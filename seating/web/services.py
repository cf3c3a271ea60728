"""Gives views access to services, settings and the live hub."""

from collections.abc import Callable
from typing import Any, Final

from flask import Flask, current_app

from seating.config import Settings
from seating.live.hub import Hub
from seating.services.services import Services
from seating.web.request_log import note

_EXTENSION: Final = "seating"
_OPERATIONS: Final = "seating.operations"

_READINESS_WITHIN_S: Final = 3.0

# Flask's proxy makes an attribute read ten times as slow.
_application: Callable[[], Flask] = current_app._get_current_object  # type: ignore[attr-defined]


def attach(app: Flask, settings: Settings, services: Services, hub: Hub) -> None:
    app.extensions[_EXTENSION] = (settings, services, hub)


def attach_operations(app: Flask, operations: Flask) -> None:
    """Attach `operations`, the application of the operations port."""
    app.extensions[_OPERATIONS] = operations


def operations_of(app: Flask) -> Flask:
    found: Flask = app.extensions[_OPERATIONS]
    return found


def services() -> Services:
    found: Services = _application().extensions[_EXTENSION][1]
    return found


def settings() -> Settings:
    found: Settings = _application().extensions[_EXTENSION][0]
    return found


def default_event() -> str:
    """Return the id of the default event, which the log line of the request then names too."""
    event_id = settings().default_event
    note(event_id=event_id)
    return event_id


def hub() -> Hub:
    found: Hub = _application().extensions[_EXTENSION][2]
    return found


def begin_serving(app: Any, drains: Callable[[], bool]) -> None:
    """Wait until `app` knows whether it is ready, if it has readiness at all. It is not while `drains` is true."""
    if _EXTENSION in getattr(app, "extensions", ()):
        services: Services = app.extensions[_EXTENSION][1]
        services.readiness.drains = drains
        services.readiness.wait(_READINESS_WITHIN_S)


def close_feeds(app: Any) -> None:
    """Close all live feeds of `app`, if it has any."""
    if _EXTENSION in getattr(app, "extensions", ()):
        hub: Hub = app.extensions[_EXTENSION][2]
        hub.close()
