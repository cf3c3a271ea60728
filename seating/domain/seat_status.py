"""A seat's status: a character in maps, a word for clients."""

from typing import Final

AVAILABLE: Final = "a"
HELD: Final = "h"
ORGANISER: Final = "o"
BLOCKED: Final = "r"
SOLD: Final = "s"
BOX_OFFICE: Final = "b"
OFF_SALE: Final = "x"
"""Of a category that is off sale: available again when that is on sale."""

WORDS: Final = {
    AVAILABLE: "available",
    HELD: "held",
    ORGANISER: "held",
    BLOCKED: "reserved",
    OFF_SALE: "reserved",
    SOLD: "sold",
    BOX_OFFICE: "sold",
}

ORGANISED: Final = (BOX_OFFICE, ORGANISER, BLOCKED)
"""What an organiser makes of seats, the strongest first."""

UNKNOWN: Final = "reserved"
"""The word for an unknown character: the seat cannot be bought."""

SETTABLE: Final = {"available": AVAILABLE, "reserved": BLOCKED, "sold": BOX_OFFICE, "held": ORGANISER}
"""The statuses that an organiser can set, by word."""
