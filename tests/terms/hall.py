"""The seats of the sale in these histories: few, so that buyers meet."""

from typing import Final

from seating.domain.seating_plan import SeatingPlan

PLAN: Final = SeatingPlan([[["A1", "A2", "A3"], ["B1", "B2"]], [["C1"]]])
SEATS: Final = [seat for block in PLAN.blocks for row in block for seat in row]
