"""The views' way to services, settings and the live hub."""

from collections.abc import Callable
from typing import Any, Final

from flask import Flask, current_app

from seating.config import Settings
from seating.live.hub import Hub
from seating.services.services import Services

_EXTENSION: Final = "seating"
_OPERATIONS: Final = "seating.operations"

# Reading an attribute through Flask's proxy takes ten times as long.
_application: Callable[[], Flask] = current_app._get_current_object  # type: ignore[attr-defined]


def attach(app: Flask, settings: Settings, services: Services, hub: Hub) -> None:
    app.extensions[_EXTENSION] = (settings, services, hub)


def attach_operations(app: Flask, operations: Flask) -> None:
    """`operations` is what the port for operations serves."""
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


def hub() -> Hub:
    found: Hub = _application().extensions[_EXTENSION][2]
    return found


def close_feeds(app: Any) -> None:
    """Says goodbye on all live feeds of `app`, if it has any."""
    if _EXTENSION in getattr(app, "extensions", ()):
        hub: Hub = app.extensions[_EXTENSION][2]
        hub.close()
