"""Making a plan of a file of the open seating-plan format: what is a block, and what is best."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from seating.domain import plan_order, stage, stretches
from seating.domain.plan_format import Area, Better, DrawnPosition, PlanFile, Zone
from seating.domain.plan_parts import PITCH, CategoryStretch, is_drawn, parts_of
from seating.domain.seating_plan import SeatingPlan, Spot, in_blocks


def read(file: PlanFile, best_first: Sequence[Better] = ()) -> SeatingPlan:
    """The plan: best are the zones and rows of `best_first`, then the others by category, then as they are listed.

    Where the plan has a stage and plainly lists the farthest rows first, the nearest are best instead. Of a row the
    stretch nearest to its middle is best. A block is of one zone and category. Raises InvalidRequest for what
    `best_first` names and the plan does not have.
    """
    ranks = plan_order.ranks(file, best_first)
    drawn = is_drawn(file)
    parts = list(parts_of(file, drawn=drawn))
    pitch = stretches.usual_pitch([seat.at for seat in part.seats] for part in parts) or PITCH
    found = stage.find(file, [seat.at for part in parts for seat in part.seats]) if drawn else None
    chosen = plan_order.within_categories(parts, found, pitch)
    order = sorted(
        zip(parts, chosen.keys, chosen.to_middles, strict=True),
        key=lambda one: (min(ranks[one[0].zone, row] for row in one[0].rows), one[0].category, *one[1]),
    )
    blocks: list[list[list[str]]] = []
    shown: list[dict[str, Any]] = []
    spots: list[list[Spot]] = []
    to_middles: list[list[int]] = []
    for (zone, category), together in groupby(order, key=lambda one: (one[0].zone, one[0].category)):
        for block in in_blocks(together, lambda one: len(one[0].seats)):
            blocks.append([[seat.drawn.seat_guid for seat in part.seats] for part, *_ in block])
            rows = [part.layout() for part, *_ in block]
            shown.append({"name": file.zones[zone].name, "zone": zone, "category": category, "rows": rows})
            spots.append([_spot(part, pitch) for part, *_ in block])
            to_middles.append([to_middle for *_, to_middle in block])
    plan = SeatingPlan(blocks, _layout(file, shown), *((spots, to_middles) if drawn else ()))
    plan.notes = (*file.notes, chosen.note)
    return plan


def _layout(file: PlanFile, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": file.name,
        "size": {"width": math.ceil(file.size.width), "height": math.ceil(file.size.height)} if file.size else None,
        "zones": [_zone(zone) for zone in file.zones],
        "categories": [{"name": category.name, "color": category.color} for category in file.categories],
        "areas": [_absolute(area, zone.position) for zone in file.zones for area in zone.areas],
        "blocks": blocks,
    }


def _spot(part: CategoryStretch, pitch: float) -> Spot:
    places = (100 * part.centre / pitch, 100 * part.step / pitch)
    return Spot(part.line, *(round(number) for place in places for number in (place.real, place.imag)))


def _zone(zone: Zone) -> dict[str, Any]:
    more = {"zoneId": zone.zone_id, "displayed": zone.displayed}
    return {"name": zone.name, **{name: value for name, value in more.items() if value is not None}}


def _absolute(area: Area, zone: DrawnPosition) -> dict[str, Any]:
    """What it holds beside is relative to its own position."""
    x, y = round(zone.x + area.position.x, 2), round(zone.y + area.position.y, 2)
    return area.model_dump(exclude_none=True, exclude={"uuid"}) | {"position": {"x": x, "y": y}}
