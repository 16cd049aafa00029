"""The OpenAPI 3.1 document, made from the declared operations and nothing else (https://spec.openapis.org/oas/v3.1.1).

`swagger.py` makes Quay's older kind of document from this one.
"""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from chalicelib.domain.scopes import OFFERED
from chalicelib.edge.api.framework.operations import (
    ANYTHING,
    FLAG,
    NUMBER,
    TEXT,
    Operation,
    Parameter,
    Schema,
    an_object,
)

Document = dict[str, Any]
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
SESSION, CSRF, OAUTH, BEARER = "session", "csrf", "oauth2", "bearer"
TITLE = "Cloudberth"
ABOUT = (
    "What users, organizations and scripts may ask of this container registry: the REST API of Quay, field by field. "
    "Programs show an OAuth token in `Authorization: Bearer`; pages use a session's cookie and its CSRF token."
)
ERROR, REFUSAL = "ApiError", "Error"
ERROR_SCHEMA = an_object(
    {
        "status": {**NUMBER, "description": "The status of the answer"},
        "detail": {**TEXT, "description": "What was wrong, for a person"},
        "error_message": {**TEXT, "description": "The same"},
        "error_type": {**TEXT, "description": "What was wrong, for a program"},
        "title": {**TEXT, "description": "The same"},
        "type": {**TEXT, "description": "Where that word is explained"},
        "message": {**TEXT, "description": "The same as detail"},
    },
    field={**TEXT, "description": "The field of the body that was wrong"},
    error={**TEXT, "description": "The same as detail, where the CSRF token was wrong"},
    session_required=FLAG,
    invalidCredentials=FLAG,
    needsEmailVerification=FLAG,
)
# What an answer of a status is called; the words of HTTP for all others.
STATUSES = {200: "Successful invocation", 201: "Successful creation", 204: "Done; nothing to tell"}
# What stands in a path's places.
PLACES = {
    "assigned_authorization_uuid": "The id of an offer",
    "build_uuid": "The id of a build",
    "client_id": "The id of an OAuth application",
    "access_token_uuid": "The id of an authorization",
    "digest": "The digest of a manifest",
    "code": "The code of an invitation",
    "email": "An e-mail address",
    "error_type": "The type of an error",
    "export_id": "The id of an export, as its address has it",
    "image_id": "The digest of a manifest, without its algorithm",
    "labelid": "The id of a label",
    "limit_id": "The id of a quota's limit",
    "membername": "The name of a user or a robot",
    "name": "The name of an organization",
    "namespace": "The name of a user or an organization",
    "orgname": "The name of an organization",
    "prototypeid": "The id of a default permission",
    "policy_uuid": "The id of a policy",
    "quota_id": "The id of a quota",
    "prefix": "What a word of the name begins with",
    "repository_id": "The id of a deleted repository",
    "repository": "The full path of a repository, as in namespace/name",
    "service": "The name of a service",
    "robot_shortname": "The name of a robot without its namespace",
    "tag": "A tag",
    "teamname": "The name of a team",
    "token_uuid": "The id of a token",
    "username": "The name of a user",
    "uuid": "Its id",
}


class SchemaNames:
    """Schemas that stand once in a document, under a name, and are referred to wherever they are used.

    They are known by identity: a schema that a module names is the same object wherever it is part of another.
    """

    def __init__(self, named: Mapping[str, Schema]) -> None:
        self._names = {id(schema): name for name, schema in named.items()}
        self.used: Document = {}

    def refer(self, schema: Any) -> Any:
        """The schema with all that has a name replaced by a reference."""
        name = self._names.get(id(schema))
        if name is None:
            return self.inside(schema)
        if name not in self.used:
            self.used[name] = {}
            self.used[name] = self.inside(schema)
        return {"$ref": f"#/components/schemas/{name}"}

    def inside(self, schema: Any) -> Any:
        """The same, but for the schema's own name: what it is made of stands here."""
        if isinstance(schema, Mapping):
            return {key: self.refer(value) for key, value in schema.items()}
        return [self.refer(value) for value in schema] if isinstance(schema, list) else schema


def document(
    operations: Iterable[Operation], named: Mapping[str, Schema], tags: Mapping[str, str], url: str
) -> Document:
    """The whole document. `named` are schemas to be told once, `tags` the headings with what they are about."""
    names = SchemaNames({**named, ERROR: ERROR_SCHEMA})
    paths: Document = {}
    told: set[str] = set()
    refusals: set[int] = set()
    names.refer(ERROR_SCHEMA)
    for one in operations:
        told.add(one.tag)
        refusals.update(one.refusals)
        paths.setdefault(one.path + "/" * one.slash, {})[one.method.lower()] = _operation(one, names)
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": "v1", "description": ABOUT},
        "servers": [{"url": url}],
        "tags": [{"name": tag, "description": about} for tag, about in sorted(tags.items()) if tag in told],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(names.used.items())),
            "responses": {f"{REFUSAL}{status}": _response(status, ERROR_SCHEMA, names) for status in sorted(refusals)},
            "securitySchemes": security_schemes(url),
        },
    }


def _operation(one: Operation, names: SchemaNames) -> Document:
    summary, _, rest = one.about.partition("\n")
    told: Document = {
        "operationId": one.id,
        "tags": [one.tag],
        "summary": summary,
        **({"description": rest.strip()} if rest.strip() else {}),
        "parameters": [*map(_place, one.places), *map(_parameter, one.parameters)],
        "security": security(one),
        "responses": _responses(one, names),
    }
    if one.body is not None:
        told["requestBody"] = {
            "required": not one.is_body_optional,
            "content": {JSON: {"schema": names.refer(one.body)}},
        }
    elif one.form is not None:
        told["requestBody"] = {"required": True, "content": {FORM: {"schema": names.inside(one.form)}}}
    marks = {"x-internal": one.is_internal, "x-requires-fresh-login": one.is_fresh}
    return told | {mark: True for mark, is_set in marks.items() if is_set}


def _place(name: str) -> Document:
    return {"name": name, "in": "path", "required": True, "description": PLACES.get(name, ""), "schema": TEXT}


def _parameter(parameter: Parameter) -> Document:
    schema = {"type": parameter.type, **({"enum": [*parameter.words]} if parameter.words else {})}
    return {
        "name": parameter.name,
        "in": "query",
        "required": parameter.required,
        "description": parameter.about,
        "schema": schema,
    }


def security(one: Operation) -> list[Document]:
    """The ways to show who asks, of which one is enough; none where everybody may ask."""
    session: Document = {SESSION: []}
    if not one.is_safe and not one.is_csrf_free:
        session[CSRF] = []
    if not one.scope:
        return [session] if CSRF in session or one.is_fresh else []
    return [{BEARER: [one.scope]}, {OAUTH: [one.scope]}, session]


def security_schemes(url: str) -> Document:
    """All ways to show who asks."""
    scopes = {scope.name: scope.description for scope in OFFERED.values()}
    authorize = {"authorizationUrl": f"{url}/oauth/authorize", "scopes": scopes}
    is_secure = url.startswith("https:")
    return {
        SESSION: {"type": "apiKey", "in": "cookie", "name": "__Host-session" if is_secure else "session"},
        CSRF: {"type": "apiKey", "in": "header", "name": "X-CSRF-Token", "description": "As GET /csrf_token gives it"},
        OAUTH: {
            "type": "oauth2",
            "flows": {
                "implicit": authorize,
                "authorizationCode": {**authorize, "tokenUrl": f"{url}/oauth/access_token"},
            },
        },
        BEARER: {"type": "http", "scheme": "bearer", "description": "An OAuth token that you have already"},
    }


def _responses(one: Operation, names: SchemaNames) -> Document:
    answers = one.answers or {200: ANYTHING}
    told = {str(status): _response(status, schema, names) for status, schema in answers.items()}
    for status in one.refusals:
        told.setdefault(str(status), {"$ref": f"#/components/responses/{REFUSAL}{status}"})
    return dict(sorted(told.items()))


def _response(status: int, schema: Schema | None, names: SchemaNames) -> Document:
    told: Document = {"description": STATUSES.get(status) or HTTPStatus(status).phrase}
    if schema is not None:
        kind = schema.get("contentMediaType", JSON)
        told["content"] = {kind: {"schema": names.refer(schema)}}
    return told
