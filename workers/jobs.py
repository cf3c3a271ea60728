"""The jobs that RQ runs. Each takes ids, calls one service, and may run twice, or twice at once."""

from functools import cache

from seating.config import load_settings
from seating.runtime import BackgroundServices, background_services


@cache
def services() -> BackgroundServices:
    return background_services(load_settings(), writes_the_sale=True)


def persist(*event_ids: str) -> None:
    """Records what the events' logs have gathered."""
    services().persistence.run_all(event_ids)
