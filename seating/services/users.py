"""Users: read them through the shared cache, create and list them, clear the cache."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError

from seating.domain.actor import Actor
from seating.domain.errors import UserExists
from seating.domain.page import Page, first_of
from seating.domain.user import Plan, User, check_id, check_new_id, new_user_id, normal_email
from seating.services.audit import Audit, act_now
from seating.services.coalescing import Coalescing, Source
from seating.storage import users as user_record
from seating.storage.database import Database
from seating.storage.replica import LaggingReads


@dataclass(frozen=True, slots=True)
class Users:
    """`document` renders a user for the cache. `latency_s` slows reads down, for demonstrations.

    Raises RecordUnavailable.
    """

    database: Database
    coalescing: Coalescing
    document: Callable[[User], bytes]
    latency_s: float = 0

    def get(self, user_id: str) -> tuple[bytes | None, Source]:
        """Return the user's document, None if unknown, and where it came from. Raises InvalidRequest."""
        check_id(user_id)
        return self.coalescing.get(user_id, lambda: self._load(user_id))

    def page(self, cursor: str, count: int) -> Page[User, str]:
        """Return at most `count` users after the id `cursor`, ordered by id."""
        time.sleep(self.latency_s)
        found = self.database.read(user_record.page, cursor, count + 1)
        return first_of(found, count, lambda user: user.id)

    def create(self, name: str, email: str, plan: Plan, user_id: str | None = None) -> bytes:
        """Create a user; cache and return its document. Raises InvalidRequest, UserExists."""
        user = User(
            id=new_user_id() if user_id is None else check_new_id(user_id),
            name=name,
            email=normal_email(email),
            plan=plan,
            is_active=True,
            created_ms=time.time_ns() // 1_000_000,
        )
        try:
            self.database.write(user_record.add, user)
        except IntegrityError:
            raise UserExists from None
        document = self.document(user)
        # The cache may still say that there is no such user.
        self.coalescing.put(user.id, document)
        return document

    def clear_cache(self, by: Actor, *, reset_counters: bool = False) -> int:
        """Clear the cache; return how many entries were removed. Raises SharedStateUnavailable."""
        removed = self.coalescing.cache.clear(reset_counters=reset_counters)
        act = act_now(by, "cache.clear", target="users", before=f"{removed} entries", after="empty")
        Audit(self.database, LaggingReads(self.database)).note(act)
        return removed

    def _load(self, user_id: str) -> bytes | None:
        time.sleep(self.latency_s)
        user = self.database.read(user_record.find, user_id)
        return self.document(user) if user else None
