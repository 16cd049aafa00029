"""Operations: the routes of the API, declared once with all that guards and describes them.

A view is called when its caller is known, the request's CSRF token and the session's age have been checked, and the
body fits its schema; it calls one service and gives back JSON. What is declared here is what `/api/v1/discovery` and
`/openapi.json` tell.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from chalice.app import Blueprint, Response

from chalicelib.edge.api.framework import bodies, callers
from chalicelib.edge.response import Reply, as_json
from chalicelib.wiring import services

Schema = Mapping[str, Any]
View = Callable[..., Any]
# Methods that change nothing, and need no CSRF token.
SAFE = ("GET", "HEAD")
PLACE = re.compile(r"{(\w+)}")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter: its JSON type (`integer`, `boolean`, `string`), what it does, and the words it takes."""

    name: str
    type: str
    about: str
    required: bool = False
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One route. `scope` is what an OAuth token must let through, empty where everybody may ask.

    `is_fresh` asks a session for its password of the last minutes; `is_internal` hides from discovery, as Quay does;
    `answers` maps a status to the schema of its body, None for no body, `a_page` for one that is no JSON; `errors` are
    statuses of refusals beyond those that follow from the rest; `form` describes a body that is a form, which the view
    reads itself; `slash` is whether Quay writes the path with one at its end (both are taken).
    """

    method: str
    path: str
    id: str
    tag: str
    about: str
    scope: str = ""
    body: Schema | None = None
    is_body_optional: bool = False
    parameters: tuple[Parameter, ...] = ()
    answers: Mapping[int, Schema | None] = field(default_factory=dict)
    errors: tuple[int, ...] = ()
    form: Schema | None = None
    is_fresh: bool = False
    is_internal: bool = False
    is_csrf_free: bool = False
    slash: bool = False

    @property
    def places(self) -> tuple[str, ...]:
        """The names of what the path leaves open."""
        return tuple(PLACE.findall(self.path))

    @property
    def is_safe(self) -> bool:
        """Whether it changes nothing."""
        return self.method in SAFE

    @property
    def refusals(self) -> tuple[int, ...]:
        """The statuses of errors that it may answer, in order."""
        found = set(self.errors)
        if self.body is not None:
            found |= {400, 413, 415}
        if self.form is not None:
            found |= {400, 413}
        if self.parameters:
            found.add(400)
        if self.places:
            found |= {400, 404}
        if self.scope or self.is_fresh:
            found |= {401, 403}
        if not self.is_safe and not self.is_csrf_free:
            found.add(403)
        return tuple(sorted(found))


class Operations:
    """A blueprint of operations that one module declares; `tag` is their heading in the documents.

    What each is `about`, its view says, unless one function declares several.
    """

    def __init__(self, import_name: str, tag: str) -> None:
        self.blueprint, self.tag = Blueprint(import_name), tag
        self.declared: list[Operation] = []

    def get(self, path: str, operation_id: str, **options: Any) -> Callable[[View], View]:
        """Declares a read."""
        return self._declare("GET", path, operation_id, options)

    def post(self, path: str, operation_id: str, **options: Any) -> Callable[[View], View]:
        """Declares something new."""
        return self._declare("POST", path, operation_id, options)

    def put(self, path: str, operation_id: str, **options: Any) -> Callable[[View], View]:
        """Declares a change."""
        return self._declare("PUT", path, operation_id, options)

    def delete(self, path: str, operation_id: str, **options: Any) -> Callable[[View], View]:
        """Declares a removal."""
        return self._declare("DELETE", path, operation_id, options)

    def _declare(self, method: str, path: str, operation_id: str, options: dict[str, Any]) -> Callable[[View], View]:
        about = options.pop("about", "")

        def declare(view: View) -> View:
            view.__doc__ = about or inspect.getdoc(view) or ""
            operation = Operation(method, path, operation_id, self.tag, view.__doc__, **options)
            self.declared.append(operation)
            methods = list(SAFE) if method == "GET" else [method]
            self.blueprint.route(path, methods=methods)(_guarded(operation, view))
            return view

        return declare


def _guarded(operation: Operation, view: View) -> View:
    wants_actor = "actor" in inspect.signature(view).parameters

    @wraps(view)
    def guarded(**values: str) -> Response:
        actor = callers.caller()
        if not operation.is_safe and not operation.is_csrf_free:
            callers.check_csrf(actor)
        if operation.is_fresh:
            services().identity.sessions.check_fresh(actor)
        if operation.body is not None:
            values = {**values, "body": bodies.read(operation.id, operation.body, operation.is_body_optional)}
        return answered(view(actor, **values) if wants_actor else view(**values))

    return guarded


def answered(answer: Any) -> Reply:
    """What a view gives back, as a reply: a Reply as it is, None as 204, anything else as JSON."""
    if isinstance(answer, Reply):
        return answer
    return nothing(204) if answer is None else as_json(answer)


def nothing(status: int, kind: str = "application/json") -> Reply:
    """An answer without a body, which Quay calls JSON all the same, or in a few places a page."""
    return Reply("", {"Content-Type": kind}, status)


def an_object(required: Mapping[str, Schema] | None = None, **optional: Schema) -> dict[str, Any]:
    """The schema of an object with such fields; others are let through, as Quay does."""
    required = required or {}
    return {"type": "object", "properties": {**required, **optional}, **({"required": [*required]} if required else {})}


def a_list(items: Schema) -> dict[str, Any]:
    """The schema of a list."""
    return {"type": "array", "items": items}


def or_null(schema: Schema) -> dict[str, Any]:
    """The same, or null."""
    kind = schema["type"]
    return {**schema, "type": [*(kind if isinstance(kind, list) else [kind]), "null"]}


def a_page(kind: str = "text/html") -> dict[str, Any]:
    """The schema of an answer that is no JSON."""
    return {"type": "string", "contentMediaType": kind}


TEXT: dict[str, Any] = {"type": "string"}
NUMBER: dict[str, Any] = {"type": "integer"}
FLAG: dict[str, Any] = {"type": "boolean"}
ANYTHING: dict[str, Any] = {}


def text(about: str = "", **limits: Any) -> dict[str, Any]:
    """The schema of a text, with what it is for."""
    return {**TEXT, **({"description": about} if about else {}), **limits}


def one_of(*values: str) -> dict[str, Any]:
    """The schema of one of some words."""
    # fastjsonschema writes the values into source text, where a member of an enum has no valid form.
    return {**TEXT, "enum": [str(value) for value in values]}
