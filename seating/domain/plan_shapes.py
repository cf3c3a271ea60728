"""Shapes of areas in a plan, as points x + yi in the plan's units."""

import cmath
import math
from collections.abc import Iterable
from typing import NamedTuple, Self

from seating.domain.plan_format import Area


class Box(NamedTuple):
    """A rectangle along the axes, in the plan's units."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(cls, points: Iterable[complex]) -> Self:
        points = list(points)
        xs, ys = [point.real for point in points], [point.imag for point in points]
        return cls(min(xs), min(ys), max(xs), max(ys))

    @property
    def size(self) -> float:
        return (self.right - self.left) * (self.bottom - self.top)

    @property
    def centre(self) -> complex:
        return complex(self.left + self.right, self.top + self.bottom) / 2

    def distance(self, point: complex) -> float:
        """0 inside."""
        across = max(self.left - point.real, 0, point.real - self.right)
        along = max(self.top - point.imag, 0, point.imag - self.bottom)
        return math.hypot(across, along)


def outline(area: Area, where: complex) -> list[complex]:
    """Points around the area; of a text only where it stands."""
    points = [0j]
    if area.polygon and area.shape == "polygon":
        points = [complex(point.x, point.y) for point in area.polygon.points] or points
    elif area.rectangle and area.shape == "rectangle":
        points = _corners(0, 0, area.rectangle.width, area.rectangle.height)
    elif area.ellipse and area.shape == "ellipse":
        x, y = area.ellipse.radius.x, area.ellipse.radius.y
        points = _corners(-x, -y, x, y)
    elif area.circle and area.shape == "circle":
        points = _corners(-area.circle.radius, -area.circle.radius, area.circle.radius, area.circle.radius)
    elif area.width and area.height:
        points = _corners(0, 0, area.width, area.height)
    turn = cmath.rect(1, math.radians(area.rotation or 0))
    return [where + point * turn for point in points]


def _corners(left: float, top: float, right: float, bottom: float) -> list[complex]:
    return [complex(x, y) for x in (left, right) for y in (top, bottom)]
