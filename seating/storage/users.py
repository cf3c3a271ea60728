"""The record of users."""

from dataclasses import asdict
from typing import Final

from sqlalchemy import Connection, insert, select

from seating.domain.user import User
from seating.storage.tables import users

_DEMO_NAMES: Final = ("Alice Johnson", "Bob Smith", "Charlie Brown", "Diana Prince", "Evan Wright")
_DEMO_CREATED_MS: Final = 1_767_225_600_000  # 2026-01-01T00:00:00Z


def add(connection: Connection, user: User) -> None:
    """Insert a user. Raises SQLAlchemy's IntegrityError if the id or the e-mail address is taken."""
    connection.execute(insert(users).values(asdict(user)))


def ensure_demo(connection: Connection) -> None:
    """Insert five demo users unless there are users."""
    if connection.execute(select(users.c.id).limit(1)).first() is None:
        for number, name in enumerate(_DEMO_NAMES, start=1):
            email = f"{name.split()[0].lower()}@example.com"
            add(connection, User(str(number), name, email, "free", is_active=True, created_ms=_DEMO_CREATED_MS))


def find(connection: Connection, user_id: str) -> User | None:
    row = connection.execute(select(users).where(users.c.id == user_id)).one_or_none()
    return User(*row) if row else None


def page(connection: Connection, after_id: str, count: int) -> list[User]:
    """Return at most `count` users after the id `after_id`, ordered by id."""
    query = select(users).where(users.c.id > after_id).order_by(users.c.id).limit(count)
    return [User(*row) for row in connection.execute(query)]
