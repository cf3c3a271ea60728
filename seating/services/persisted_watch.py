"""Waits until SQL has a purchase."""

import time
from typing import Final

import structlog
from gevent.event import AsyncResult
from sqlalchemy.exc import SQLAlchemyError

from seating.domain.errors import RecordUnavailable
from seating.domain.purchase import PurchaseId
from seating.storage import purchases
from seating.storage.database import Database

_LOOK_EVERY_S: Final = 0.05

_log = structlog.get_logger(__name__)


class PersistedWatch:
    """All waiting callers share one query, by the ids of their purchases."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[AsyncResult[bool], str] = {}
        self._asks = False

    def wait(self, purchase_id: PurchaseId, wait_s: float) -> bool:
        """Return True once SQL has the purchase.

        False if it does not, or that is unknown, after `wait_s`, or once SQL refuses the question.
        """
        deadline = time.monotonic() + wait_s
        recorded: AsyncResult[bool] = AsyncResult()
        self._waiting[recorded] = str(purchase_id)
        try:
            while not recorded.ready():
                # Whoever comes first asks for all; the others wait, and one of them asks the next time.
                if not self._asks:
                    self._ask()
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    break
                recorded.wait(min(_LOOK_EVERY_S, left_s))
            return recorded.ready() and bool(recorded.get())
        finally:
            del self._waiting[recorded]

    def _ask(self) -> None:
        self._asks = True
        try:
            found = self._database.read(purchases.recorded, sorted(set(self._waiting.values())))
            for recorded, purchase_id in self._waiting.items():
                if purchase_id in found:
                    recorded.set(True)
        except RecordUnavailable:
            pass  # Unknown; try again while there is time.
        except SQLAlchemyError as error:
            # The purchase stands. Its buyer gets the answer, and need not wait for what will not come.
            _log.warning("recorded purchases unknown", error=str(error.__cause__ or error))
            for recorded in self._waiting:
                recorded.set(False)
        finally:
            self._asks = False
