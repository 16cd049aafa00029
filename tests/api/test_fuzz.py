"""Every operation with valid and invalid requests by its document: no server error, and responses as declared.

`CLOUDBERTH_FUZZ` is how many examples an operation gets: few in a check, many in `make soak`.
"""

import os
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from urllib3 import HTTPResponse

from chalicelib.edge.api.concepts import CONCEPTS
from chalicelib.edge.api.framework.discovery import openapi_of
from chalicelib.edge.api.framework.operations import Operation
from tests.api.examples import places_of
from tests.api.populated_registry import PopulatedRegistry
from tests.support.app_client import AppClient

EXAMPLES = int(os.environ.get("CLOUDBERTH_FUZZ", "3"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# Deletions come last, the largest at the very end, so that most operations find what they name.
OPERATIONS = sorted(
    (one for concept in CONCEPTS for one in concept.operations.declared),
    key=lambda one: (one.method == "DELETE", -len(one.path), one.path, one.method),
)
URL = "http://registry.test"
SCHEMA = schemathesis.openapi.from_dict(openapi_of(is_internal=True, url=URL))


class AppAdapter(HTTPAdapter):
    """Lets `requests` call the app without a socket."""

    def __init__(self, app_client: AppClient) -> None:
        super().__init__()
        self._app_client = app_client

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        content = request.body.encode() if isinstance(request.body, str) else request.body or b""
        items: Any = request.headers.items()
        headers = [(name, value.decode("latin-1") if isinstance(value, bytes) else value) for name, value in items]
        answer = self._app_client.ask(request.method or "", request.path_url, headers, content)
        lines: Any = answer.lines
        raw = HTTPResponse(BytesIO(answer.body), lines, answer.status, preload_content=False)
        return self.build_response(request, raw)


@pytest.fixture(scope="module")
def session(populated: PopulatedRegistry) -> Iterator[Session]:
    """A session of `requests` that calls the app."""
    with Session() as session:
        session.mount(URL, AppAdapter(populated.app_client))
        yield session


@pytest.fixture(scope="module")
def everybody(populated: PopulatedRegistry) -> list[tuple[str, dict[str, str]]]:
    """An owner and a superuser with the headers of a token of all scopes, and an anonymous caller."""
    tokens = {"owner": populated.token("owner"), "admin": populated.token("admin", superuser=True)}
    return [*((name, {"Authorization": f"Bearer {token}"}) for name, token in tokens.items()), ("owner", {})]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.id)
def test_an_operation_answers_as_its_document_says(
    operation: Operation, populated: PopulatedRegistry, session: Session, everybody: list[tuple[str, dict[str, str]]]
) -> None:
    declaration = SCHEMA[operation.path + "/" * operation.slash][operation.method]
    cases = st.one_of(*(declaration.as_strategy(generation_mode=mode) for mode in GenerationMode))

    @seed(20261125)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, is_real=st.sampled_from([True, True, False]), somebody=st.sampled_from(everybody))
    def ask(case: Case[Any], is_real: bool, somebody: tuple[str, dict[str, str]]) -> None:
        who, headers = somebody
        if is_real:
            case.path_parameters = places_of(operation, populated, who)
        answer = case.call(base_url=URL, session=session, headers=headers, allow_redirects=False)
        case.validate_response(answer, checks=CHECKS)

    ask()
