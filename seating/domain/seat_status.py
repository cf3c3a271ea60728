"""What a seat is, as maps have it (a character) and as the outside has it (a word)."""

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

UNKNOWN: Final = "reserved"
"""The word for a character that nobody has written: the seat cannot be had."""

SETTABLE: Final = {"available": AVAILABLE, "reserved": BLOCKED, "sold": BOX_OFFICE, "held": ORGANISER}
"""What an organiser can set a seat to, by its word."""
