"""Reading the JSON of a seating-plan file: all that can be taken is, and all that cannot is listed at once."""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from seating.domain.plan_faults import Faults, closest, model_in, printable
from seating.domain.plan_format import (
    MAX_AREAS,
    MAX_CATEGORIES,
    MAX_NAME,
    MAX_ROWS,
    MAX_ZONES,
    Area,
    Category,
    DrawnRow,
    PlanFile,
    Zone,
)
from seating.domain.plan_source import found_in
from seating.domain.seating_plan import BLOCK_SEATS, MAX_SEATS

_NO_CATEGORY: Final = "Seats"
_NOTED: Final = 5
_MAX_NOTED: Final = 40

_Model = TypeVar("_Model", bound=BaseModel)


def parse(
    value: Any,
    within: str = "",
    *,
    number_duplicates: bool = False,
    ignore_unknown: bool = False,
    pick: str | None = None,
) -> PlanFile:
    """Read a plan, or a page of pretix's API with a plan in it, the one that `pick` names if there are several.

    `number_duplicates` renames seats whose id another seat has: `A-1` becomes `A-1-2`. `ignore_unknown` leaves out the
    fields that the format does not have. Raises InvalidPlan; `within` stands before the paths in it.
    """
    value, inside = found_in(value, within, pick)
    ignored = Counter[str]()
    if ignore_unknown:
        value = _known(PlanFile, value, ignored)
    file = _Reading(value, Faults(within + inside), number_duplicates=number_duplicates).file()
    if ignored:
        shown = ", ".join(f"{name} ({count})" for name, count in ignored.most_common(_NOTED))
        more = ", …" if len(ignored) > _NOTED else ""
        file.notes.append(f"Fields left out, since the format has no such ones: {shown}{more}")
    return file


def _known(model: type[BaseModel], value: Any, ignored: Counter[str]) -> Any:
    """The value of a part without the fields that the format does not have; they are counted in `ignored`."""
    if isinstance(value, list):
        return [_known(model, item, ignored) for item in value]
    if not isinstance(value, dict):
        return value
    parts = _parts(model)
    ignored.update(printable(name)[:_MAX_NOTED] for name in value if name not in parts)
    return {
        name: _known(part, inner, ignored) if (part := parts[name]) else inner
        for name, inner in value.items()
        if name in parts
    }


@cache
def _parts(model: type[BaseModel]) -> dict[str, type[BaseModel] | None]:
    """Each field of a model, with the model of what is in it, if it has parts."""
    return {name: model_in(field.annotation) for name, field in model.model_fields.items()}


class _Reading:
    """Validates a file part by part, so that the faults of a part are all that is in memory of them."""

    def __init__(self, value: Any, faults: Faults, *, number_duplicates: bool) -> None:
        self._value = value
        self._faults = faults
        self._numbering = number_duplicates
        self._categories: dict[str, None] = {}
        self._all_named = True
        self._renamed: list[tuple[str, str]] = []
        self._first_at: dict[str, str] = {}
        seats = list(_seats_in(value))
        ids = Counter(seat["seat_guid"] for seat in seats if isinstance(seat.get("seat_guid"), str))
        # All ids, also those further down: a seat that is renamed must not take one.
        self._ids = set(ids)
        # Where the search for a free number goes on: anew each time, many duplicates would take quadratic time.
        self._numbers = dict.fromkeys(ids, 1)
        self._seats = len(seats)
        self._positioned = any(seat.get("position") is not None for seat in seats)

    def file(self) -> PlanFile:
        faults = self._faults
        file = self._part(PlanFile, self._value, "", "zones", "categories")
        categories = self._read_categories()
        zones = [self._zone(zone, f"zones.{n}") for n, zone in self._items(self._value, "zones", MAX_ZONES)]
        if self._seats > MAX_SEATS or (file and not self._seats and not faults.total):
            faults.add("zones", None, f"a plan has 1 to {MAX_SEATS} seats, this one {self._seats}")
        if file is None or faults.total:
            faults.refuse()
        file.zones = [zone for zone in zones if zone]
        file.categories = categories
        self._name_categories(file)
        if self._renamed:
            shown = ", ".join(f"{old} is now {new}" for old, new in self._renamed[:_NOTED])
            more = ", …" if len(self._renamed) > _NOTED else ""
            file.notes.append(f"Seats renamed, since another one has their id: {len(self._renamed)} ({shown}{more})")
        return file

    def _read_categories(self) -> list[Category]:
        read: list[Category] = []
        for number, value in self._items(self._value, "categories", MAX_CATEGORIES):
            path = f"categories.{number}"
            if value is None:
                continue
            category = self._part(Category, value, path)
            if category is None:
                self._all_named = False  # Seats may mean this one.
                continue
            if category.name in self._categories:
                self._faults.add(f"{path}.name", category.name, "another category has this name", "rename or remove it")
            self._categories[category.name] = None
            read.append(category)
        return read

    def _name_categories(self, file: PlanFile) -> None:
        """Give seats without a category one, and a file that lists no categories those that its seats name."""
        seats = [seat for zone in file.zones for row in zone.rows for seat in row.seats]
        if not any(self._categories):
            named = [Category(name=name) for name in dict.fromkeys(seat.category for seat in seats) if name]
            file.categories += named
            if named:
                file.notes.append(f"Categories that only the seats name: {len(named)}")
        without = [seat for seat in seats if not seat.category]
        unnamed = next((category for category in file.categories if not category.name), None)
        if without and unnamed is None:
            unnamed = Category()
            file.categories.append(unnamed)
        if len(file.categories) > MAX_CATEGORIES:
            message = f"a plan has at most {MAX_CATEGORIES} categories, this one {len(file.categories)}"
            self._faults.add("categories", None, f"{message}, with those of its seats")
            self._faults.refuse()
        if unnamed is None:
            return
        names = {category.name for category in file.categories}
        # More than there are categories, so one of them is free.
        candidates = (_NO_CATEGORY, *(f"{_NO_CATEGORY} {n}" for n in range(2, MAX_CATEGORIES + 2)))
        name = next(name for name in candidates if name not in names)
        unnamed.name = name
        for seat in without:
            seat.category = name
        if without:
            file.notes.append(f"Seats without a category, now in {name!r}: {len(without)}")

    def _zone(self, value: Any, path: str) -> Zone | None:
        zone = self._part(Zone, value, path, "areas", "rows")
        areas = [
            self._part(Area, area, f"{path}.areas.{n}") for n, area in self._items(value, "areas", MAX_AREAS, path)
        ]
        rows = [self._row(row, f"{path}.rows.{n}") for n, row in self._items(value, "rows", MAX_ROWS, path)]
        if zone:
            zone.areas = [area for area in areas if area]
            zone.rows = [row for row in rows if row]
        return zone

    def _row(self, value: Any, path: str) -> DrawnRow | None:
        seats = value.get("seats") if isinstance(value, dict) else None
        if isinstance(seats, list) and len(seats) <= BLOCK_SEATS:
            value = {**value, "seats": [self._renumbered(seat, f"{path}.seats.{n}") for n, seat in enumerate(seats)]}
        row = self._part(DrawnRow, value, path)
        if isinstance(seats, list) and len(seats) <= BLOCK_SEATS:
            for number, seat in enumerate(seats):
                if isinstance(seat, dict):
                    self._check_seat(seat, f"{path}.seats.{number}")
        return row

    def _renumbered(self, seat: Any, path: str) -> Any:
        """The seat, under an id of its own where that is wanted."""
        guid = seat.get("seat_guid") if isinstance(seat, dict) else None
        if not isinstance(guid, str) or self._first_at.setdefault(guid, path) == path or not self._numbering:
            return seat
        new = self._free_id(guid)
        self._ids.add(new)
        self._renamed.append((guid, new))
        return {**seat, "seat_guid": new}

    def _check_seat(self, seat: dict[str, Any], path: str) -> None:
        """Add what the format asks for beyond its schema: categories that exist, ids that are unique, and positions."""
        faults, category, guid = self._faults, seat.get("category"), seat.get("seat_guid")
        if isinstance(guid, str) and self._first_at[guid] != path and not self._numbering:
            again = self._free_id(guid) if faults.listing else ""
            faults.add(f"{path}.seat_guid", guid, f"another seat has this id: {self._first_at[guid]}", f'"{again}"')
        listed = any(self._categories) and self._all_named
        if isinstance(category, str) and category and listed and category not in self._categories:
            similar = closest(category, self._categories) if faults.listing else None
            faults.add(f"{path}.category", category, "there is no such category", similar or "add it to categories")
        if self._positioned and seat.get("position") is None:
            faults.add(f"{path}.position", None, "is required, since other seats have one")

    def _free_id(self, guid: str) -> str:
        while True:
            self._numbers[guid] += 1
            suffix = f"-{self._numbers[guid]}"
            free = guid[: MAX_NAME - len(suffix)] + suffix
            if free not in self._ids:
                return free

    def _part(self, model: type[_Model], value: Any, path: str, *inner: str) -> _Model | None:
        """Validate a part without the lists `inner`, which are read item by item."""
        if inner and isinstance(value, dict):
            value = {name: [] if name in inner and isinstance(v, list) else v for name, v in value.items()}
        try:
            return model.model_validate(value)
        except ValidationError as error:
            self._faults.add_invalid(path, model, error)
            return None

    def _items(self, value: Any, name: str, most: int, path: str = "") -> Iterator[tuple[int, Any]]:
        items = value.get(name) if isinstance(value, dict) else None
        if not isinstance(items, list):
            return iter(())
        if len(items) > most:
            self._faults.add(f"{path}.{name}".lstrip("."), None, f"cannot have more than {most} items")
            return iter(())
        return enumerate(items)


def _seats_in(value: Any) -> Iterator[dict[str, Any]]:
    """The seats of a file, whatever else is wrong with it."""
    for zone in _list(value, "zones"):
        for row in _list(zone, "rows"):
            yield from (seat for seat in _list(row, "seats") if isinstance(seat, dict))


def _list(value: Any, name: str) -> list[Any]:
    items = value.get(name) if isinstance(value, dict) else None
    return items if isinstance(items, list) else []
