"""The views' way to services and settings."""

from typing import Final

from flask import Flask, current_app

from seating.config import Settings
from seating.services.services import Services

_EXTENSION: Final = "seating"


def attach(app: Flask, settings: Settings, services: Services) -> None:
    app.extensions[_EXTENSION] = (settings, services)


def services() -> Services:
    found: Services = current_app.extensions[_EXTENSION][1]
    return found


def settings() -> Settings:
    found: Settings = current_app.extensions[_EXTENSION][0]
    return found
