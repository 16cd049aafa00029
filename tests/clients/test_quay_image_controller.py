"""konflux-ci/image-controller: a repository with two robots for each component; it reads statuses and messages."""

from typing import Any

import pytest
import requests

from tests.clients.callers import Caller, fresh, person
from tests.clients.images import Layout, an_image
from tests.clients.registry import Registry
from tests.support.stack import Stack


class Controller:
    """Its client, in the organization of its installation: every request has the content type of JSON."""

    def __init__(self, caller: Caller, organization: str) -> None:
        self._caller, self.organization = caller, organization
        caller.http.headers["Content-Type"] = "application/json"

    def ask(self, method: str, path: str, body: object = None) -> requests.Response:
        """Sends a request below the API."""
        return self._caller.ask(method, f"/api/v1/{path}", body)

    def create(self, name: str, visibility: str = "public") -> requests.Response:
        """Creates a repository."""
        wanted = {
            "namespace": self.organization, "visibility": visibility, "repository": name,
            "description": "AppStudio repository for the user",
        }  # fmt: skip
        return self.ask("POST", "repository", wanted)

    def robot(self, name: str) -> dict[str, Any]:
        """Creates a robot, or reads it if the message of a 400 says that it exists."""
        path = f"organization/{self.organization}/robots/{name}"
        answer = self.ask("PUT", path, {"description": "Robot account for AppStudio Component"})
        if answer.status_code == 400 and "Existing robot with name" in answer.json()["error_message"]:
            answer = self.ask("GET", path)
        found: dict[str, Any] = answer.json()
        return found

    def all_repositories(self) -> list[dict[str, Any]]:
        """Returns the organization's repositories from all pages."""
        query: dict[str, str] = {"last_modified": "true", "namespace": self.organization}
        found: list[dict[str, Any]] = []
        while True:
            answer = self._caller.get("/api/v1/repository", params=query)
            assert answer.status_code == 200, answer.text
            found += answer.json()["repositories"]
            following = answer.json().get("next_page", "")
            if not following or query.get("next_page") == following:
                return found
            query["next_page"] = following


@pytest.fixture
def controller(stack: Stack) -> Controller:
    """The controller, with a token of an organization's owner."""
    owner = person(stack)
    organization = owner.organization()
    return Controller(owner.program(organization), organization)


def test_a_repository_that_exists_is_refused_with_this_message(controller: Controller) -> None:
    created, again = controller.create("component"), controller.create("component")

    assert (created.status_code, created.json()["name"]) == (201, "component")
    assert (again.status_code, again.json()["error_message"]) == (400, "Repository already exists")


def test_a_repository_is_found_and_made_public_or_private(controller: Controller) -> None:
    path = f"repository/{controller.organization}/component"
    assert controller.ask("GET", path).status_code == 404
    controller.create("component", "private")

    changed = controller.ask("POST", f"{path}/changevisibility", {"visibility": "public"})

    assert (changed.status_code, changed.json()) == (200, {"success": True})
    assert controller.ask("GET", path).json()["is_public"] is True


def test_a_second_deletion_of_a_repository_is_404(controller: Controller) -> None:
    path = f"repository/{controller.organization}/component"
    controller.create("component")

    assert controller.ask("DELETE", path).status_code == 204
    assert controller.ask("GET", path).status_code == 404
    assert controller.ask("DELETE", path).status_code in (204, 404)


def test_a_robot_is_created_once_and_then_read(controller: Controller) -> None:
    created, again = controller.robot("pusher"), controller.robot("pusher")

    assert (again["name"], again["token"]) == (created["name"], created["token"])
    listed = controller.ask("GET", f"organization/{controller.organization}/robots").json()["robots"]
    assert [robot["name"] for robot in listed] == [f"{controller.organization}+pusher"]


def test_a_missing_robot_has_this_message(controller: Controller) -> None:
    for method in ("GET", "DELETE"):
        answer = controller.ask(method, f"organization/{controller.organization}/robots/none")
        assert answer.status_code == 400
        assert "Could not find robot with specified username" in answer.json()["message"]


def test_a_robots_token_is_replaced(controller: Controller) -> None:
    created = controller.robot("pusher")

    other = controller.ask("POST", f"organization/{controller.organization}/robots/pusher/regenerate").json()

    assert other["name"] == created["name"]
    assert other["token"] not in ("", created["token"])
    assert controller.robot("pusher")["token"] == other["token"]


def test_robots_get_a_role_and_lose_it_once(controller: Controller) -> None:
    controller.create("component")
    name = controller.robot("pusher")["name"]
    users = f"repository/{controller.organization}/component/permissions/user"

    given = controller.ask("PUT", f"{users}/{name}", {"role": "write"})
    listed = controller.ask("GET", users).json()["permissions"]

    assert given.status_code == 200
    assert (listed[name]["role"], listed[name]["is_robot"]) == ("write", True)
    assert controller.ask("DELETE", f"{users}/{name}").status_code == 204
    again = controller.ask("DELETE", f"{users}/{name}")
    assert again.status_code == 400
    assert "User does not have permission for repo" in again.json()["message"]


def test_a_team_reads_repositories_and_its_members_are_synchronised(controller: Controller, stack: Stack) -> None:
    controller.create("component")
    team, member = f"organization/{controller.organization}/team/viewers", person(stack).name
    assert controller.ask("GET", f"{team}/members").status_code == 404
    assert controller.ask("PUT", team, {"role": "member", "description": "Team for viewers"}).status_code == 200

    granted = f"repository/{controller.organization}/component/permissions/team/viewers"
    assert controller.ask("PUT", granted, {"role": "read"}).status_code == 200
    assert controller.ask("PUT", f"{team}/members/{member}").status_code == 200

    assert [one["name"] for one in controller.ask("GET", f"{team}/members").json()["members"]] == [member]
    (given,) = controller.ask("GET", f"{team}/permissions").json()["permissions"]
    assert (given["repository"]["name"], given["role"]) == ("component", "read")
    assert controller.ask("DELETE", f"{team}/members/{member}").status_code == 204
    again = controller.ask("DELETE", f"{team}/members/{member}")
    assert (again.status_code, "does not belong to team" in again.json()["message"]) == (400, True)
    assert controller.ask("PUT", f"{team}/members/{fresh('nobody')}").status_code in (400, 404)
    assert controller.ask("DELETE", team).status_code == 204


def test_repositories_are_listed_in_pages(controller: Controller) -> None:
    for name in ("one", "two"):
        controller.create(name)

    found = controller.all_repositories()

    assert sorted(one["name"] for one in found) == ["one", "two"]
    assert {(one["namespace"], one["is_public"], one["last_modified"]) for one in found} == {
        (controller.organization, True, None)
    }


def test_tags_are_listed_from_the_first_page_and_deleted(controller: Controller, layout: Layout, stack: Stack) -> None:
    controller.create("component")
    repository, image = f"{controller.organization}/component", an_image(layout, controller.organization)
    robot = controller.robot("pusher")
    users = f"repository/{repository}/permissions/user"
    controller.ask("PUT", f"{users}/{robot['name']}", {"role": "write"})
    pusher = Registry(stack, robot["name"], robot["token"])
    for tag in ("build-1", "build-2"):
        pusher.push(layout, image, repository, tag)

    page = controller.ask("GET", f"repository/{repository}/tag/?page=1").json()

    assert (page["page"], page["has_additional"]) == (1, False)
    assert {tag["name"] for tag in page["tags"]} == {"build-1", "build-2"}
    assert all(tag["start_ts"] > 0 and tag["manifest_digest"] == image["digest"] for tag in page["tags"])
    assert controller.ask("DELETE", f"repository/{repository}/tag/build-1").status_code == 204
    assert controller.ask("DELETE", f"repository/{repository}/tag/build-1").status_code == 404
