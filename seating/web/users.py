"""Users: read through the shared cache, created and listed."""

from urllib.parse import urlencode

from flask import Response
from pydantic import BaseModel, Field, RootModel

from seating.domain.errors import (
    InvalidRequest,
    LoadFailed,
    RecordUnavailable,
    SharedStateUnavailable,
    UserExists,
    UserNotFound,
)
from seating.domain.user import MAX_ID_LENGTH, Plan, User
from seating.web.application import Routes
from seating.web.callers import Access, open_to
from seating.web.declarations import refuses, sends
from seating.web.errors import refuse
from seating.web.parsing import NOT_BLANK, StrictModel, parsed
from seating.web.rate_limiting import limited
from seating.web.responses import WholeResponse
from seating.web.schemas import Answer, Line, Moment, PageQuery, example, examples
from seating.web.services import services

api = Routes("users", __name__, "Users", __doc__)


class UserPath(BaseModel):
    user_id: str = Field(description="the user's id", json_schema_extra=example("1"))


class UserPageQuery(PageQuery):
    cursor: Line = Field("", max_length=64, description="from the `Link` of the previous page")


class NewUser(StrictModel):
    model_config = examples({"name": "Frida Kern", "email": "frida@example.com", "plan": "pro"})

    name: Line = Field(min_length=1, max_length=200, pattern=NOT_BLANK)
    email: str = Field(
        max_length=320, description="stored in lower case; must be unique", json_schema_extra={"format": "email"}
    )
    id: str | None = Field(None, max_length=MAX_ID_LENGTH, description="random if not given")
    plan: Plan = "free"


class UserView(Answer):
    model_config = examples(
        {
            "id": "1",
            "name": "Alice Johnson",
            "email": "alice@example.com",
            "plan": "free",
            "isActive": True,
            "createdAt": "2026-05-01T10:00:00.000Z",
        }
    )

    id: str
    name: str
    email: str
    plan: Plan
    is_active: bool
    created_at: Moment = Field(validation_alias="created_ms")


class UserListView(RootModel[list[UserView]]):
    """Users, ordered by id."""


@api.get("/users", responses={200: UserListView})
@open_to(Access.USERS)
@refuses(RecordUnavailable)
@sends("Link")
@limited("users")
@parsed
def list_users(query: UserPageQuery) -> Response:
    """List users

    A bare list, which older clients need. The next page is in the `Link` header (RFC 8288) with `rel="next"`, not in
    the body.
    """
    page = services().users.page(query.cursor, query.limit)
    answer = WholeResponse(b"[" + b",".join(map(document, page.items)) + b"]")
    if page.next is not None:
        following = urlencode({"cursor": page.next, "limit": query.limit})
        answer.headers["Link"] = f'</users?{following}>; rel="next"'
    return answer


@api.get("/users/<user_id>", responses={200: UserView})
@open_to(Access.USERS)
@refuses(InvalidRequest, UserNotFound, RecordUnavailable, SharedStateUnavailable, LoadFailed)
@sends("X-Cache", statuses=(200, 404))
@limited("users")
@parsed
def get_user(path: UserPath) -> Response:
    """Get a user

    `X-Cache` says where it came from: HIT, MISS, or COALESCED with another request for the same user.
    """
    found, source = services().users.get(path.user_id)
    # Not raised, because this response has `X-Cache` too.
    answer = refuse(UserNotFound()) if found is None else WholeResponse(found)
    answer.headers["X-Cache"] = source
    return answer


@api.post("/users", responses={201: UserView})
@open_to(Access.USER_CHANGES)
@refuses(UserExists, RecordUnavailable)
@limited("users")
@parsed
def create_user(body: NewUser) -> Response:
    """Create a user"""
    return WholeResponse(services().users.create(body.name, body.email, body.plan, body.id), 201)


def document(user: User) -> bytes:
    return UserView.model_validate(user).model_dump_json(by_alias=True).encode()
