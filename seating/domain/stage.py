"""Where the stage of a plan is: an area, or a text, that says so."""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from seating.domain.plan_format import Area, PlanFile
from seating.domain.plan_shapes import Box, outline

# Each is compared with all seats, and a file may have a million.
_MAX_AROUND: Final = 50
"""Shapes around a text, the smallest first."""


class Stage(NamedTuple):
    """`path` is that of the area in the file."""

    path: str
    text: str
    box: Box


def find(file: PlanFile, seats: Sequence[complex]) -> Stage | None:
    """The first area that is called a stage. A mere text stands for the smallest shape around it that holds no seat.

    A shape whose box holds seats, as one with rows around it may, counts as its centre.
    """
    shapes = [(path, area, where, Box.around(outline(area, where))) for path, area, where in _areas(file)]
    for path, area, where, own in shapes:
        if area.text and _letters(area.text.text) in _WORDS:
            text = " ".join(area.text.text.split())
            if own.size:
                return Stage(path, text, own if _is_empty(own, seats) else Box.around([own.centre]))
            label = where + complex(area.text.position.x, area.text.position.y)
            around = sorted(
                (box for *_, box in shapes if box.size and not box.distance(label)), key=lambda box: box.size
            )
            empty = (box for box in around[:_MAX_AROUND] if _is_empty(box, seats))
            return Stage(path, text, next(empty, Box.around([label])))
    return None


def _is_empty(box: Box, seats: Sequence[complex]) -> bool:
    left, top, right, bottom = box
    return not any(left <= seat.real <= right and top <= seat.imag <= bottom for seat in seats)


def _areas(file: PlanFile) -> Iterator[tuple[str, Area, complex]]:
    for zone_number, zone in enumerate(file.zones):
        for number, area in enumerate(zone.areas):
            where = complex(zone.position.x + area.position.x, zone.position.y + area.position.y)
            yield f"zones.{zone_number}.areas.{number}", area, where


def _letters(text: str) -> str:
    """`S T A G E` and `Stage 1` are a stage too, `Bühne` is a `buhne`."""
    return "".join(character for character in unicodedata.normalize("NFKD", text.casefold()) if character.isalpha())


_WORDS: Final = frozenset(
    _letters(word)
    for words in (
        ("stage", "main stage", "the stage", "screen", "main screen", "the screen", "podium", "altar"),
        ("Bühne", "Buehne", "Hauptbühne", "Leinwand"),
        ("scène", "la scène", "écran", "palco", "palcoscenico", "schermo", "escenario", "escena", "pantalla", "tela"),
        ("toneel", "scena", "ekran", "sahne", "panggung", "layar", "сцена", "экран", "舞台", "ステージ", "무대"),
    )
    for word in words
)
