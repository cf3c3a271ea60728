"""Users: read through the shared cache, create, list."""

from urllib.parse import urlencode

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from seating.domain.errors import UserNotFound
from seating.domain.user import User
from seating.web.answers import rfc3339
from seating.web.errors import refuse
from seating.web.parsing import parsed
from seating.web.rate_limiting import limited
from seating.web.schemas import NewUser, UserListView, UserPageQuery, UserPath, UserView, problems
from seating.web.services import services

api = APIBlueprint("users", __name__, abp_tags=[Tag(name="Users", description=__doc__)])


@api.get("/users", responses={200: UserListView, **problems(400, 429, 503)})
@limited("users")
@parsed
def list_users(query: UserPageQuery) -> Response:
    """All users, paged

    A `Link` header (RFC 8288) with `rel="next"` leads to the next page.
    """
    page = services().users.page(query.cursor, query.limit)
    answer = _answer(b"[" + b",".join(map(document, page.users)) + b"]")
    if page.next_cursor is not None:
        following = urlencode({"cursor": page.next_cursor, "limit": query.limit})
        answer.headers["Link"] = f'</users?{following}>; rel="next"'
    return answer


@api.get("/users/<user_id>", responses={200: UserView, **problems(400, 404, 429, 503)})
@limited("users")
@parsed
def get_user(path: UserPath) -> Response:
    """One user

    `X-Cache` says where it came from: HIT, MISS, or COALESCED with another request for the same user.
    """
    found, source = services().users.get(path.user_id)
    answer = refuse(UserNotFound()) if found is None else _answer(found)
    answer.headers["X-Cache"] = source
    return answer


@api.post("/users", responses={201: UserView, **problems(400, 408, 409, 413, 415, 429, 503)})
@limited("users")
@parsed
def create_user(body: NewUser) -> Response:
    """Create a user"""
    return _answer(services().users.create(body.name, body.email, body.plan, body.id), 201)


def document(user: User) -> bytes:
    view = UserView(
        id=user.id,
        name=user.name,
        email=user.email,
        plan=user.plan,
        is_active=user.is_active,
        created_at=rfc3339(user.created_ms),
    )
    return view.model_dump_json(by_alias=True).encode()


def _answer(body: bytes, status: int = 200) -> Response:
    return Response(body, status, content_type="application/json")
