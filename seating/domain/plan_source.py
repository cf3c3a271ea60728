"""Where a plan is in what was sent: a plan itself, one of pretix's API, or a page of its API with several."""

from typing import Any, Final, NoReturn

from seating.domain.plan_faults import Faults

_MAX_NAME: Final = 60


def found_in(value: Any, within: str, pick: str | None) -> tuple[Any, str]:
    """The plan in `value`, and its path there, with a dot behind it unless that is empty.

    `pick` is the id or the name of a plan on a page. Raises InvalidPlan with all plans of a page if it is not clear
    which one is meant.
    """
    if not isinstance(value, dict) or "zones" in value:
        return value, ""
    if isinstance(value.get("layout"), dict):
        return value["layout"], "layout."
    if not isinstance(value.get("results"), list):
        return value, ""
    plans = [
        (f"results.{number}.layout", result)
        for number, result in enumerate(value["results"])
        if isinstance(result, dict) and isinstance(result.get("layout"), dict)
    ]
    picked = [(path, plan) for path, plan in plans if pick is None or pick in (str(plan.get("id")), plan.get("name"))]
    if len(picked) != 1:
        _refuse(plans, Faults(within))
    path, plan = picked[0]
    return plan["layout"], f"{path}."


def _refuse(plans: list[tuple[str, dict[str, Any]]], faults: Faults) -> NoReturn:
    if not plans:
        faults.add("results", None, "this page of pretix's API has no plan in it")
    for path, plan in plans:
        faults.add(
            path,
            str(plan.get("name", ""))[:_MAX_NAME],
            f"this is one of {len(plans)} plans on a page of pretix's API; take one",
            f"{path} (id {str(plan.get('id'))[:_MAX_NAME]}, {_seats(plan['layout'])} seats)",
        )
    faults.refuse()


def _seats(layout: dict[str, Any]) -> int:
    return sum(
        len(row["seats"])
        for zone in _dicts(layout.get("zones"))
        for row in _dicts(zone.get("rows"))
        if isinstance(row.get("seats"), list)
    )


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
