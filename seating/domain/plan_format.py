"""The open seating-plan JSON format that pretix uses: what a file of it may hold.

Source: seating-plan.schema.json, version 0.0.1, as it ships with pretix; fields of its older form are taken too. A
field that is null counts as missing, and what has a natural default may be missing.
"""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator

from seating.domain.seating_plan import BLOCK_SEATS

MAX_NAME: Final = 255
MAX_ZONES: Final = 1000
MAX_CATEGORIES: Final = 1000
MAX_ROWS: Final = 10_000
MAX_AREAS: Final = 1000
MAX_POINTS: Final = 1000

_Line = Annotated[str, Field(max_length=MAX_NAME, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
_Name = Annotated[_Line, Field(min_length=1)]
_Number = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
_Length = Annotated[_Number, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_missing(cls, value: Any) -> Any:
        if isinstance(value, dict) and None in value.values():
            return {name: field for name, field in value.items() if field is not None}
        return value


class DrawnPosition(_Part):
    x: _Number
    y: _Number


_ORIGIN: Final = DrawnPosition(x=0, y=0)


class DrawnSeat(_Part):
    seat_guid: _Name
    seat_number: _Line
    position: DrawnPosition | None = None
    category: _Line = ""
    uuid: _Line | None = None
    start_direction: _Line | None = None
    start_at: _Line | None = None
    radius: _Length | None = None


class DrawnRow(_Part):
    row_number: _Line
    seats: list[DrawnSeat] = Field(max_length=BLOCK_SEATS)
    position: DrawnPosition = _ORIGIN
    row_label: _Line | None = None
    seat_label: _Line | None = None
    row_number_position: Literal["start", "end", "both"] | None = None
    start_at: _Line | None = None
    uuid: _Line | None = None
    number_of_seats: _Number | None = None
    seats_spacing: _Number | None = None


class Polygon(_Part):
    points: list[DrawnPosition] = Field(max_length=MAX_POINTS)


class Rectangle(_Part):
    width: _Number
    height: _Number


class Ellipse(_Part):
    radius: DrawnPosition


class Circle(_Part):
    radius: _Number


class Text(_Part):
    text: Annotated[str, Field(max_length=1000)]
    position: DrawnPosition = _ORIGIN
    color: _Line | None = None
    size: _Number | None = None


def _written_out(text: Any) -> Any:
    """Older files have the bare text."""
    return {"text": text} if isinstance(text, str) else text


class Area(_Part):
    position: DrawnPosition = _ORIGIN
    shape: Literal["polygon", "rectangle", "ellipse", "circle", "text"] | None = None
    color: _Line | None = None
    border_color: _Line | None = None
    rotation: _Number | None = None
    polygon: Polygon | None = None
    rectangle: Rectangle | None = None
    ellipse: Ellipse | None = None
    circle: Circle | None = None
    text: Annotated[Text | None, BeforeValidator(_written_out)] = None
    width: _Number | None = None
    height: _Number | None = None
    uuid: _Line | None = None


class Zone(_Part):
    rows: list[DrawnRow] = Field(max_length=MAX_ROWS)
    position: DrawnPosition = _ORIGIN
    name: _Line = ""
    areas: list[Area] = Field([], max_length=MAX_AREAS)
    zone_id: _Line | None = None
    uuid: _Line | None = None
    displayed: bool | None = None


class Category(_Part):
    name: _Line = ""
    color: _Line | None = None


class Size(_Part):
    width: _Length
    height: _Length


class PlanFile(_Part):
    """A plan as the format has it."""

    name: _Line
    zones: list[Zone] = Field(max_length=MAX_ZONES)
    categories: list[Category] = Field([], max_length=MAX_CATEGORIES)
    size: Size | None = None

    _notes: list[str] = PrivateAttr(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """What was changed when it was read, for whoever imports it."""
        return self._notes


class Better(_Part):
    """Zones or rows that are better than what is named after them or not at all: by name, or one by its path.

    `{"zone": "Stalls"}`, `{"zone": "Stalls", "row": "A"}`, `{"path": "zones.3"}` or `{"path": "zones.3.rows.7"}`.
    """

    zone: _Line | None = None
    row: _Line | None = None
    path: Annotated[str, Field(max_length=40, pattern=r"^zones\.[0-9]+(\.rows\.[0-9]+)?$")] | None = None

    @model_validator(mode="after")
    def _one_way_to_name(self) -> Self:
        if (self.zone is None) == (self.path is None):
            raise ValueError("give either zone or path")
        if self.row is not None and self.zone is None:
            raise ValueError("a row needs its zone; a path names the row itself")
        return self

    def __str__(self) -> str:
        return self.path or (f"{self.zone}" if self.row is None else f"{self.zone}, row {self.row}")
