"""Operations: the routes of the API, each declared once with everything that guards and describes it.

A view is called after its caller is known, the CSRF token and the session's age have been checked, and the body matches
its schema; it calls one service and returns JSON. `/api/v1/discovery` and `/openapi.json` are made from these
declarations.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from chalice.app import Blueprint, Response

from chalicelib.domain.errors import RegistryError
from chalicelib.edge.api.framework import bodies, callers
from chalicelib.edge.api.framework.errors import aborted
from chalicelib.edge.response import Reply, as_json
from chalicelib.wiring import services

Schema = Mapping[str, Any]
View = Callable[..., Any]
# Methods that change nothing and need no CSRF token.
SAFE = ("GET", "HEAD")
PATH_PARAMETER = re.compile(r"{(\w+)}")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter: its JSON type (`integer`, `boolean`, `string`), its description and its permitted words."""

    name: str
    type: str
    about: str
    required: bool = False
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One route. `scope` is the scope that an OAuth token must have, empty if the route is open to everybody.

    `is_fresh` requires a session whose password was entered in the last minutes; `is_internal` hides the route from
    discovery, as Quay does; `answers` maps a status to the schema of its body, None for no body, `a_page` for one that
    is not JSON; `errors` are error statuses beyond those that follow from the rest, `aborts` those whose problem
    objects shrink to `message`, as in Quay; `form` describes a form body, which the view reads itself; `slash` says
    whether Quay writes the path with a slash at its end (both are accepted); `only_reads` marks a POST in which
    read-only superusers have the rights of superusers, as in every GET.
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
    aborts: tuple[int, ...] = ()
    form: Schema | None = None
    is_fresh: bool = False
    is_internal: bool = False
    is_csrf_free: bool = False
    only_reads: bool = False
    slash: bool = False

    @property
    def path_parameters(self) -> tuple[str, ...]:
        """Returns the names of the path's parameters."""
        return tuple(PATH_PARAMETER.findall(self.path))

    @property
    def is_safe(self) -> bool:
        """Returns whether the operation changes nothing."""
        return self.method in SAFE

    @property
    def is_reading(self) -> bool:
        """Returns whether read-only superusers have the rights of superusers in it."""
        return self.is_safe or self.only_reads

    @property
    def refusals(self) -> tuple[int, ...]:
        """Returns the error statuses that the operation may answer, in order."""
        statuses = {*self.errors, *self.aborts}
        if self.body is not None:
            statuses |= {400, 413, 415}
        if self.form is not None:
            statuses |= {400, 413}
        if self.parameters:
            statuses.add(400)
        if self.path_parameters:
            statuses |= {400, 404}
        if self.scope or self.is_fresh:
            statuses |= {401, 403}
        if not self.is_safe and not self.is_csrf_free:
            statuses.add(403)
        return tuple(sorted(statuses))


class Operations:
    """The operations that one module declares, on one blueprint; `tag` is their tag in the documents.

    An operation's description is its view's docstring, or `about` where one function declares several operations.
    """

    def __init__(self, import_name: str, tag: str) -> None:
        self.blueprint, self.tag = Blueprint(import_name), tag
        self.declared: list[Operation] = []

    def get(self, path: str, operation_id: str, **options: Any) -> Callable[[View], View]:
        """Declares a GET operation, which serves HEAD as well."""
        return self._declare("GET", path, operation_id, options)

    def post(self, path: str, operation_id: str, **options: Any) -> Callable[[View], View]:
        """Declares a POST operation."""
        return self._declare("POST", path, operation_id, options)

    def put(self, path: str, operation_id: str, **options: Any) -> Callable[[View], View]:
        """Declares a PUT operation."""
        return self._declare("PUT", path, operation_id, options)

    def delete(self, path: str, operation_id: str, **options: Any) -> Callable[[View], View]:
        """Declares a DELETE operation."""
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

    def answered(values: dict[str, Any]) -> Response:
        actor = callers.caller()
        actor = actor.reading() if operation.is_reading else actor
        if not operation.is_safe and not operation.is_csrf_free:
            callers.check_csrf(actor)
        if operation.is_fresh:
            services().identity.sessions.check_fresh(actor)
        if operation.body is not None:
            values = {**values, "body": bodies.read(operation.id, operation.body, operation.is_body_optional)}
        return reply_to(view(actor, **values) if wants_actor else view(**values))

    @wraps(view)
    def guarded(**values: str) -> Response:
        try:
            return answered(values)
        except RegistryError as error:
            reply = aborted(error, operation.aborts)
            if reply is None:
                raise
            return reply

    return guarded


def reply_to(result: Any) -> Reply:
    """Returns a view's result as a reply: a Reply as it is, None as 204, anything else as JSON."""
    if isinstance(result, Reply):
        return result
    return nothing(204) if result is None else as_json(result)


def nothing(status: int, kind: str = "application/json") -> Reply:
    """Returns a reply without a body, whose type is JSON as in Quay, or in a few places `text/html`."""
    return Reply("", {"Content-Type": kind}, status)


def an_object(required: Mapping[str, Schema] | None = None, **optional: Schema) -> dict[str, Any]:
    """Returns the schema of an object with these fields; other fields are accepted, as in Quay."""
    required = required or {}
    return {"type": "object", "properties": {**required, **optional}, **({"required": [*required]} if required else {})}


def a_list(items: Schema) -> dict[str, Any]:
    """Returns the schema of a list."""
    return {"type": "array", "items": items}


def or_null(schema: Schema) -> dict[str, Any]:
    """Returns the schema extended by null."""
    kind = schema["type"]
    return {**schema, "type": [*(kind if isinstance(kind, list) else [kind]), "null"]}


def a_page(kind: str = "text/html") -> dict[str, Any]:
    """Returns the schema of an answer that is not JSON."""
    return {"type": "string", "contentMediaType": kind}


TEXT: dict[str, Any] = {"type": "string"}
NUMBER: dict[str, Any] = {"type": "integer"}
FLAG: dict[str, Any] = {"type": "boolean"}
ANYTHING: dict[str, Any] = {}


def text(about: str = "", **limits: Any) -> dict[str, Any]:
    """Returns the schema of a string; `limits` are further keywords of JSON Schema."""
    return {**TEXT, **({"description": about} if about else {}), **limits}


def one_of(*values: str) -> dict[str, Any]:
    """Returns the schema of a string that is one of `values`."""
    # fastjsonschema writes the values into source text, where a member of an enum has no valid form.
    return {**TEXT, "enum": [str(value) for value in values]}
