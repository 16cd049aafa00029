"""Who may use which operation: the table `rights.txt` over all operations, and a request for each of its fields."""

from pathlib import Path

import pytest

from chalicelib.domain.scopes import OFFERED, REPO_READ, SUPER_USER, USER_READ, allows
from chalicelib.edge.api.concepts import CONCEPTS
from chalicelib.edge.api.framework.operations import Operation
from tests.api.examples import ask, misfit
from tests.api.populated_registry import PEOPLE, PopulatedRegistry
from tests.api.recipes import ENDS_ONESELF
from tests.support.api_client import ApiClient

OPERATIONS = {one.id: one for concept in CONCEPTS for one in concept.operations.declared}
TEXT = (Path(__file__).parent / "rights.txt").read_text("utf-8")
LINES = [line.split() for line in TEXT.splitlines() if line and not line.startswith("#")]
# Marks the row of an operation on a public repository.
PUBLIC = "@public"
HEADINGS = LINES[0][1:]
TABLE = {name: [int(status) for status in statuses] for name, *statuses in LINES[1:]}


class Actors:
    """The callers, by the heading of a column.

    `scoped` has a token with only the required scope, `unscoped` one with an insufficient scope. It is the owner's
    token, or the superuser's where nobody else has the right.
    """

    def __init__(self, populated: PopulatedRegistry) -> None:
        self._world = populated
        self._tokens: dict[tuple[str, str], str] = {}

    def name(self, heading: str, operation: Operation) -> str:
        """The name of the caller's account; for anonymous callers, that of the account that the path names."""
        if heading in PEOPLE:
            return heading
        return "admin" if heading == "superuser" or operation.scope == SUPER_USER else "owner"

    def api_client(self, heading: str, operation: Operation) -> ApiClient:
        """The browser or the program that makes the request."""
        if heading in ("scoped", "unscoped"):
            return ApiClient(
                self._world.app_client, self._token(self.name(heading, operation), _scope(heading, operation))
            )
        if heading == "robot":
            return ApiClient(self._world.app_client, self._world.robot_token)
        if heading == "anonymous":
            return ApiClient(self._world.app_client)
        is_last = heading in PEOPLE and operation.id in ENDS_ONESELF
        return self._world.session(self._world.person() if is_last else self.name(heading, operation))

    def _token(self, name: str, scope: str) -> str:
        if (name, scope) not in self._tokens:
            self._tokens[name, scope] = self._world.token(name, scope)
        return self._tokens[name, scope]


def _scope(heading: str, operation: Operation) -> str:
    needed = operation.scope or USER_READ
    others = (one for one in OFFERED if one != SUPER_USER and not allows(frozenset([one]), needed))
    return needed if heading == "scoped" else next(others)


@pytest.fixture(scope="module")
def actors(populated: PopulatedRegistry) -> Actors:
    """The callers."""
    return Actors(populated)


def test_every_operation_has_a_row_and_every_row_an_operation() -> None:
    public = {f"{name}{PUBLIC}" for name, one in OPERATIONS.items() if is_for_all_of_a_public(one)}
    expected = {*OPERATIONS, *public}

    assert expected - set(TABLE) == set(), "say in rights.txt who may"
    assert set(TABLE) - expected == set(), "there is no such operation any more"
    assert list(TABLE) == sorted(TABLE)


def is_for_all_of_a_public(operation: Operation) -> bool:
    """Whether the operation has a row of its own for public repositories."""
    return operation.scope == REPO_READ and "repository" in operation.path_parameters


@pytest.mark.parametrize("name", TABLE)
def test_exactly_the_callers_in_the_table_may_use_an_operation(
    name: str, populated: PopulatedRegistry, actors: Actors
) -> None:
    operation = OPERATIONS[name.removesuffix(PUBLIC)]
    path_parameters = {"repository": "acme/public"} if name.endswith(PUBLIC) else {}
    answers = {
        heading: ask(
            operation,
            actors.api_client(heading, operation),
            populated,
            actors.name(heading, operation),
            path_parameters,
        )
        for heading in HEADINGS
    }

    statuses = {heading: answer.status for heading, answer in answers.items()}
    bodies = {heading: answer.body[:300] for heading, answer in answers.items()}
    assert statuses == dict(zip(HEADINGS, TABLE[name], strict=True)), bodies
    assert [wrong for answer in answers.values() if (wrong := misfit(operation, answer))] == []
