"""A new event with its seating plan, and a plan as it is shown, as the OpenAPI document has them."""

from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, WrapValidator

from seating.domain import plan_file, seating_plan
from seating.domain.errors import InvalidRequest
from seating.domain.plan_format import Better, PlanFile
from seating.domain.seating_plan import MAX_SEATS, GeneratedPlan, SeatingPlan
from seating.web.parsing import NOT_BLANK, StrictModel
from seating.web.schemas import Answer, Line

MAX_PLAN_BYTES: Final = 32 * 1024 * 1024
"""Of 100,000 seats with all that the format has, written with line breaks and indentation."""


class SeatingPlanSource(StrictModel):
    """The generator of equal sections."""

    generate: GeneratedPlan


def _file_or_generator(value: Any, _handler: ModelWrapValidatorHandler[Any]) -> BaseModel:
    """Told apart by what a file cannot be without, so that errors are about the one that is meant."""
    is_file = isinstance(value, dict) and "zones" in value
    return (PlanFile if is_file else SeatingPlanSource).model_validate(value)


class NewEvent(StrictModel):
    """`totalSeats` makes an event of general admission, `seatingPlan` a seated one; exactly one of them."""

    max_body_bytes: ClassVar[int] = MAX_PLAN_BYTES

    name: Line = Field(min_length=1, max_length=200, pattern=NOT_BLANK)
    total_seats: int | None = Field(None, ge=1, le=10_000_000, alias="totalSeats")
    seating_plan: Annotated[SeatingPlanSource | PlanFile, WrapValidator(_file_or_generator)] | None = Field(
        None,
        alias="seatingPlan",
        description=f"a file of the open format that pretix uses, or a generator; at most {MAX_SEATS} seats",
    )
    best_first: list[Better] = Field(
        default_factory=list,
        max_length=10_000,
        alias="bestFirst",
        description="of a file: zones and rows that are better than all others; by default the first category is best",
    )

    def plan(self) -> SeatingPlan | None:
        """None for general admission. Raises InvalidRequest."""
        if (self.seating_plan is None) == (self.total_seats is None):
            raise InvalidRequest("Give either totalSeats or seatingPlan", "totalSeats")
        if isinstance(self.seating_plan, PlanFile):
            return plan_file.read(self.seating_plan, self.best_first, "seatingPlan.")
        if self.best_first:
            raise InvalidRequest("bestFirst is for a seating plan from a file", "bestFirst")
        return seating_plan.generate(self.seating_plan.generate) if self.seating_plan else None


class PlanRow(Answer):
    seats: list[str] = Field(description="ids, in the order in which they stand")
    label: str
    numbers: list[str] = Field(description="of each seat, as it is written on it")
    x: list[float]
    y: list[float]


class PlanBlock(Answer):
    name: str
    category: int = Field(description="place in `categories`")
    rows: list[PlanRow]


class PlanCategory(Answer):
    name: str
    color: str | None


class PlanSize(Answer):
    width: int
    height: int


class PlanArea(Answer):
    """As the file has it, but for `position`, which is that in the whole plan."""

    model_config = ConfigDict(extra="allow")


class PlanView(Answer):
    """Blocks and rows are in the order of the map of states."""

    total_seats: int
    name: str
    size: PlanSize | None
    categories: list[PlanCategory]
    areas: list[PlanArea]
    blocks: list[PlanBlock]
