"""A chaos run as a picture: purchases a second, and the faults meanwhile."""

from collections.abc import Iterable
from html import escape
from typing import Final, Protocol

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 1200, 260, 50, 60
COLOURS: Final = {
    "web": "#3b6ea5",
    "worker": "#5a9e6f",
    "cron": "#5a9e6f",
    "sender": "#5a9e6f",
    "launcher": "#7f4a91",
    "redis": "#c0392b",
    "connections to Redis": "#d98e32",
    "sql": "#2c8c99",
    "disk": "#777777",
    "clock": "#b03a8c",
}


class Drawn(Protocol):
    kind: str
    target: str
    begun_s: float
    ended_s: float


def drawn(per_second: list[int], faults: Iterable[Drawn]) -> str:
    """Return an SVG file. Each fault is a band with its kind as a tooltip."""
    seconds, most = max(len(per_second), 1), max([*per_second, 1])
    wide, high = (_WIDTH - _LEFT) / seconds, (_HEIGHT - _BOTTOM) / most

    def x(second: float) -> float:
        return round(_LEFT + second * wide, 1)

    bands = [
        f'<rect x="{x(fault.begun_s)}" y="0" width="{max(round((fault.ended_s - fault.begun_s) * wide, 1), 1.5)}" '
        f'height="{_HEIGHT - _BOTTOM}" fill="{COLOURS[fault.target]}" fill-opacity="0.35">'
        f"<title>{escape(fault.kind)}, {fault.begun_s:.1f} s</title></rect>"
        for fault in faults
    ]
    points = " ".join(f"{x(second + 0.5)},{round((most - sold) * high, 1)}" for second, sold in enumerate(per_second))
    step = next(step for step in (5, 10, 30, 60, 300, 600, 3600) if seconds / step <= 20 or step == 3600)
    marks = [
        f'<text x="{x(second)}" y="{_HEIGHT - _BOTTOM + 16}">{second} s</text>'
        for second in range(0, seconds + 1, step)
    ]
    legend = [
        f'<rect x="{_LEFT + 130 * number}" y="{_HEIGHT - 24}" width="12" height="12" fill="{colour}" '
        f'fill-opacity="0.35"/><text x="{_LEFT + 130 * number + 18}" y="{_HEIGHT - 14}">{escape(target)}</text>'
        for number, (target, colour) in enumerate(COLOURS.items())
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
            'font-size="11">',
            f"<title>Purchases a second, at most {most}, and faults</title>",
            *bands,
            f'<polyline points="{points}" fill="none" stroke="#222222"/>',
            f'<text x="2" y="12">{most}/s</text><text x="2" y="{_HEIGHT - _BOTTOM}">0</text>',
            *marks,
            *legend,
            "</svg>\n",
        ]
    )
