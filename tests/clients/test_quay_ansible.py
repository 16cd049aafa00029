"""The Ansible collection infra.quay_configuration: with name and password or a token, object by object.

It looks before it makes: 404 and 400 are answers, while 401, 403, 405 and all from 500 up end a play.
"""

import re
from typing import Any

import pytest
import requests

from tests.clients.callers import PASSWORD, Caller, fresh, person
from tests.support.stack import Stack

FATAL = (401, 403, 405)


class Play:
    """The client of its modules. Every request names JSON as its content type and as accepted, even without a body."""

    def __init__(self, stack: Stack, name: str = "", password: str = "", token: str = "") -> None:
        self._caller = Caller(stack, token)
        self._caller.http.headers.update({"Content-Type": "application/json", "Accept": "application/json"})
        if name:
            csrf = self._caller.get("/csrf_token", headers={"Accept": "*/*"}).json()["csrf_token"]
            credentials = {"username": name, "password": password}
            answer = self._caller.post("/api/v1/signin", credentials, headers={"X-CSRF-Token": csrf})
            assert answer.status_code == 200, answer.text
            # The collection uses one token for the whole session.
            self._caller.http.headers["X-CSRF-Token"] = answer.headers["X-Next-CSRF-Token"]

    def ask(self, method: str, path: str, body: object = None, **options: Any) -> requests.Response:
        """Sends a request below the API; a failure does not end the play."""
        answer = self._caller.ask(method, f"/api/v1/{path}", body, **options)
        is_fatal = answer.status_code in FATAL or answer.status_code >= 500
        assert not is_fatal, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def found(self, path: str, absent: tuple[int, ...] = (404,), **query: object) -> Any:
        """Returns an object, or None."""
        answer = self.ask("GET", path, params=query)
        if answer.status_code in absent:
            return None
        assert answer.status_code == 200, self.message(answer)
        return answer.json()

    def make(self, path: str, body: object) -> Any:
        """Makes an object; returns the response\'s JSON."""
        return self._done(self.ask("POST", path, body))

    def change(self, path: str, body: object) -> Any:
        """Changes an object; returns the response\'s JSON."""
        return self._done(self.ask("PUT", path, body))

    def remove(self, path: str) -> bool:
        """Removes an object; returns False for a 400 or 404, which mean that it does not exist."""
        answer = self.ask("DELETE", path)
        assert answer.status_code in (200, 201, 202, 204, 400, 404), self.message(answer)
        return answer.status_code < 300

    def _done(self, answer: requests.Response) -> Any:
        assert answer.status_code in (200, 201, 204), self.message(answer)
        return answer.json() if answer.content else {}

    @staticmethod
    def message(answer: requests.Response) -> str:
        """Returns the message of an error, as the collection finds it."""
        body = answer.json()
        return body if isinstance(body, str) else str(body.get("message") or body.get("error_message"))

    def api_token(self, client_id: str, rights: str) -> str:
        """Returns a token by the web flow without the page: the collection reads it from the redirect."""
        form = {
            "response_type": "token", "client_id": client_id, "scope": rights,
            "redirect_uri": f"{self._caller.stack.url}/oauth/localapp",
            "_csrf_token": self._caller.http.headers["X-CSRF-Token"],
        }  # fmt: skip
        headers = {"Accept": "*/*", "Content-Type": "application/x-www-form-urlencoded"}
        answer = self._caller.ask("POST", "/oauth/authorizeapp", data=form, headers=headers)
        assert answer.status_code == 302, answer.text
        token = re.search("access_token=(.*?)&", answer.headers["Location"])
        assert token, answer.headers["Location"]
        return token[1]

    def sign_out(self) -> int:
        """Signs out, as a module does at its end; returns the status."""
        return self._caller.post("/api/v1/signout").status_code


@pytest.fixture
def play(stack: Stack) -> Play:
    """A play of a superuser with name and password."""
    return Play(stack, stack.admin, stack.password)


@pytest.fixture
def organization(play: Play) -> str:
    """The name of an organization that the play created."""
    name = fresh("ansible")
    play.make("organization/", {"name": name, "email": f"{name}@example.com"})
    return name


def test_a_session_works_with_the_csrf_token_from_sign_in(play: Play) -> None:
    name = play.found("user/")["username"]
    for _ in range(2):
        play.change("user/", {"company": "Acme"})

    assert name == "admin"
    assert play.sign_out() == 200


def test_a_session_is_anonymous_after_sign_out(play: Play) -> None:
    play.sign_out()

    with pytest.raises(AssertionError, match="Requires authentication"):
        play.found("user/")


def test_a_superuser_creates_finds_disables_and_removes_a_user(play: Play) -> None:
    name = fresh("jdoe")
    assert play.found(f"superuser/users/{name}") is None
    created = play.make("superuser/users/", {"username": name, "email": f"{name}@example.com"})
    assert created["username"] == name
    play.change(f"superuser/users/{name}", {"password": PASSWORD})

    assert play.found(f"superuser/users/{name}")["email"] == f"{name}@example.com"
    assert play.found(f"users/{name}")["username"] == name
    play.change(f"superuser/users/{name}", {"enabled": False})
    assert play.found(f"superuser/users/{name}")["enabled"] is False
    assert play.remove(f"superuser/users/{name}") is True
    assert play.found(f"superuser/users/{name}") is None


def test_an_account_is_searched_among_robots_and_then_among_users(play: Play, stack: Stack) -> None:
    name = person(stack).name

    assert play.found(f"user/robots/{name}", absent=(400, 404)) is None
    found = play.found(f"entities/{name}", includeOrgs=False, includeTeams=False)

    assert name in [one["name"] for one in found["results"]]


def test_an_organization_keeps_its_settings(play: Play, organization: str) -> None:
    play.change(f"organization/{organization}", {"email": "b@example.com", "tag_expiration_s": 604800})

    found = play.found(f"organization/{organization}")

    assert (found["email"], found["tag_expiration_s"]) == ("b@example.com", 604800)
    assert play.remove(f"organization/{organization}") is True
    assert play.found(f"organization/{organization}") is None


def test_teams_robots_and_default_permissions_are_read_before_they_are_created(
    play: Play, organization: str, stack: Stack
) -> None:
    home, member = f"organization/{organization}", person(stack).name
    assert "operators" not in play.found(home)["teams"]
    play.change(f"{home}/team/operators", {"role": "creator", "description": "They operate."})
    play.change(f"{home}/team/operators/members/{member}", {})
    assert play.found(f"{home}/robots/ci", absent=(400, 404)) is None
    created = play.change(f"{home}/robots/ci", {"description": "builds"})
    delegate = {"kind": "team", "name": "operators"}
    rule = play.make(f"{home}/prototypes", {"role": "write", "delegate": delegate})

    team = play.found(home)["teams"]["operators"]
    assert (team["role"], team["description"], team["is_synced"]) == ("creator", "They operate.", False)
    assert [one["name"] for one in play.found(f"{home}/team/operators/members")["members"]] == [member]
    assert play.found(f"{home}/robots/ci")["token"] == created["token"]
    assert play.found(f"{home}/robots/ci/federation") == []
    play.change(f"{home}/prototypes/{rule['id']}", {"role": "read"})
    assert [one["role"] for one in play.found(f"{home}/prototypes")["prototypes"]] == ["read"]
    for path in (f"prototypes/{rule['id']}", f"team/operators/members/{member}", "team/operators", "robots/ci"):
        assert play.remove(f"{home}/{path}") is True
        assert play.remove(f"{home}/{path}") is False


def test_a_repository_gets_a_description_a_visibility_a_state_and_permissions(
    play: Play, organization: str, stack: Stack
) -> None:
    path, name = f"repository/{organization}/app", person(stack).name
    assert play.found(path, includeTags=False) is None
    wanted = {"namespace": organization, "repository": "app", "visibility": "private", "description": "x"}
    play.make("repository", {**wanted, "repo_kind": "image"})
    play.change(path, {"description": "y"})
    play.make(f"{path}/changevisibility", {"visibility": "public"})
    play.change(f"{path}/changestate", {"state": "READ_ONLY"})
    play.change(f"organization/{organization}/team/operators", {"role": "member"})
    play.change(f"{path}/permissions/user/{name}", {"role": "read"})
    play.change(f"{path}/permissions/team/operators", {"role": "write"})

    found = play.found(path, includeTags=False)

    assert (found["description"], found["is_public"], found["state"]) == ("y", True, "READ_ONLY")
    assert play.found(f"{path}/permissions/user/")["permissions"][name]["role"] == "read"
    assert play.found(f"{path}/permissions/team/")["permissions"]["operators"]["role"] == "write"
    for holder in (f"user/{name}", "team/operators"):
        assert play.remove(f"{path}/permissions/{holder}") is True
        assert play.remove(f"{path}/permissions/{holder}") is False
    assert play.found(f"{path}/tag/", page=1, onlyActiveTags=True)["tags"] == []
    play.make("user/starred", {"namespace": organization, "repository": "app"})
    assert [one["name"] for one in play.found("user/starred")["repositories"]] == ["app"]
    assert play.remove(f"user/starred/{organization}/app") is True
    assert play.remove(path) is True


def test_an_application_issues_a_token_for_later_plays(play: Play, organization: str, stack: Stack) -> None:
    path = f"organization/{organization}/applications"
    created = play.make(path, {"name": "extapp", "description": "d", "application_uri": "", "redirect_uri": ""})
    assert [one["client_id"] for one in play.found(path)["applications"]] == [created["client_id"]]

    token = play.api_token(created["client_id"], "org:admin user:admin")
    later = Play(stack, token=token)

    assert later.found("user/")["username"] == "admin"
    later.change(f"organization/{organization}/team/made-by-token", {"role": "member"})
    application = {"name": "extapp", "application_uri": "", "redirect_uri": "", "description": ""}
    play.change(f"{path}/{created['client_id']}", application)
    assert play.remove(f"{path}/{created['client_id']}") is True
    with pytest.raises(AssertionError, match="Requires authentication"):
        later.found("user/")


def test_a_docker_token_is_created_read_and_revoked(play: Play) -> None:
    created = play.make("user/apptoken", {"title": fresh("laptop")})["token"]

    read = play.found(f"user/apptoken/{created['uuid']}")["token"]

    assert read["token_code"] == created["token_code"]
    assert created["uuid"] in [one["uuid"] for one in play.found("user/apptoken")["tokens"]]
    assert play.remove(f"user/apptoken/{created['uuid']}") is True
    assert play.remove(f"user/apptoken/{created['uuid']}") is False


def test_a_mirror_is_set_up_changed_and_started(play: Play, organization: str) -> None:
    play.change(f"organization/{organization}/robots/mirror", {})
    play.make(
        "repository", {"namespace": organization, "repository": "copy", "visibility": "private", "description": ""}
    )
    path = f"repository/{organization}/copy/mirror"
    assert play.found(path) is None
    settings = {
        "is_enabled": True,
        "robot_username": f"{organization}+mirror",
        "external_reference": "registry.example.com/team/app",
        "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["latest", "v1.*"]},
        "sync_interval": 86400,
        "sync_start_date": "2099-01-01T00:00:00Z",
        "external_registry_username": None,
        "external_registry_config": {
            "verify_tls": True,
            "proxy": {"http_proxy": None, "https_proxy": None, "no_proxy": None},
        },
    }

    play.make(path, settings)
    shown = play.found(path)
    play.change(path, {"sync_interval": 3600, "external_registry_config": shown["external_registry_config"]})
    play.make(f"{path}/sync-now", {})

    after = play.found(path)
    assert (after["sync_interval"], after["external_reference"]) == (3600, settings["external_reference"])
    assert after["sync_status"] in ("SYNC_NOW", "SYNCING", "FAIL")


def test_an_organization_becomes_a_proxy_cache_and_a_mirror(play: Play, organization: str) -> None:
    cache, mirror = (f"organization/{organization}/{word}" for word in ("proxycache", "mirror"))
    assert play.found(cache)["upstream_registry"] == ""
    play.make(cache, {"upstream_registry": "registry.example.com/team", "expiration_s": 600, "insecure": False})
    assert play.found(cache)["expiration_s"] == 600
    assert play.remove(cache) is True

    play.change(f"organization/{organization}/robots/mirror", {})
    assert play.found(mirror) is None
    settings = {
        "external_registry_type": "quay",
        "external_registry_url": "https://registry.example.com",
        "external_namespace": "team",
        "robot_username": f"{organization}+mirror",
        "visibility": "private",
        "sync_interval": 3600,
        "sync_start_date": "2099-01-01T00:00:00Z",
    }
    play.make(mirror, settings)
    play.make(f"{mirror}/sync-now", {})
    assert play.found(mirror)["sync_status"] in ("SYNC_NOW", "SYNCING", "FAIL")
    assert play.remove(mirror) is True


def test_messages_are_shown_to_everybody_and_removed(play: Play) -> None:
    words = fresh("Maintenance at ")
    play.make("messages", {"message": {"content": words, "media_type": "text/markdown", "severity": "info"}})

    (message,) = [one for one in play.found("messages")["messages"] if one["content"] == words]

    assert (message["severity"], message["media_type"]) == ("info", "text/markdown")
    assert play.remove(f"message/{message['uuid']}") is True


def test_a_play_reads_the_features_of_the_registry(play: Play, stack: Stack) -> None:
    config = Caller(stack).get("/config").json()

    assert config["features"]["SUPER_USERS"] is True
    assert config["config"]["SERVER_HOSTNAME"] == stack.host
    assert play.found("registry/capabilities")["mirror_architectures"]
    assert "CLOUDBERTH_URL" in play.found("superuser/config")["config"]


def test_an_error_names_the_field(play: Play) -> None:
    answer = play.ask("POST", "organization/", {"name": "No Name"})

    assert answer.status_code == 400
    assert "No Name" in play.message(answer)
