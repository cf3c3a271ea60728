"""The faults of a seating-plan file: each with its path, its value, what is wrong, and what would be right."""

import json
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from typing import Any, Final, Literal, NoReturn, get_args, get_origin

from pydantic import BaseModel, ValidationError

from seating.domain.errors import InvalidPlan

MAX_LISTED: Final = 100
MAX_COUNTED: Final = 10_000
"""A file with more is not read on."""

NO_SUCH_FIELD: Final = "the format has no such field"

# A stranger chooses the words, and difflib takes up to quadratic time for each.
_MAX_WORDS: Final = 50
_MAX_COMPARED: Final = 30
"""Characters of a word."""

_MAX_SHOWN: Final = 80
_MAX_PATH: Final = 200

_KINDS: Final = {
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "missing": "is required",
}


class Faults:
    """Collects faults of one file in its order. `within` stands before each path."""

    def __init__(self, within: str = "") -> None:
        self.total = 0
        self._within = within
        self._listed: list[dict[str, Any]] = []
        self._paths: set[str] = set()

    @property
    def listing(self) -> bool:
        """Whether the next fault is listed, and a suggestion for it worth finding."""
        return len(self._listed) < MAX_LISTED

    def add(self, path: str, value: Any, message: str, suggestion: str | None = None) -> None:
        """Add a fault, unless the same place has one. Raises InvalidPlan when there are too many to go on."""
        # Beyond the list no path is remembered, so a file of nothing but faults takes little memory.
        if self.listing:
            if path in self._paths:
                return
            self._paths.add(path)
            shown = printable(f"{self._within}{path}".removesuffix("."))[:_MAX_PATH]
            fault = {"path": shown, "value": _shown(value), "message": message, "suggestion": suggestion}
            self._listed.append(fault)
        self._count(1)

    def add_invalid(self, path: str, model: type[BaseModel], error: ValidationError) -> None:
        """Add what pydantic found wrong in a part of the file, which is at `path`."""
        count = error.error_count()
        # error.errors() would first make an object of each fault.
        if count >= MAX_COUNTED:
            self.add(path, None, f"has {count} faults")
        if count >= MAX_COUNTED or not self.listing:
            self._count(count)
            return
        for found in error.errors(include_url=False):
            where = ".".join(filter(None, (path, *map(str, found["loc"]))))
            value = None if found["type"] == "missing" else found["input"]
            self.add(where, value, _message(found), _suggestion(model, found) if self.listing else None)

    def _count(self, faults: int) -> None:
        self.total += faults
        if self.total >= MAX_COUNTED:
            self.refuse()

    def refuse(self) -> NoReturn:
        """Raises InvalidPlan; there is at least one fault."""
        raise InvalidPlan(self._listed, self.total)


def closest(word: str, words: Iterable[str]) -> str | None:
    """Suggest the one of the first `words` that `word` may be a slip of, by how they begin."""
    by_fold = {_start(known): known for known in islice(words, _MAX_WORDS)}
    found = get_close_matches(_start(word), by_fold, 1)
    return json.dumps(by_fold[found[0]], ensure_ascii=False) if found else None


def _start(word: str) -> str:
    return word[:_MAX_COMPARED].casefold()[:_MAX_COMPARED]  # Folding lengthens.


def _message(found: Any) -> str:
    kind, context = found["type"], found.get("ctx", {})
    if kind in _KINDS:
        return _KINDS[kind]
    if kind == "extra_forbidden":
        return NO_SUCH_FIELD
    if kind in ("too_long", "string_too_long"):
        things = "characters" if kind == "string_too_long" else "items"
        return f"cannot have more than {context['max_length']} {things}"
    if kind == "string_too_short":
        return "must not be empty"
    if kind == "string_pattern_mismatch":
        return "must not have control characters"
    if kind == "greater_than_equal":
        return f"must be at least {context['ge']:g}"
    if kind == "less_than_equal":
        return f"cannot exceed {context['le']:g}"
    if kind == "literal_error":
        return f"must be {context['expected']}"
    return str(found["msg"])


def _suggestion(model: type[BaseModel], found: Any) -> str | None:
    kind, value, context = found["type"], found["input"], found.get("ctx", {})
    if kind == "extra_forbidden":
        return closest(str(found["loc"][-1]), _fields_at(model, found["loc"][:-1])) or "remove it"
    if kind == "missing" and isinstance(value, dict):
        # What the field may be called here.
        unknown = [name for name in islice(value, _MAX_WORDS) if name not in _fields_at(model, found["loc"][:-1])]
        similar = closest(str(found["loc"][-1]), unknown)
        return f"rename {similar}" if similar else None
    if kind == "string_type" and type(value) in (int, float):
        return json.dumps(str(value))
    if kind == "string_type" and type(value) is bool:
        return None
    if kind == "float_type" and isinstance(value, str):
        return _as_number(value)
    if kind == "bool_type" and str(value).casefold() in ("true", "false", "0", "1"):
        return "true" if str(value).casefold() in ("true", "1") else "false"
    if kind == "string_too_long":
        return f"shorten it by {len(value) - context['max_length']}"
    if kind == "string_pattern_mismatch":
        return json.dumps(printable(value)[:_MAX_SHOWN], ensure_ascii=False)
    if kind == "literal_error" and isinstance(value, str):
        return closest(value, _choices(model, found["loc"]))
    if kind == "greater_than_equal":
        return f"{context['ge']:g}"
    if kind == "less_than_equal":
        return f"{context['le']:g}"
    return None


def _as_number(text: str) -> str | None:
    try:
        return f"{float(text.replace(',', '.')):g}"
    except ValueError:
        return None


def _fields_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The names of the fields that the part at `loc` of a `model` may have."""
    at = _model_at(model, loc)
    return list(at.model_fields) if at else []


def _choices(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    at = _model_at(model, loc[:-1])
    annotation: Any = at.model_fields[str(loc[-1])].annotation if at else None
    return [
        choice
        for part in (annotation, *get_args(annotation))
        if get_origin(part) is Literal
        for choice in get_args(part)
    ]


def _model_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> type[BaseModel] | None:
    at: type[BaseModel] | None = model
    for step in loc:
        if at is not None and isinstance(step, str):
            at = model_in(at.model_fields[step].annotation) if step in at.model_fields else None
    return at


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model in a field's annotation: the field's own, or that of its items."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(model_in, get_args(annotation))), None)


def printable(text: str) -> str:
    """Return the text with a space for each character that cannot be shown."""
    return "".join(character if character.isprintable() else " " for character in text)


def _shown(value: Any) -> Any:
    """A scalar, short enough for an answer; None for what has parts."""
    if isinstance(value, str):
        return printable(value[:_MAX_SHOWN]) + ("…" if len(value) > _MAX_SHOWN else "")
    # JSON has no infinity, but Python reads 1e999 as one.
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return str(value)
    return None if isinstance(value, (list, dict)) else value
