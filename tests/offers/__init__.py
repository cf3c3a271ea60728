"""Events that are sold by categories."""

import json
from typing import Any

from seating.domain import plan_file
from seating.domain.offer import Offer, offer_of_plan
from seating.domain.plan_format import PlanFile
from seating.domain.purchase import Order
from seating.domain.seating_plan import SeatingPlan
from seating.services.purchases import AcceptedPurchase
from seating.web.event_bodies import NewEvent
from seating.web.offers import CategoryTerms, amended
from tests.one_process import OPERATOR, OneProcess
from tests.seating_plan_file import row, seat


def hall() -> SeatingPlan:
    """Rows A to C of Gold (4 seats each), of Silver (4 each) and of Wheel (2 each), in two zones."""
    zones = []
    for zone, categories in (("Left", ("Gold", "Wheel")), ("Right", ("Silver",))):
        rows = [
            row(
                f"{category}-{letter}",
                [seat(f"{category}-{letter}-{n}", category, 10 * n) for n in range(1, seats + 1)],
            )
            for category in categories
            for letter in "ABC"
            for seats in ((2 if category == "Wheel" else 4),)
        ]
        zones.append({"name": zone, "position": {"x": 0, "y": 0}, "rows": rows, "areas": []})
    names = [{"name": name} for name in ("Gold", "Silver", "Wheel")]
    return plan_file.read(PlanFile.model_validate({"name": "Hall", "categories": names, "zones": zones}))


def priced(plan: SeatingPlan, **more: dict[str, Any]) -> Offer:
    """Gold 50.00, Silver 30.00, Wheel 20.00 for those who ask; `more` is as bodies have it."""
    terms: dict[str, dict[str, Any]] = {
        "Gold": {"price": 5000},
        "Silver": {"price": 3000},
        "Wheel": {"price": 2000, "onRequest": True, "accessible": True},
    }
    for name, given in more.items():
        terms[name] |= given
    return amended(offer_of_plan(plan), _terms(terms), "EUR")


def areas(currency: str | None = "EUR", **terms: dict[str, Any]) -> Offer:
    """Areas of general admission, as a body has them."""
    body = {"name": "Test", "categories": terms} | ({"currency": currency} if currency else {})
    _, offer = NewEvent.model_validate(body).hall()
    assert offer
    return offer


def open_hall(sale: OneProcess, **more: dict[str, Any]) -> str:
    plan = hall()
    return sale.event_creation.create("Test", plan.capacity, plan, OPERATOR, priced(plan, **more)).event.id


def open_areas(sale: OneProcess, offer: Offer) -> str:
    places = sum(category.capacity or 0 for category in offer.categories)
    return sale.event_creation.create("Test", places, None, OPERATOR, offer).event.id


def change(sale: OneProcess, event_id: str, currency: str | None = None, **terms: dict[str, Any]) -> None:
    """Pauses the sale, changes its categories, and resumes it."""
    sale.events.set_state(event_id, "paused", OPERATOR)
    sale.events.set_offer(event_id, lambda offer: amended(offer, _terms(terms), currency), OPERATOR)
    sale.events.set_state(event_id, "on_sale", OPERATOR)


def buy(sale: OneProcess, event_id: str, key: str, quantity: int = 1, **wishes: Any) -> AcceptedPurchase:
    return sale.purchases.buy(event_id, "anonymous", key, Order(quantity, **wishes))


def _terms(terms: dict[str, dict[str, Any]]) -> dict[str, CategoryTerms]:
    return {name: CategoryTerms.model_validate_json(json.dumps(given)) for name, given in terms.items()}
