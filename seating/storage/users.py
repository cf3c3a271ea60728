"""The record of users."""

from dataclasses import asdict

from sqlalchemy import Connection, insert, select

from seating.domain.user import User
from seating.storage.tables import users


def add(connection: Connection, user: User) -> None:
    """Raises sqlalchemy's IntegrityError if the id or the e-mail address is taken."""
    connection.execute(insert(users).values(asdict(user)))


def find(connection: Connection, user_id: str) -> User | None:
    row = connection.execute(select(users).where(users.c.id == user_id)).one_or_none()
    return User(*row) if row else None


def page(connection: Connection, after_id: str, count: int) -> list[User]:
    """At most `count` users in the order of their ids, from the first one after `after_id`."""
    query = select(users).where(users.c.id > after_id).order_by(users.c.id).limit(count)
    return [User(*row) for row in connection.execute(query)]
