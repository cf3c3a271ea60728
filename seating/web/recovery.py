"""For operators, after a store lost data: list losses, and merge two histories into one."""

from typing import Literal

from flask import Response
from pydantic import BaseModel, Field

from seating.domain.errors import EventNotFound, InventoryUnavailable, RecordUnavailable
from seating.domain.event import is_event_id
from seating.domain.recovery_errors import NoSuchLoss, NothingToMerge
from seating.storage.answered import Loss
from seating.web.application import Routes
from seating.web.callers import Access, actor, open_to
from seating.web.declarations import refuses
from seating.web.parsing import StrictModel, parsed
from seating.web.responses import render
from seating.web.schemas import Answer, AsText, EventPath, NextCursor, OffsetQuery, Why, example, examples
from seating.web.services import services

api = Routes("recovery", __name__, "Recovery", __doc__)


class LossPath(BaseModel):
    loss_id: str = Field(
        description="`<event>.<epoch>`, as the list has it",
        json_schema_extra=example("demo.217907168"),
    )

    def parts(self) -> tuple[str, int]:
        """Return event and epoch. Raises NoSuchLoss for a malformed id."""
        event_id, _, epoch = self.loss_id.rpartition(".")
        # Epochs are about the seconds since 2020. Nine digits last until 2051, and fit into SQL's column.
        if not is_event_id(event_id) or not epoch.isascii() or not epoch.isdigit() or len(epoch) > 9:
            raise NoSuchLoss
        return event_id, int(epoch)


class LossView(Answer):
    model_config = examples(
        {
            "id": "demo.217907168",
            "eventId": "demo",
            "first": "217907168-41",
            "last": "217907168-42",
            "changes": 2,
        }
    )

    id: str
    event_id: str
    first: str = Field(description="position of the first lost change")
    last: str
    changes: int = Field(description="number of lost changes; purchases with known buyers among them are in quarantine")


class LossListView(Answer):
    losses: list[LossView]
    next: NextCursor


class Settlement(StrictModel):
    model_config = examples({"why": "the buyers were refunded"})

    why: Why


class MergeOrder(StrictModel):
    model_config = examples({"prefer": "redis", "why": "SQL came back from a backup"})

    prefer: Literal["redis", "sql"] = Field(description="which history keeps a seat that both have given away")
    why: Why | None = None


class WaitingView(Answer):
    purchase_id: str
    reason: str


class MergeView(Answer):
    model_config = examples(
        {
            "position": "217907170-43",
            "purchasesTakenIn": 12,
            "waiting": [{"purchaseId": "demo.217907169-42.9f1c2b3a4d5e6f70", "reason": "its seats have another owner"}],
        }
    )

    position: AsText = Field(description="of the entry `merged`, from which the log continues")
    purchases_taken_in: int = Field(description="number of purchases that SQL did not have")
    waiting: list[WaitingView] = Field(description="purchases whose seats have another owner; see quarantine")


@api.get("/api/v1/losses", responses={200: LossListView})
@open_to(Access.READERS)
@refuses(RecordUnavailable)
@parsed
def list_losses(query: OffsetQuery) -> Response:
    """List confirmed changes that are recorded nowhere"""
    page = services().losses.page(query.cursor, query.limit)
    return render(LossListView(losses=[loss_view(loss) for loss in page.items], next=page.next))


@api.post("/api/v1/losses/<loss_id>/settle", responses={204: None})
@open_to(Access.OPERATORS)
@refuses(NoSuchLoss, RecordUnavailable)
@parsed
def settle_loss(path: LossPath, body: Settlement) -> Response:
    """Settle a loss, with its purchases in quarantine"""
    services().losses.settle(*path.parts(), actor(body.why))
    return Response(status=204)


@api.post("/api/v1/events/<event_id>/merge", responses={200: MergeView})
@open_to(Access.OPERATORS)
@refuses(EventNotFound, NothingToMerge, RecordUnavailable, InventoryUnavailable)
@parsed
def merge_histories(path: EventPath, body: MergeOrder) -> Response:
    """Merge two histories after SQL lost what it had acknowledged

    No purchase is dropped: `prefer` decides only about seats that both histories have given away. 409
    `NOTHING_TO_MERGE` if SQL has everything.
    """
    done = services().merge.run(path.event_id, body.prefer, actor(body.why))
    waiting = [WaitingView(purchase_id=str(w.receipt.id), reason=w.reason) for w in done.waiting]
    return render(MergeView(position=done.position, purchases_taken_in=done.taken_in, waiting=waiting))


def loss_view(loss: Loss) -> LossView:
    return LossView(
        id=f"{loss.event_id}.{loss.first.epoch}",
        event_id=loss.event_id,
        first=str(loss.first),
        last=str(loss.last),
        changes=loss.lost,
    )
