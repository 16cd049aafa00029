"""The OpenAPI 3.1 document, made from the declared operations alone (https://spec.openapis.org/oas/v3.1.1).

`swagger.py` converts it to the older format that Quay serves.
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
    "The REST API of this container registry for users, organizations and scripts: that of Quay, field by field. "
    "Programs send an OAuth token in `Authorization: Bearer`; pages use a session's cookie and its CSRF token."
)
REFUSAL = "Error"


def _closed(schema: Schema) -> Schema:
    """Returns the schema of an object that has no other keys."""
    return {**schema, "additionalProperties": False}


# The four shapes of errors, each with the keys that Quay gives for that kind and no others.
ERROR = _closed(
    an_object(
        {
            "status": {**NUMBER, "description": "The status of the answer"},
            "detail": {**TEXT, "description": "What was wrong, for a person"},
            "error_message": {**TEXT, "description": "The same"},
            "error_type": {**TEXT, "description": "What was wrong, for a program"},
            "title": {**TEXT, "description": "The same"},
            "type": {**TEXT, "description": "The URL that explains the type of the error"},
        },
        session_required={**FLAG, "description": "Only where nobody is signed in and the signed-in user was asked for"},
    )
)
MESSAGE = _closed(
    an_object(
        {
            "message": {
                "type": ["string", "object"],
                "description": "What was wrong, for a person; for a query's parameter an object by its name",
            }
        },
        invalidCredentials={**FLAG, "description": "Only where a password was wrong"},
        needsEmailVerification={**FLAG, "description": "Only where a sign-in was refused"},
    )
)
WORD = _closed(an_object({"error": TEXT}, error_description=TEXT))
DETAIL = _closed(an_object({"detail": TEXT}))
SHAPES = {"ApiError": ERROR, "ApiMessage": MESSAGE, "ApiErrorWord": WORD, "ApiDetail": DETAIL}
# The shapes of errors by status; all others are problem objects.
FAILURES: Mapping[int, tuple[Schema, ...]] = {
    400: (ERROR, MESSAGE, WORD, DETAIL),
    403: (ERROR, MESSAGE, WORD),
    404: (ERROR, MESSAGE),
    405: (ERROR, MESSAGE),
    413: (MESSAGE,),
    415: (MESSAGE,),
    503: (ERROR, MESSAGE),
}
# Descriptions of answers by status; all others have HTTP's reason phrase.
STATUSES = {200: "Successful invocation", 201: "Successful creation", 204: "Done"}
# Descriptions of path parameters.
PATH_PARAMETERS = {
    "assigned_authorization_uuid": "The id of an offer",
    "build_uuid": "The id of a build",
    "client_id": "The id of an OAuth application",
    "access_token_uuid": "The id of an authorization",
    "digest": "The digest of a manifest",
    "code": "The code of an invitation",
    "email": "An e-mail address",
    "error_type": "The type of an error",
    "export_id": "The id of an export, as in its URL",
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
    "prefix": "The beginning of a word of the name",
    "repository_id": "The id of a deleted repository",
    "repository": "The full path of a repository, as in namespace/name",
    "service": "The name of a service",
    "robot_shortname": "The name of a robot without its namespace",
    "run_id": "The id of a run of a mirror or of a plan",
    "tag": "A tag",
    "teamname": "The name of a team",
    "token_uuid": "The id of a token",
    "username": "The name of a user",
    "uuid": "The id of a message or a notification",
}


def failure(status: int) -> Schema:
    """Returns the schema of the errors of a status."""
    shapes = FAILURES.get(status, (ERROR,))
    return shapes[0] if len(shapes) == 1 else {"anyOf": list(shapes)}


class SchemaNames:
    """Schemas that a document defines once, under a name, and refers to wherever they are used.

    They are compared by identity: a schema that a module names is the same object wherever it is part of another.
    """

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._names = {id(schema): name for name, schema in schemas.items()}
        self.used: Document = {}

    def refer(self, schema: Any) -> Any:
        """Returns the schema with every named schema in it replaced by a reference."""
        name = self._names.get(id(schema))
        if name is None:
            return self.inside(schema)
        if name not in self.used:
            self.used[name] = {}
            self.used[name] = self.inside(schema)
        return {"$ref": f"#/components/schemas/{name}"}

    def inside(self, schema: Any) -> Any:
        """Returns the schema itself with every named schema inside it replaced by a reference."""
        if isinstance(schema, Mapping):
            return {key: self.refer(value) for key, value in schema.items()}
        return [self.refer(value) for value in schema] if isinstance(schema, list) else schema


def document(
    operations: Iterable[Operation], schemas: Mapping[str, Schema], tags: Mapping[str, str], url: str
) -> Document:
    """Returns the whole document. `schemas` are the named schemas, `tags` the descriptions of tags by name."""
    names = SchemaNames({**schemas, **SHAPES})
    paths: Document = {}
    used_tags: set[str] = set()
    refusals: set[int] = set()
    names.refer(ERROR)
    for one in operations:
        used_tags.add(one.tag)
        refusals.update(one.refusals)
        paths.setdefault(one.path + "/" * one.slash, {})[one.method.lower()] = _operation(one, names)
    responses = {f"{REFUSAL}{status}": _response(status, failure(status), names) for status in sorted(refusals)}
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": "v1", "description": ABOUT},
        "servers": [{"url": url}],
        "tags": [{"name": tag, "description": about} for tag, about in sorted(tags.items()) if tag in used_tags],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(names.used.items())),
            "responses": responses,
            "securitySchemes": security_schemes(url),
        },
    }


def _operation(one: Operation, names: SchemaNames) -> Document:
    summary, _, rest = one.about.partition("\n")
    described: Document = {
        "operationId": one.id,
        "tags": [one.tag],
        "summary": summary,
        **({"description": rest.strip()} if rest.strip() else {}),
        "parameters": [*map(_path_parameter, one.path_parameters), *map(_parameter, one.parameters)],
        "security": security(one),
        "responses": _responses(one, names),
    }
    if one.body is not None:
        described["requestBody"] = {
            "required": not one.is_body_optional,
            "content": {JSON: {"schema": names.refer(one.body)}},
        }
    elif one.form is not None:
        described["requestBody"] = {"required": True, "content": {FORM: {"schema": names.inside(one.form)}}}
    marks = {"x-internal": one.is_internal, "x-requires-fresh-login": one.is_fresh}
    return described | {mark: True for mark, is_set in marks.items() if is_set}


def _path_parameter(name: str) -> Document:
    return {"name": name, "in": "path", "required": True, "description": PATH_PARAMETERS.get(name, ""), "schema": TEXT}


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
    """Returns the alternative security requirements of an operation; none if it is open to everybody."""
    session: Document = {SESSION: []}
    if not one.is_safe and not one.is_csrf_free:
        session[CSRF] = []
    if not one.scope:
        return [session] if CSRF in session or one.is_fresh else []
    return [{BEARER: [one.scope]}, {OAUTH: [one.scope]}, session]


def security_schemes(url: str) -> Document:
    """Returns all security schemes of a registry at a URL."""
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
    responses = {str(status): _response(status, schema, names) for status, schema in answers.items()}
    for status in one.refusals:
        responses.setdefault(str(status), {"$ref": f"#/components/responses/{REFUSAL}{status}"})
    return dict(sorted(responses.items()))


def _response(status: int, schema: Schema | None, names: SchemaNames) -> Document:
    response: Document = {"description": STATUSES.get(status) or HTTPStatus(status).phrase}
    if schema is not None:
        kind = schema.get("contentMediaType", JSON)
        response["content"] = {kind: {"schema": names.refer(schema)}}
    return response
