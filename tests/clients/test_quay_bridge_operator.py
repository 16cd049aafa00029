"""quay-bridge-operator: a cluster's namespace becomes an organization with robots, rules and repositories."""

from typing import Any

import pytest
import requests

from tests.clients.callers import Caller, fresh, person
from tests.support.stack import Stack

# The robots that the operator creates for each namespace, with the roles of their default permissions.
ROBOTS = {"builder": "write", "default": "read", "deployer": "read"}


class Operator:
    """Its client: no slash after `user`, and JSON headers only with a body."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        caller.http.headers["Accept"] = "application/json"

    def get(self, path: str) -> requests.Response:
        """Sends a GET below the API."""
        return self._caller.get(f"/api/v1/{path}")

    def post(self, path: str, body: object) -> requests.Response:
        """Sends a POST below the API."""
        return self._caller.post(f"/api/v1/{path}", body)

    def put(self, path: str) -> requests.Response:
        """Sends a PUT without a body below the API."""
        return self._caller.put(f"/api/v1/{path}")

    def delete(self, path: str) -> requests.Response:
        """Sends a DELETE below the API."""
        return self._caller.delete(f"/api/v1/{path}")

    def set_up(self, organization: str) -> dict[str, dict[str, Any]]:
        """Creates an organization with robots, each in a default permission; returns the robots by short name."""
        wanted = {"name": organization, "email": f"{organization}@redhat.com"}
        assert self.post("organization/", wanted).status_code == 201
        robots = {name: self.put(f"organization/{organization}/robots/{name}").json() for name in ROBOTS}
        for name, role in ROBOTS.items():
            delegate = {"kind": "user", "name": robots[name]["name"], "is_robot": True, "is_org_member": True}
            answer = self.post(f"organization/{organization}/prototypes", {"role": role, "delegate": delegate})
            assert answer.status_code == 200, answer.text
        return robots


@pytest.fixture
def operator(stack: Stack) -> Operator:
    """The operator, with a token of its user."""
    owner = person(stack)
    return Operator(owner.program(owner.organization()))


def test_the_operator_reads_its_own_user(operator: Operator) -> None:
    user = operator.get("user").json()

    assert user["username"].startswith("user")
    assert user["email"] == f"{user['username']}@example.com"
    assert [organization["is_org_admin"] for organization in user["organizations"]] == [True]


def test_a_missing_organization_is_404_before_it_is_created(operator: Operator) -> None:
    organization = fresh("openshift")
    assert operator.get(f"organization/{organization}").status_code == 404

    operator.set_up(organization)

    assert operator.get(f"organization/{organization}").json()["name"] == organization


def test_robots_are_created_without_a_body_and_read_with_their_tokens(operator: Operator) -> None:
    organization = fresh("openshift")
    robots = operator.set_up(organization)

    for name, created in robots.items():
        found = operator.get(f"organization/{organization}/robots/{name}").json()
        assert (found["name"], found["token"]) == (f"{organization}+{name}", created["token"])


def test_a_missing_robot_is_a_400(operator: Operator) -> None:
    organization = fresh("openshift")
    operator.set_up(organization)

    answer = operator.get(f"organization/{organization}/robots/missing")

    assert answer.status_code == 400
    assert "Could not find robot with specified username" in answer.json()["message"]


def test_default_permissions_are_compared_by_delegate_and_role(operator: Operator) -> None:
    organization = fresh("openshift")
    operator.set_up(organization)

    listed = operator.get(f"organization/{organization}/prototypes").json()["prototypes"]

    found = {one["delegate"]["name"]: (one["role"], one["delegate"]["kind"]) for one in listed}
    assert found == {f"{organization}+{name}": (role, "user") for name, role in ROBOTS.items()}
    assert all(one["delegate"]["is_robot"] and one["delegate"]["is_org_member"] for one in listed)


def test_an_image_stream_becomes_a_private_repository_that_the_robots_may_use(operator: Operator) -> None:
    organization = fresh("openshift")
    operator.set_up(organization)
    path = f"repository/{organization}/app"
    assert operator.get(path).status_code == 404
    wanted = {
        "repository": "app", "namespace": organization, "repo_kind": "image", "visibility": "private",
        "description": "",
    }  # fmt: skip

    created = operator.post("repository", wanted)

    assert (created.status_code, created.json()["name"], created.json()["namespace"]) == (201, "app", organization)
    details = operator.get(path).json()
    assert (details["is_public"], details["can_admin"], details["tags"]) == (False, True, {})
    given = operator.get(f"{path}/permissions/user").json()["permissions"]
    assert given[f"{organization}+builder"]["role"] == "write"
    assert given[f"{organization}+default"]["role"] == "read"


def test_an_organization_is_deleted_with_its_namespace(operator: Operator) -> None:
    organization = fresh("openshift")
    operator.set_up(organization)

    assert operator.delete(f"organization/{organization}").status_code == 204

    assert operator.get(f"organization/{organization}").status_code == 404
