"""Flask, with a shorter path from a request to an ordinary view."""

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from flask import Flask, Response
from flask.ctx import AppContext, RequestContext
from flask.globals import _cv_app, _cv_request
from flask.sessions import NullSession
from flask_openapi3 import APIBlueprint, OpenAPI, Tag
from flask_openapi3.models import PathItem
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from seating.web import api_document

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_NO_SESSION: Final = NullSession()


class Routes(APIBlueprint):
    """Views of one subject. flask-openapi3 documents them; `parsed`, not flask-openapi3, parses their requests."""

    def __init__(self, name: str, module: str, title: str, description: str) -> None:
        super().__init__(name, module, abp_tags=[Tag(name=title, description=description)])

    @staticmethod
    def create_view_func(func: Any, *_models: Any, **_options: Any) -> Any:
        return func


class Application(OpenAPI):
    """Flask without sessions, signals and URL adapters for requests that lead straight to a view.

    Nearly all do. Flask itself handles the others: unknown addresses, OPTIONS, WebSockets, and views with functions
    before or after them. Contexts, error handlers and the application's after_request functions work in both cases.
    This is for Flask 3.1; 3.2 will have one context instead of two.
    """

    def generate_spec_json(self) -> None:
        super().generate_spec_json()  # type: ignore[no-untyped-call]
        api_document.complete(self, self.spec_json)

    def register_api(self, api: APIBlueprint, **options: Any) -> None:
        """Routes of several subjects may share a path: flask-openapi3 alone would document the last one's only."""
        for path in self.paths.keys() & api.paths.keys():
            for name in PathItem.model_fields:
                known = getattr(self.paths[path], name)
                if known is not None:
                    setattr(api.paths[path], name, known)
        super().register_api(api, **options)

    def wsgi_app(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if "HTTP_UPGRADE" in environ:
            return super().wsgi_app(environ, start_response)
        found = _straight_route(self, environ["REQUEST_METHOD"], environ.get("HTTP_HOST", ""), environ["PATH_INFO"])
        if found is None:
            return super().wsgi_app(environ, start_response)
        in_app = _cv_app.set(AppContext(self))
        in_request = _cv_request.set(_Context(self, environ, *found))
        try:
            return self._respond(*found)(environ, start_response)
        finally:
            environ["werkzeug.request"] = None  # Break the reference cycle.
            _cv_request.reset(in_request)
            _cv_app.reset(in_app)

    def _respond(self, rule: Rule, values: dict[str, Any]) -> "WSGIApplication":
        try:
            try:
                answer: Any = self.view_functions[rule.endpoint](**values)
            except Exception as error:  # noqa: BLE001  # Those that are known have handlers.
                answer = self.handle_user_exception(error)
            response = answer if isinstance(answer, Response) else self.make_response(answer)
            for function in reversed(self.after_request_funcs.get(None, ())):
                response = function(response)
        except Exception as error:  # noqa: BLE001  # A handler's own.
            return self.handle_exception(error)
        return response


class _Context(RequestContext):
    """The context of a request whose route is already known."""

    def __init__(self, app: Flask, environ: "WSGIEnvironment", rule: Rule, values: dict[str, Any]) -> None:
        self.app = app
        self.request = app.request_class(environ)
        self.request.url_rule, self.request.view_args = rule, values
        self.url_adapter = None
        self._session = _NO_SESSION
        self._after_request_functions = []


@lru_cache(maxsize=1024)
def _straight_route(app: Flask, method: str, host: str, path_info: str) -> tuple[Rule, dict[str, Any]] | None:
    # WSGI passes bytes as Latin-1 text (PEP 3333). Werkzeug decodes them in the same way.
    path = path_info.encode("latin1").decode(errors="replace")
    try:
        rule, values = app.url_map.bind(host, "", "", "http", method, path).match(return_rule=True)
    except HTTPException:
        return None
    return None if method == "OPTIONS" or _has_functions_around(app, rule.endpoint) else (rule, dict(values))


def _has_functions_around(app: Flask, endpoint: str) -> bool:
    *parents, _ = endpoint.split(".")
    around = app.before_request_funcs, app.teardown_request_funcs, app.url_value_preprocessors
    return (
        bool(app.teardown_appcontext_funcs)
        or any(functions.get(name) for functions in around for name in (None, *parents))
        or any(app.after_request_funcs.get(name) for name in parents)
    )
