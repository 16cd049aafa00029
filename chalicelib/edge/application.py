"""The front door: what chalice lacks for a registry, at one place.

One declared route per operation, repositories at any depth, an answer for every path in the dialect of that path,
requests that do not share a variable, and domain errors turned into replies (ADR 0001 says what chalice 1.34 does).
"""

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from functools import wraps
from threading import Lock
from typing import Any

from chalice.app import Blueprint, Chalice, Request, Response

from chalicelib.domain.errors import MethodUnsupported, RegistryError, RouteUnknown
from chalicelib.edge.dialects import is_registry, to_reply
from chalicelib.edge.origins import check_origin
from chalicelib.edge.response import empty
from chalicelib.edge.router import Router
from chalicelib.telemetry import logger

API = "/api/v1/"
# Scripts of other origins may ask with a token of their own; no cookie goes along (https://fetch.spec.whatwg.org).
ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}
PREFLIGHT = {
    **ANY_ORIGIN,
    # Quay names a type where there is no body, too.
    "Content-Type": "text/html; charset=utf-8",
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, X-Requested-With",
}


class RegistryApp(Chalice):
    """A chalice app that takes HTTP events of payload format 1.0 from one `$default` route."""

    _request: ContextVar[Request | None] = ContextVar("request", default=None)

    def __init__(self, name: str) -> None:
        super().__init__(name, configure_logs=False)
        # Reply decides what is base64; chalice's check of Accept stays out of the way.
        self.api.binary_types = []
        self._late: Callable[[], Iterable[Blueprint]] | None = None
        self._completing = Lock()
        self._router: Router | None = None

    @property
    def current_request(self) -> Request | None:
        """The request of this thread: chalice keeps one on the app, where threads would overwrite it."""
        return self._request.get()

    @current_request.setter
    def current_request(self, value: Request | None) -> None:
        self._request.set(value)

    @property
    def router(self) -> Router:
        """The routes that are registered by the first event."""
        if self._router is None:
            self._router = Router(self.routes)
        return self._router

    def register_late(self, load: Callable[[], Iterable[Blueprint]]) -> None:
        """Blueprints outside /v2 that are loaded for the first who asks there: a pull must not wait for them."""
        self._late = load

    def complete(self) -> None:
        """Registers what was put off, once, whoever asks first; the others wait for it."""
        with self._completing:
            if self._late is None:
                return
            for blueprint in self._late():
                self.register_blueprint(blueprint)
            self._router, self._late = None, None

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Answers one event. `headers` of payload 1.0 hold the last value of each: all of them are joined here."""
        outer = event["requestContext"]
        if self._late and not is_registry(outer["path"]):
            self.complete()
        pattern, values = self.router.match(outer["path"])
        method = outer["httpMethod"]
        headers = {name: ", ".join(lines) for name, lines in (event.get("multiValueHeaders") or {}).items()}
        inner = {
            **event,
            "headers": headers or event["headers"],
            "pathParameters": dict(values),
            "requestContext": {**outer, "resourcePath": pattern},
        }
        if pattern is None or method not in self.routes[pattern]:
            return self._refuse(inner, pattern, context)
        answer: dict[str, Any] = super().__call__(inner, context)
        if pattern.startswith(API):
            answer["headers"] = {**ANY_ORIGIN, **answer["headers"]}
        return answer

    def _refuse(self, event: dict[str, Any], pattern: str | None, context: Any) -> dict[str, Any]:
        """404 and 405, which chalice would not answer in our dialects."""
        self.current_request = Request(event, context)
        outer = event["requestContext"]
        if pattern is None:
            return to_reply(RouteUnknown(outer["path"]), self.current_request).to_dict()
        allowed = sorted({*self.routes[pattern], "OPTIONS"} if pattern.startswith(API) else self.routes[pattern])
        if outer["httpMethod"] == "OPTIONS" and pattern.startswith(API):
            return empty(200, {"Allow": ", ".join(allowed), **PREFLIGHT}).to_dict()
        reply = to_reply(MethodUnsupported(outer["httpMethod"], allowed), self.current_request)
        reply.headers["Allow"] = ", ".join(allowed)
        return reply.to_dict()

    def _register_route(self, name: str, user_handler: Callable[..., Any], kwargs: Any, **unused: Any) -> None:
        """Every view takes any content type and has its errors told: middleware does not see them (issue 1541)."""
        kwargs["kwargs"].setdefault("content_types", [])
        super()._register_route(name, self._telling(user_handler), kwargs, **unused)

    def _telling(self, view: Callable[..., Response]) -> Callable[..., Response]:
        @wraps(view)
        def told(**values: str) -> Response:
            try:
                check_origin(self.current_request)
                return view(**values)
            except RegistryError as error:
                return to_reply(error, self.current_request)
            except Exception as error:  # noqa: BLE001 - a bug is told once, here, and answered
                request = self.current_request
                context = request.context if request else {}
                logger.exception("bug", request_id=context.get("requestId"), path=context.get("path"))
                return to_reply(error, request)

        return told
