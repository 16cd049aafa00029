"""The application: what chalice lacks for a registry, in one place.

It adds one declared route per operation, repository names of any depth, a reply for every path in the dialect of that
path, one request per thread, and replies for domain errors (ADR 0001 says what chalice 1.34 does).
"""

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from functools import wraps
from threading import Lock
from typing import Any

from chalice.app import Blueprint, Chalice, Request, Response

from chalicelib.domain.browsers import missing_protections
from chalicelib.domain.errors import (
    FeatureUnserved,
    MethodUnsupported,
    RegistryError,
    RouteUnknown,
    SettingInvalid,
    Unavailable,
)
from chalicelib.domain.logged_paths import logged_path
from chalicelib.edge import request_lines
from chalicelib.edge.dialects import is_registry_path, to_reply
from chalicelib.edge.origins import check_origin, client_address
from chalicelib.edge.response import empty
from chalicelib.edge.router import Router
from chalicelib.telemetry import logger, note, one_line

API = "/api/v1/"
# Scripts of other origins may call with a token of their own; browsers send no cookie (https://fetch.spec.whatwg.org).
ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}
MISCONFIGURED = "the registry is misconfigured, and its operator finds the reason in its log"
PREFLIGHT = {
    **ANY_ORIGIN,
    # Quay sends a content type even without a body.
    "Content-Type": "text/html; charset=utf-8",
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, X-Requested-With",
}


class RegistryApp(Chalice):
    """A chalice app that takes HTTP events of payload format 1.0 from one `$default` route."""

    _request: ContextVar[Request | None] = ContextVar("request", default=None)

    def __init__(self, name: str) -> None:
        super().__init__(name, configure_logs=False)
        # Reply decides what is base64; an empty list switches off chalice's check of Accept.
        self.api.binary_types = []
        self._late: Callable[[], Iterable[Blueprint]] | None = None
        self._completing = Lock()
        self._router: Router | None = None
        self._unserved: Mapping[str, str] = {}

    @property
    def current_request(self) -> Request | None:
        """Returns the request of this thread; chalice keeps one on the app, where threads would overwrite it."""
        return self._request.get()

    @current_request.setter
    def current_request(self, value: Request | None) -> None:
        self._request.set(value)

    @property
    def router(self) -> Router:
        """Returns the router over all routes that are registered now, and over the paths that are not served."""
        if self._router is None:
            self._router = Router({**self._unserved, **self.routes})
        return self._router

    def register_late(self, load: Callable[[], Iterable[Blueprint]]) -> None:
        """Sets the loader of the blueprints outside /v2, which runs at the first request there: pulls must not wait."""
        self._late = load

    def register_unserved(self, features: Mapping[str, str]) -> None:
        """Sets the paths whose methods without a route are answered with the name of the feature that is not served."""
        self._unserved, self._router = features, None

    def complete(self) -> None:
        """Registers the late blueprints once; requests that arrive meanwhile wait for it."""
        with self._completing:
            if self._late is None:
                return
            for blueprint in self._late():
                self.register_blueprint(blueprint)
            self._router, self._late = None, None

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Answers one event, adds what no browser may do with the answer, and writes the request's line in the log."""
        with one_line("request", **request_lines.of_request(event)) as line:
            answer = self._answer(event, context)
            answer["headers"] = missing_protections(answer["headers"]) | answer["headers"]
            line.facts |= request_lines.of_answer(answer)
        return answer

    def _answer(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Answers one event. `headers` of payload 1.0 hold only the last value of each, so the lists are joined.

        https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
        """
        outer = event["requestContext"]
        if self._late and not is_registry_path(outer["path"]):
            self.complete()
        pattern, values = self.router.match(outer["path"])
        method = outer["httpMethod"]
        request_lines.note_route(method, pattern, values)
        headers = {name: _joined(name, lines) for name, lines in (event.get("multiValueHeaders") or {}).items()}
        inner = {
            **event,
            "headers": headers or event["headers"],
            "pathParameters": dict(values),
            "requestContext": {**outer, "resourcePath": pattern},
        }
        if pattern is None or method not in self.routes.get(pattern, ()):
            return self._refuse(inner, pattern, context)
        answer: dict[str, Any] = super().__call__(inner, context)
        if pattern.startswith(API):
            answer["headers"] = {**ANY_ORIGIN, **answer["headers"]}
        return answer

    def _refuse(self, event: dict[str, Any], pattern: str | None, context: Any) -> dict[str, Any]:
        """Answers 404, 405 or a preflight, which chalice would not answer in the path's dialect."""
        self.current_request = Request(event, context)
        outer = event["requestContext"]
        is_preflight = outer["httpMethod"] == "OPTIONS" and pattern in self.routes
        feature = self._unserved.get(pattern or "")
        if feature and not is_preflight:
            return to_reply(FeatureUnserved(feature), self.current_request).to_dict()
        if pattern is None:
            return to_reply(RouteUnknown(outer["path"]), self.current_request).to_dict()
        allowed = sorted({*self.routes[pattern], "OPTIONS"} if pattern.startswith(API) else self.routes[pattern])
        if outer["httpMethod"] == "OPTIONS" and pattern.startswith(API):
            return empty(200, {"Allow": ", ".join(allowed), **PREFLIGHT}).to_dict()
        reply = to_reply(MethodUnsupported(outer["httpMethod"], allowed), self.current_request)
        reply.headers["Allow"] = ", ".join(allowed)
        return reply.to_dict()

    def _register_route(self, name: str, user_handler: Callable[..., Any], kwargs: Any, **unused: Any) -> None:
        """Lets every view take any content type and answers its errors, which middleware does not see (issue 1541)."""
        kwargs["kwargs"].setdefault("content_types", [])
        super()._register_route(name, self._answering_errors(user_handler), kwargs, **unused)

    def _answering_errors(self, view: Callable[..., Response]) -> Callable[..., Response]:
        @wraps(view)
        def guarded(**values: str) -> Response:
            try:
                request = self.current_request
                check_origin(request)
                note(address=client_address(request) if request else "")
                return view(**values)
            except SettingInvalid as error:
                # Settings are the operator's business, who reads the log; a caller learns that it is not their fault.
                logger.error("setting invalid", setting=error.setting, why=str(error))
                return to_reply(Unavailable(MISCONFIGURED), self.current_request)
            except RegistryError as error:
                return to_reply(error, self.current_request)
            except Exception as error:  # noqa: BLE001 - a bug is logged once, here, and answered
                request = self.current_request
                context = request.context if request else {}
                logger.exception(
                    "bug", request_id=context.get("requestId"), path=logged_path(str(context.get("path") or ""))
                )
                return to_reply(error, request)

        return guarded


def _joined(name: str, lines: Iterable[str]) -> str:
    """Joins the lines of a header (RFC 9110, section 5.3), and those of cookies as HTTP/2 does (RFC 9113, 8.2.3)."""
    return ("; " if name.lower() == "cookie" else ", ").join(lines)
