"""The views' way to services, settings and the live hub."""

from typing import Final

from flask import Flask, current_app

from seating.config import Settings
from seating.live.hub import Hub
from seating.services.services import Services

_EXTENSION: Final = "seating"


def attach(app: Flask, settings: Settings, services: Services, hub: Hub) -> None:
    app.extensions[_EXTENSION] = (settings, services, hub)


def services() -> Services:
    found: Services = current_app.extensions[_EXTENSION][1]
    return found


def settings() -> Settings:
    found: Settings = current_app.extensions[_EXTENSION][0]
    return found


def hub() -> Hub:
    return hub_of(current_app)


def hub_of(app: Flask) -> Hub:
    found: Hub = app.extensions[_EXTENSION][2]
    return found
