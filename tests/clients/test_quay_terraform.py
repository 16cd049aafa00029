"""The Terraform provider for Quay (enthought/quay): the requests of apply, plan and destroy for each resource."""

from typing import Any

import pytest

from tests.clients.callers import Caller, fresh, person
from tests.support.stack import Stack


class Provider:
    """Its generated client: it accepts JSON, and a JSON `status` of 404 means that a resource does not exist."""

    def __init__(self, caller: Caller, organization: str) -> None:
        self._caller, self.organization = caller, organization
        caller.http.headers["Accept"] = "application/json"
        self.home = f"/api/v1/organization/{organization}"

    def done(self, method: str, path: str, body: object = None) -> Any:
        """Sends a request that must succeed; returns the JSON."""
        answer = self._caller.ask(method, path, body)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def is_absent(self, path: str) -> bool:
        """Returns whether a refresh would remove a resource from the state."""
        return bool(self._caller.get(path).json().get("status") == 404)

    def refused(self, method: str, path: str, body: object = None) -> str:
        """Returns what the provider prints of an error: the text in its model of errors, or the body's only text."""
        answer = self._caller.ask(method, path, body)
        assert answer.status_code >= 400, answer.text
        document = answer.json()
        return str(document["error_message"] if "error_message" in document else document["message"])


@pytest.fixture
def provider(stack: Stack) -> Provider:
    """The provider with a token of an organization's owner."""
    owner = person(stack)
    organization = owner.organization()
    return Provider(owner.program(organization), organization)


def test_an_organization_is_created_read_changed_and_destroyed(provider: Provider) -> None:
    name = fresh("tf")
    path = f"/api/v1/organization/{name}"
    assert provider.done("POST", "/api/v1/organization/", {"name": name, "email": "a@example.com"}) == "Created"

    created = provider.done("GET", path)
    provider.done("PUT", path, {"email": "b@example.com"})

    assert (created["name"], created["email"]) == (name, "a@example.com")
    assert created["teams"]["owners"]["role"] == "admin"
    assert provider.done("GET", path)["email"] == "b@example.com"
    provider.done("DELETE", path)
    assert provider.is_absent(path)


def test_a_team_keeps_its_role_its_description_and_its_members(provider: Provider, stack: Stack) -> None:
    team, members = f"{provider.home}/team/builders", [person(stack).name, person(stack).name]
    provider.done("PUT", team, {"role": "member", "description": "They build."})
    for member in members:
        provider.done("PUT", f"{team}/members/{member}")

    listed = provider.done("GET", f"{team}/members")
    team_details = provider.done("GET", provider.home)["teams"]["builders"]

    assert listed["name"] == "builders"
    assert {one["name"] for one in listed["members"]} == set(members)
    assert {(one["kind"], one["is_robot"]) for one in listed["members"]} == {("user", False)}
    assert (team_details["name"], team_details["role"], team_details["description"], team_details["can_view"]) == (
        "builders", "member", "They build.", True,
    )  # fmt: skip


def test_a_plan_that_changes_a_team_adds_and_removes_members_one_by_one(provider: Provider, stack: Stack) -> None:
    team, first, second = f"{provider.home}/team/builders", person(stack).name, person(stack).name
    provider.done("PUT", team, {"role": "member", "description": ""})
    provider.done("PUT", f"{team}/members/{first}")

    provider.done("PUT", f"{team}/members/{second}")
    provider.done("DELETE", f"{team}/members/{first}")
    provider.done("PUT", team, {"role": "creator", "description": "More."})

    assert [one["name"] for one in provider.done("GET", f"{team}/members")["members"]] == [second]
    team_details = provider.done("GET", provider.home)["teams"]["builders"]
    assert (team_details["role"], team_details["description"]) == ("creator", "More.")
    provider.done("DELETE", team)
    assert provider.is_absent(f"{team}/members")


def test_a_robot_is_read_with_its_token(provider: Provider) -> None:
    path = f"{provider.home}/robots/ci"
    created = provider.done("PUT", path, {"description": "builds"})

    read = provider.done("GET", path)

    assert read["name"] == f"{provider.organization}+ci"
    assert (read["token"], read["description"], read["created"]) == (created["token"], "builds", created["created"])
    assert read["last_accessed"] is None
    provider.done("DELETE", path)
    assert "Could not find robot with specified username" in provider.refused("GET", path)


def test_a_repository_is_created_described_published_and_destroyed(provider: Provider) -> None:
    path = f"/api/v1/repository/{provider.organization}/app"
    wanted = {
        "namespace": provider.organization, "repository": "app", "description": "An app", "visibility": "private",
    }  # fmt: skip
    provider.done("POST", "/api/v1/repository", wanted)

    created = provider.done("GET", path)
    provider.done("PUT", path, {"description": "Another"})
    provider.done("POST", f"{path}/changevisibility", {"visibility": "public"})
    changed = provider.done("GET", path)

    assert (created["name"], created["description"], created["is_public"]) == ("app", "An app", False)
    assert (changed["description"], changed["is_public"]) == ("Another", True)
    provider.done("DELETE", path)
    assert provider.is_absent(path)


def test_a_team_gets_a_role_on_a_repository_that_can_be_read_back(provider: Provider) -> None:
    team = f"{provider.home}/team/builders"
    provider.done("PUT", team, {"role": "member", "description": ""})
    wanted = {"namespace": provider.organization, "repository": "app", "description": "", "visibility": "public"}
    provider.done("POST", "/api/v1/repository", wanted)
    role = f"/api/v1/repository/{provider.organization}/app/permissions/team/builders"

    provider.done("PUT", role, {"role": "write"})

    (given,) = provider.done("GET", f"{team}/permissions")["permissions"]
    assert given == {"repository": {"name": "app", "is_public": True}, "role": "write"}
    provider.done("DELETE", role)
    assert provider.done("GET", f"{team}/permissions")["permissions"] == []
    assert "Team does not have permission for repo." in provider.refused("DELETE", role)
