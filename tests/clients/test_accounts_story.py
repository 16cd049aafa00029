"""The first steps of a new user: an organization, a team, a robot that pushes with podman, an application.

Everything goes over the wire of a running stack, and all of it is found in the usage log, under Quay's names.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import requests

from tests.clients.callers import Caller, Person, fresh, person
from tests.clients.images import Layout, an_image
from tests.clients.programs import Program
from tests.support.stack import Stack, wait_for

BACK = "http://bot.example.com/back"
VERIFIER = "a-verifier-that-nobody-guesses-as-it-is-long-enough"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@dataclass
class Company:
    """The user's organization with a team, a robot, and a repository to which the robot pushed."""

    owner: Person
    mate: Person
    name: str
    robot: dict[str, Any]
    tags: list[str]

    @property
    def repository(self) -> str:
        """The repository's full name."""
        return f"{self.name}/app"

    def log(self, of: str = "") -> list[dict[str, Any]]:
        """Returns all records of the organization, or of one repository, in the usage log."""
        path, page = f"/api/v1/{of or f'organization/{self.name}'}/logs", None
        found: list[dict[str, Any]] = []
        while True:
            body = self.owner.get(path, params={"next_page": page} if page else {}).json()
            found += body["logs"]
            page = body.get("next_page")
            if not page:
                return found


@pytest.fixture(scope="module")
def company(stack: Stack) -> Company:
    """An organization of a new user, with a team for a colleague, and a robot that may push."""
    owner, mate = person(stack), person(stack)
    owner = Person(stack, owner.name).sign_in()
    name = owner.organization(fresh("acme"))
    home = f"/api/v1/organization/{name}"
    done(owner.put(f"{home}/team/builders", {"role": "creator", "description": "They build."}))
    done(owner.put(f"{home}/team/builders/members/{mate.name}"))
    robot = done(owner.put(f"{home}/robots/ci", {"description": "builds"}), 201)
    wanted = {"namespace": name, "repository": "app", "visibility": "private", "description": "Our app"}
    done(owner.post("/api/v1/repository", wanted), 201)
    done(owner.put(f"/api/v1/repository/{name}/app/permissions/user/{robot['name']}", {"role": "write"}))
    done(owner.put(f"/api/v1/repository/{name}/app/permissions/team/builders", {"role": "read"}))
    return Company(owner, mate, name, robot, [])


@pytest.fixture
def pushed(company: Company, podman: Program, layout: Layout, stack: Stack, tmp_path: Path) -> Company:
    """The organization after its robot has pushed a tag with podman."""
    robot, tag = company.robot, fresh("v")
    login = ("login", "--authfile", tmp_path / "robot.json", "--username", robot["name"], "--password-stdin")
    assert podman(*login, stack.host, typed=robot["token"]) == "Login Succeeded!"
    layout.tag(an_image(layout, tag), "loaded")
    reference = f"{stack.host}/{company.repository}:{tag}"
    podman("tag", podman("pull", "--quiet", f"oci:{layout.directory}:loaded"), reference)
    podman("push", "--authfile", tmp_path / "robot.json", reference)
    company.tags.append(tag)
    return company


class Bot:
    """An application of the organization, and the browser of its user."""

    def __init__(self, company: Company) -> None:
        self.user, self.company = company.owner, company
        path = f"/api/v1/organization/{company.name}/applications"
        application = done(
            self.user.post(path, {"name": fresh("bot"), "redirect_uri": BACK, "description": "Lists tags."})
        )
        self.name, self.id, self.secret = application["name"], application["client_id"], application["client_secret"]

    def question(self, scope: str, **more: str) -> dict[str, str]:
        """Returns the query of an authorization request."""
        return {"client_id": self.id, "redirect_uri": BACK, "scope": scope, "response_type": "code", **more}

    def page(self, question: dict[str, str]) -> requests.Response:
        """Returns the page that asks the user."""
        return self.user.get("/oauth/authorize", params=question)

    def allowed(self, question: dict[str, str]) -> str:
        """Presses the button of that page, with its hidden fields; returns where the user is redirected."""
        page = self.page(question)
        assert page.status_code == 200, page.text
        form = page.text[page.text.index('action="/oauth/authorizeapp"') :].partition("</form>")[0]
        fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form))
        answer = self.user.post("/oauth/authorizeapp", data=fields)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    def exchanged(self, code: str, **more: str) -> requests.Response:
        """Returns the response to the application's server for a code."""
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "client_id": self.id,
            "client_secret": self.secret, **more,
        }  # fmt: skip
        return Caller(self.user.stack).post("/oauth/access_token", data=form)

    def token_by_code(self, scope: str) -> str:
        """Returns a token by a code with PKCE."""
        question = self.question(scope, state="s1", code_challenge=CHALLENGE, code_challenge_method="S256")
        carried = parse_qs(urlsplit(self.allowed(question)).query)
        assert carried["state"] == ["s1"]
        return str(done(self.exchanged(carried["code"][0], code_verifier=VERIFIER))["access_token"])


def done(answer: requests.Response, status: int = 200) -> Any:
    """Returns the JSON of a response with this status."""
    assert answer.status_code == status, answer.text
    return answer.json()


def test_a_robot_logs_in_with_podman_and_pushes_a_tag_that_its_organization_sees(pushed: Company) -> None:
    details = done(pushed.owner.get(f"/api/v1/repository/{pushed.repository}"))

    assert pushed.tags[-1] in details["tags"]
    assert details["is_public"] is False


def test_a_member_sees_the_repository_of_their_team_and_others_see_nothing(pushed: Company, stack: Stack) -> None:
    path = f"/api/v1/repository/{pushed.repository}"

    assert done(pushed.mate.get(path))["can_write"] is False
    assert person(stack).get(path).status_code == 403
    assert Caller(stack).get(path).status_code == 401


def test_a_robot_with_a_replaced_token_logs_in_only_with_the_new_one(
    company: Company, podman: Program, stack: Stack, tmp_path: Path
) -> None:
    path = f"/api/v1/organization/{company.name}/robots/spare"
    old = done(company.owner.put(path), 201)
    login = ("login", "--authfile", tmp_path / "spare.json", "--username", old["name"], "--password-stdin", stack.host)

    overlapping = done(company.owner.post(f"{path}/regenerate", {"overlap_s": 600}))
    for token in (old["token"], overlapping["token"]):
        assert podman(*login, typed=token) == "Login Succeeded!"
    last = done(company.owner.post(f"{path}/regenerate"))

    assert podman(*login, typed=last["token"]) == "Login Succeeded!"
    assert "invalid username/password" in podman.refused(*login, typed=overlapping["token"])


def test_the_page_names_the_application_and_its_scopes(company: Company) -> None:
    bot = Bot(company)

    page = bot.page(bot.question("repo:read"))

    assert page.status_code == 200
    assert bot.name in page.text
    assert "View all visible repositories" in page.text
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


def test_a_token_by_code_reads_tags_and_is_refused_what_its_scope_lacks(pushed: Company, stack: Stack) -> None:
    reader = Caller(stack, Bot(pushed).token_by_code("repo:read"))

    tags = done(reader.get(f"/api/v1/repository/{pushed.repository}/tag/"))["tags"]

    assert pushed.tags[-1] in [tag["name"] for tag in tags]
    for refused in (
        reader.delete(f"/api/v1/repository/{pushed.repository}/tag/{pushed.tags[-1]}"),
        reader.put(f"/api/v1/repository/{pushed.repository}", {"description": "x"}),
        reader.put(f"/api/v1/organization/{pushed.name}/robots/evil"),
    ):
        assert (refused.status_code, refused.json()["error_type"]) == (403, "insufficient_scope")
    assert pushed.tags[-1] in done(pushed.owner.get(f"/api/v1/repository/{pushed.repository}"))["tags"]


def test_a_code_is_valid_once_and_only_with_its_verifier(company: Company) -> None:
    bot = Bot(company)
    question = bot.question("repo:read", code_challenge=CHALLENGE, code_challenge_method="S256")
    code = parse_qs(urlsplit(bot.allowed(question)).query)["code"][0]

    without = bot.exchanged(code, code_verifier="another-verifier-that-is-also-long-enough-to-be")

    assert (without.status_code, without.json()["error"]) == (400, "invalid_grant")
    code = parse_qs(urlsplit(bot.allowed(question)).query)["code"][0]
    assert bot.exchanged(code, code_verifier=VERIFIER).status_code == 200
    assert bot.exchanged(code, code_verifier=VERIFIER).json()["error"] == "invalid_grant"


def test_a_consent_without_the_csrf_token_of_the_page_is_refused(company: Company) -> None:
    bot = Bot(company)

    answer = bot.user.post("/oauth/authorizeapp", data=bot.question("repo:read"))

    assert answer.status_code == 403
    assert "Location" not in answer.headers


def test_a_personal_token_is_shown_only_once(pushed: Company, stack: Stack) -> None:
    bot, local = Bot(pushed), f"{stack.url}/oauth/localapp"
    place = bot.allowed(bot.question("repo:read", response_type="token", redirect_uri=local))

    parts = urlsplit(place)
    token = dict(parse_qsl(parts.fragment))["access_token"]
    page = bot.user.get(parts.path)

    assert (place.partition("#")[0], parts.query) == (local, "")
    assert "shown this once" in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert done(Caller(stack, token).get(f"/api/v1/repository/{pushed.repository}/tag/"))["tags"]
    kept = bot.user.get("/api/v1/user/authorizations").text
    assert bot.name in kept
    assert token not in kept


def test_a_token_that_its_user_revokes_is_refused(pushed: Company, stack: Stack) -> None:
    bot = Bot(pushed)
    reader = Caller(stack, bot.token_by_code("repo:read"))
    path = f"/api/v1/repository/{pushed.repository}/tag/"
    assert reader.get(path).status_code == 200

    given = done(bot.user.get("/api/v1/user/authorizations"))["authorizations"]
    (mine,) = [one["uuid"] for one in given if one["application"]["name"] == bot.name]
    bot.user.delete(f"/api/v1/user/authorizations/{mine}")

    assert reader.get(path).status_code == 401


def test_an_oauth_token_pulls_with_podman_what_its_scope_permits(
    pushed: Company, podman: Program, stack: Stack, tmp_path: Path
) -> None:
    token, reference = Bot(pushed).token_by_code("repo:read"), f"{stack.host}/{pushed.repository}:{pushed.tags[-1]}"
    login = ("login", "--authfile", tmp_path / "oauth.json", "--username", "$oauthtoken", "--password-stdin")
    podman(*login, stack.host, typed=token)
    podman("rmi", "--all", "--force")

    assert podman("pull", "--quiet", "--authfile", tmp_path / "oauth.json", reference)
    again = ("push", "--authfile", tmp_path / "oauth.json", reference)
    assert "denied" in podman.refused(*again) or "unauthorized" in podman.refused(*again)


def test_the_usage_log_has_all_events_under_quays_names(pushed: Company, stack: Stack) -> None:
    bot = Bot(pushed)
    Caller(stack, bot.token_by_code("repo:read")).get(f"/api/v1/repository/{pushed.repository}/tag/")
    expected = {
        "org_create", "org_create_team", "org_add_team_member", "create_robot", "create_repo", "push_repo",
        "create_application", "create_oauth_api_token", "add_repo_permission",
    }  # fmt: skip
    wait_for(lambda: expected <= {entry["kind"] for entry in pushed.log()}, "the usage log")

    entries = {kind: [entry for entry in pushed.log() if entry["kind"] == kind] for kind in expected}
    metadata_of = {kind: [entry["metadata"] for entry in found] for kind, found in entries.items()}

    assert "ci" in [metadata["robot"] for metadata in metadata_of["create_robot"]]
    assert [metadata["member"] for metadata in metadata_of["org_add_team_member"]] == [pushed.mate.name]
    assert bot.name in [metadata["application_name"] for metadata in metadata_of["create_oauth_api_token"]]
    assert sorted(metadata["tag"] for metadata in metadata_of["push_repo"]) == sorted(pushed.tags)
    for kind, found in entries.items():
        who = pushed.robot["name"] if kind == "push_repo" else pushed.owner.name
        assert {(one["performer"]["name"], one["performer"]["is_robot"]) for one in found} == {(who, "+" in who)}
    of_repository = {entry["kind"] for entry in pushed.log(f"repository/{pushed.repository}")}
    assert {"create_repo", "push_repo", "add_repo_permission"} <= of_repository
