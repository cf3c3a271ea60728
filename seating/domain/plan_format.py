"""The open seating-plan JSON format that pretix uses: what a file of it may hold.

Source: seating-plan.schema.json, version 0.0.1, as it ships with pretix; fields of its older form are taken too.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from seating.domain.seating_plan import BLOCK_SEATS

_Line = Annotated[str, Field(max_length=255, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
_Name = Annotated[_Line, Field(min_length=1)]
_Number = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class DrawnPosition(_Part):
    x: _Number
    y: _Number


class DrawnSeat(_Part):
    seat_guid: _Name
    seat_number: _Line
    position: DrawnPosition
    category: _Line
    uuid: _Line | None = None
    start_direction: _Line | None = None
    radius: _Number | None = None


class DrawnRow(_Part):
    row_number: _Line
    seats: list[DrawnSeat] = Field(max_length=BLOCK_SEATS)
    position: DrawnPosition = DrawnPosition(x=0, y=0)
    row_label: _Line | None = None
    seat_label: _Line | None = None
    row_number_position: Literal["start", "end", "both"] | None = None
    uuid: _Line | None = None
    number_of_seats: int | None = None
    seats_spacing: _Number | None = None


class Polygon(_Part):
    points: list[DrawnPosition] = Field(max_length=1000)


class Rectangle(_Part):
    width: _Number
    height: _Number


class Ellipse(_Part):
    radius: DrawnPosition


class Circle(_Part):
    radius: _Number


class Text(_Part):
    text: Annotated[str, Field(max_length=1000)]
    position: DrawnPosition
    color: _Line | None = None
    size: _Number | None = None


class Area(_Part):
    position: DrawnPosition = DrawnPosition(x=0, y=0)
    shape: Literal["polygon", "rectangle", "ellipse", "circle", "text"] | None = None
    color: _Line | None = None
    border_color: _Line | None = None
    rotation: _Number | None = None
    polygon: Polygon | None = None
    rectangle: Rectangle | None = None
    ellipse: Ellipse | None = None
    circle: Circle | None = None
    text: Text | _Line | None = None
    width: _Number | None = None
    height: _Number | None = None
    uuid: _Line | None = None


class Zone(_Part):
    position: DrawnPosition
    rows: list[DrawnRow] = Field(max_length=10_000)
    name: _Line = ""
    areas: list[Area] = Field([], max_length=1000)
    zone_id: _Line | None = None
    uuid: _Line | None = None
    displayed: bool | None = None


class Category(_Part):
    name: _Name
    color: _Line | None = None


class Size(_Part):
    width: int = Field(ge=0, le=1_000_000)
    height: int = Field(ge=0, le=1_000_000)


class PlanFile(_Part):
    """A plan as the format has it."""

    name: _Line
    zones: list[Zone] = Field(max_length=1000)
    categories: list[Category] = Field(max_length=1000)
    size: Size | None = None


class Better(_Part):
    """A zone, or one row of it, that is better than what is named after it or not at all."""

    zone: _Line
    row: _Line | None = None
