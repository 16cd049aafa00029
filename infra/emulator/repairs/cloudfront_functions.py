"""CloudFront Functions of runtime 2.0 can import the module `cloudfront` and use its key value store and its origins.

ministack refuses `import cf from 'cloudfront'`. It shows a viewer-response function the path that the viewer-request
function wrote, but the headers that the client sent; the repair shows the whole request as that function left it. AWS
does not document which of the two it does, so a function must work with either.

No upstream report is known as of 1.5.33.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-custom-methods.html
"""

import copy
import importlib
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from infra.emulator.repairs.private import demand, service

NEEDED = (
    *("handle_viewer_request", "_match_behavior", "_build_function_event", "_run_function", "_function_view"),
    *("_functions", "CloudFrontFunctionError"),
)
MODULE = """
const edge = { store: null, origin: null, event: null };
const formats = { string: (text) => text, json: JSON.parse, bytes: (text) => Buffer.from(text) };
edge.module = {
  kvs() {
    if (edge.store === null) throw new Error("no key value store is associated with this function");
    const has = (key) => Object.prototype.hasOwnProperty.call(edge.store, key);
    return {
      async get(key, options) {
        if (!has(key)) throw new Error("KeyNotFound");
        return formats[(options && options.format) || "string"](edge.store[key]);
      },
      async exists(key) { return has(key); },
      async count() { return Object.keys(edge.store).length; },
    };
  },
  selectRequestOriginById(id) {
    if (edge.event.context.eventType !== "viewer-request") throw new Error("the origin was chosen before this event");
    edge.origin = id;
  },
};
"""
CODE = "const { code, event } = req;"
# Each text occurs once in the script of ministack's workers; a worker runs one function at a time.
CHANGES = {
    "const _ALLOWED_MODULES = { crypto,": MODULE + "const _ALLOWED_MODULES = { cloudfront: edge.module, crypto,",
    CODE: CODE + " Object.assign(edge, req.edge, { event, origin: null });",
    'return { status: "ok", value:': 'return { status: "ok", origin: edge.origin, value:',
}

Event = dict[str, Any]


@dataclass
class ViewerRequest:
    """The state of one viewer's request that functions read and change."""

    behavior: dict[str, Any] = field(default_factory=dict)
    origins: Mapping[str, Any] = field(default_factory=dict)
    store: Mapping[str, str] | None = None
    origin: str | None = None
    request: Event | None = None

    def begin(self, store: Mapping[str, str] | None) -> None:
        """Prepares the state for a function with this key value store."""
        self.store, self.origin = store, None


VIEWER_REQUEST: ContextVar[ViewerRequest] = ContextVar("viewer_request")


def repair(emulator: Any) -> None:
    """Gives functions the module `cloudfront` and routes requests to the origin that they choose."""
    edge = service(emulator, "cloudfront", *NEEDED)
    stores = service(emulator, "cloudfront_keyvaluestore", "_stores")
    runner: Any = importlib.import_module("ministack.core.cloudfront_js")
    demand(runner, "_pool", "_WORKER_SCRIPT")
    runner._pool = _WorkerPool(runner._pool, _script(runner._WORKER_SCRIPT))  # noqa: SLF001  (private, as all of it)
    _follow_viewer_requests(edge)
    published = edge._run_function  # noqa: SLF001

    async def run(function: str, event: Event) -> Any:
        viewer = VIEWER_REQUEST.get()
        viewer.begin(_store(edge, stores, function))
        result = await published(function, event)
        if viewer.origin is not None:
            if viewer.origin not in viewer.origins:
                raise edge.CloudFrontFunctionError(f"the distribution has no origin {viewer.origin}")
            viewer.behavior["target_origin_id"] = viewer.origin
        if isinstance(result, dict) and "statusCode" not in result:
            viewer.request = copy.deepcopy(result)
        return result

    edge._run_function = run  # noqa: SLF001


class _WorkerPool:
    """Wraps ministack's pool of workers: sends them the store and reads the chosen origin from each answer."""

    def __init__(self, published: Any, script: str) -> None:
        self.published = published
        published.script = script
        self.reset = published.reset

    def call(self, request: dict[str, Any], timeout: float | None = None) -> dict[str, Any]:
        viewer = VIEWER_REQUEST.get()
        answer: dict[str, Any] = self.published.call(request | {"edge": {"store": viewer.store}}, timeout=timeout)
        viewer.origin = answer.pop("origin", None)
        return answer


def _follow_viewer_requests(edge: Any) -> None:
    """Records the behavior, origins and request while ministack serves a viewer."""
    serve, match, build = edge.handle_viewer_request, edge._match_behavior, edge._build_function_event  # noqa: SLF001

    async def serve_viewer(*arguments: Any, **more: Any) -> Any:
        token = VIEWER_REQUEST.set(ViewerRequest())
        try:
            return await serve(*arguments, **more)
        finally:
            VIEWER_REQUEST.reset(token)

    def match_first(parsed: dict[str, Any], path: str) -> Any:
        behavior, viewer = match(parsed, path), VIEWER_REQUEST.get()
        # ministack matches a second time for an error page.
        if behavior and not viewer.behavior:
            viewer.behavior, viewer.origins = behavior, parsed["origins"]
        return behavior

    def build_event(kind: str, *arguments: Any) -> Event:
        event: Event = build(kind, *arguments)
        request = VIEWER_REQUEST.get().request
        return event if kind == "viewer-request" or request is None else event | {"request": request}

    edge.handle_viewer_request = serve_viewer
    edge._match_behavior, edge._build_function_event = match_first, build_event  # noqa: SLF001


def _store(edge: Any, stores: Any, function: str) -> Mapping[str, str] | None:
    """Returns the entries of a published function's key value store, or None if it has none."""
    known = edge._functions.get(function.rsplit("/", 1)[-1])  # noqa: SLF001
    for arn in edge._function_view(known, "LIVE").get("kvs_arns") or [] if known else []:  # noqa: SLF001
        entries: Mapping[str, str] = (stores._stores.get(arn) or {"items": {}})["items"]  # noqa: SLF001
        return entries
    return None


def _script(published: str) -> str:
    for text, changed in CHANGES.items():
        if published.count(text) != 1:
            raise SystemExit(f"ministack's script for CloudFront Functions no longer has {text!r} once.")
        published = published.replace(text, changed)
    return published
