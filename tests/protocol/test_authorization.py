from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.protocol.content import Image, a_blob, an_image
from tests.protocol.registry import Answer, Registry, Repository, assert_refused
from tests.support.stack import Stack

FORGED = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."


@pytest.fixture
def image(repository: Repository) -> Any:
    """An image in the repository under `latest`."""
    image = an_image()
    repository.push_image(image, "latest")
    return image


def seen_by(registry: Registry, repository: Repository, actions: str = "pull") -> Any:
    return registry.repository(repository.name, actions)


# The challenge


def test_the_challenge_names_realm_and_service(stack: Stack, stranger: Registry) -> None:
    challenge = stranger.challenge()

    assert challenge["realm"] == f"{stack.url}/v2/auth"
    assert challenge["service"] == stack.host
    assert "scope" not in challenge


@pytest.mark.parametrize(
    ("method", "path", "actions"),
    [
        ("GET", "manifests/latest", {"pull"}),
        ("HEAD", "manifests/latest", {"pull"}),
        ("GET", "tags/list", {"pull"}),
        ("POST", "blobs/uploads/", {"pull", "push"}),
        ("PUT", "manifests/latest", {"pull", "push"}),
    ],
)
def test_the_challenge_names_the_scope_that_is_needed(
    stranger: Registry, repository: Repository, method: str, path: str, actions: Any
) -> None:
    kind, name, requested = stranger.challenge(f"/v2/{repository.name}/{path}", method)["scope"].split(":")

    assert (kind, name) == ("repository", repository.name)
    assert set(requested.split(",")) == actions


def test_the_challenge_of_a_delete_names_delete(stranger: Registry, repository: Repository) -> None:
    assert "delete" in stranger.challenge(f"/v2/{repository.name}/manifests/latest", "DELETE")["scope"]


def test_the_challenge_of_the_catalog_names_the_catalog(stranger: Registry) -> None:
    assert stranger.challenge("/v2/_catalog")["scope"] == "registry:catalog:*"


# The token endpoint


def assert_token(answer: Answer) -> Any:
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].split(";")[0] == "application/json"
    given = answer.json()
    assert given["token"] == given["access_token"]
    assert given["expires_in"] >= 60, "clients take less than a minute for a minute"
    issued = datetime.fromisoformat(given["issued_at"])
    assert abs((datetime.now(UTC) - issued).total_seconds()) < 60
    return given["token"]


def test_a_token_by_get_and_basic(registry: Registry, repository: Repository) -> None:
    token = assert_token(registry.ask_for_token(repository.scope))

    answer = registry.send(
        "POST", f"/v2/{repository.name}/blobs/uploads/", headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 202


def test_a_token_by_post_and_password(registry: Registry, repository: Repository) -> None:
    """containerd's first try: OAuth 2 with the grant `password`."""
    form = {
        "grant_type": "password",
        "service": registry.challenge()["service"],
        "client_id": "containerd-client",
        "scope": repository.scope,
        "username": registry.user,
        "password": registry.password,
    }
    token = assert_token(registry.send("POST", "/v2/auth", data=form))

    answer = registry.send(
        "POST", f"/v2/{repository.name}/blobs/uploads/", headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 202


def test_a_post_with_a_wrong_password_is_refused(registry: Registry) -> None:
    service = registry.challenge()["service"]
    form = {"grant_type": "password", "username": registry.user, "password": "wrong", "service": service}

    assert_refused(registry.send("POST", "/v2/auth", data=form), 401, "UNAUTHORIZED")


def test_an_anonymous_token(stranger: Registry) -> None:
    token = assert_token(stranger.ask_for_token())

    assert stranger.send("GET", "/v2/", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_login_without_any_scope(registry: Registry) -> None:
    """`docker login` requests no scope and sends the token to the version check."""
    token = assert_token(registry.ask_for_token(account=registry.user, client_id="docker", offline_token="true"))

    assert registry.send("GET", "/v2/", headers={"Authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.parametrize("user", ["admin", "nobody-of-that-name"])
def test_a_wrong_password_and_an_unknown_user_are_refused_alike(stack: Stack, user: str) -> None:
    answer = Registry(stack.url, user, "wrong").ask_for_token()

    assert_refused(answer, 401, "UNAUTHORIZED")
    assert user not in answer.text


@pytest.mark.parametrize("given", ["Basic", "Basic !!!", "Basic " + base64.b64encode(b"nocolon").decode()])
def test_malformed_credentials_are_refused(stranger: Registry, given: str) -> None:
    assert_refused(stranger.send("GET", "/v2/auth", headers={"Authorization": given}), (400, 401), "UNAUTHORIZED")


@pytest.mark.parametrize("form", ["repeated", "spaced"])
def test_several_scopes_in_one_token(
    registry: Registry, repository: Repository, another_repository: Repository, form: str
) -> None:
    """Clients send both a repeated parameter and one value with spaces."""
    blob = a_blob()
    repository.push_blob(blob)
    scopes = [f"repository:{repository.name}:pull", f"repository:{another_repository.name}:push,pull"]
    token = assert_token(registry.ask_for_token(*(scopes if form == "repeated" else [" ".join(scopes)])))
    headers = {"Authorization": f"Bearer {token}"}
    mounted = registry.send(
        "POST",
        f"/v2/{another_repository.name}/blobs/uploads/",
        params={"mount": blob.digest, "from": repository.name},
        headers=headers,
    )

    assert mounted.status_code == 201
    assert registry.send("HEAD", f"/v2/{repository.name}/blobs/{blob.digest}", headers=headers).status_code == 307


@pytest.mark.parametrize("actions", ["pull,push", "push,pull", "pull,push,delete", "pull,madeup,push"])
def test_actions_in_every_form_that_clients_send(registry: Registry, repository: Repository, actions: str) -> None:
    assert registry.repository(repository.name, actions).send("POST", "blobs/uploads/").status_code == 202


@pytest.mark.parametrize("scope", ["nonsense", "repository:x", "repository:UPPER/x:pull", "repository::pull", ":::::"])
def test_a_malformed_scope_gives_no_right_and_no_server_error(registry: Registry, scope: str) -> None:
    answer = registry.ask_for_token(scope)

    assert answer.status_code == 200 or assert_refused(answer, 400)


def test_a_token_allows_only_what_was_requested(registry: Registry, repository: Repository, image: Image) -> None:
    puller = seen_by(registry, repository, "pull")
    assert puller.get_manifest("latest").status_code == 200

    for answer in (puller.send("POST", "blobs/uploads/"), puller.delete("manifests/latest")):
        assert_refused(answer, (401, 403), "UNAUTHORIZED", "DENIED")
    assert repository.get_manifest("latest").status_code == 200


def test_an_insufficient_token_receives_a_challenge_with_the_required_scope(
    registry: Registry, repository: Repository, image: Image
) -> None:
    """crane and docker request a new token with the scope of this challenge."""
    answer = seen_by(registry, repository, "pull").send("POST", "blobs/uploads/")

    assert answer.status_code == 401
    assert f"repository:{repository.name}:" in answer.headers["WWW-Authenticate"]
    assert "push" in answer.headers["WWW-Authenticate"]


def test_a_token_for_one_repository_is_not_valid_for_another(
    registry: Registry, repository: Repository, another_repository: Repository, image: Image
) -> None:
    stray = registry.send("GET", f"/v2/{repository.name}/manifests/latest", headers=another_repository.authorization())

    assert_refused(stray, (401, 403), "UNAUTHORIZED", "DENIED")


# Invalid tokens


def parts_of(registry: Registry, repository: Repository) -> Any:
    return registry.token(repository.scope).split(".")


def flipped(part: Any) -> Any:
    return ("B" if part[0] == "A" else "A") + part[1:]


def altered(part: Any, **claims: Any) -> Any:
    payload = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return base64.urlsafe_b64encode(json.dumps(payload | claims).encode()).decode().rstrip("=")


@pytest.mark.parametrize("kind", ["garbage", "empty", "unsigned", "signature", "later", "audience", "algorithm"])
def test_a_forged_token_is_refused_by_a_challenge(
    registry: Registry, repository: Repository, image: Image, kind: str
) -> None:
    header, payload, signature = parts_of(registry, repository)
    forged = {
        "garbage": "not-a-token",
        "empty": "",
        "unsigned": FORGED,
        "signature": f"{header}.{payload}.{flipped(signature)}",
        "later": f"{header}.{altered(payload, exp=int(time.time()) + 10**6)}.{signature}",
        "audience": f"{header}.{altered(payload, aud='another')}.{signature}",
        "algorithm": f"{altered(header, alg='HS256')}.{payload}.{signature}",
    }[kind]
    answer = registry.send(
        "GET", f"/v2/{repository.name}/manifests/latest", headers={"Authorization": f"Bearer {forged}"}
    )

    assert_refused(answer, 401, "UNAUTHORIZED")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


def test_a_forged_token_does_not_count_as_anonymous(
    stack: Stack, registry: Registry, repository: Repository, image: Image
) -> None:
    """Falling back to anonymous rights would hide from a user that the token is invalid."""
    stack.account("visibility", repository.name, "public")
    answer = registry.send(
        "GET", f"/v2/{repository.name}/manifests/latest", headers={"Authorization": f"Bearer {FORGED}"}
    )

    assert_refused(answer, 401, "UNAUTHORIZED")


# Rights


def everything(repository: Repository, digest: str) -> Any:
    """Returns one request of each kind."""
    return [
        repository.get_manifest("latest"),
        repository.head_manifest("latest"),
        repository.send("GET", f"blobs/{digest}"),
        repository.send("HEAD", f"blobs/{digest}"),
        repository.tags(),
        repository.referrers(digest),
        repository.send("POST", "blobs/uploads/"),
        repository.put_manifest(b"{}", "latest", "application/json"),
        repository.delete("manifests/latest"),
        repository.delete(f"blobs/{digest}"),
    ]


@pytest.mark.parametrize("who", ["neighbour", "stranger"])
def test_a_private_repository_looks_like_one_that_does_not_exist(
    request: pytest.FixtureRequest, repository: Repository, another_repository: Repository, image: Image, who: str
) -> None:
    account = request.getfixturevalue(who)
    digest = image.layers[0].digest
    private = everything(account.repository(repository.name), digest)
    absent = everything(account.repository(another_repository.name), digest)

    for one, other in zip(private, absent, strict=True):
        assert one.status_code in (401, 403, 404)
        assert one.status_code == other.status_code
        assert one.text.replace(repository.name, "N") == other.text.replace(another_repository.name, "N")
        assert sorted(one.headers) == sorted(other.headers)


def test_nobody_pushes_into_another_users_namespace(
    neighbour: Registry, registry: Registry, repository: Repository
) -> None:
    theirs = neighbour.repository(repository.name)

    assert_refused(theirs.send("POST", "blobs/uploads/"), (401, 403), "UNAUTHORIZED", "DENIED")
    assert repository.tags().status_code == 404


def test_every_user_pushes_into_their_own_namespace(neighbour: Registry) -> None:
    own = neighbour.repository(f"{neighbour.user}/first-app")
    image = an_image()
    own.push_image(image, "latest")

    assert own.get_manifest("latest").content == image.manifest.content


def test_anybody_pulls_from_a_public_repository_and_nobody_pushes(
    stack: Stack, stranger: Registry, neighbour: Registry, repository: Repository, image: Image
) -> None:
    stack.account("visibility", repository.name, "public")
    for account in (stranger, neighbour):
        public = account.repository(repository.name)

        assert public.get_manifest("latest").content == image.manifest.content
        assert public.get_blob(image.layers[0].digest).content == image.layers[0].content
        assert public.tags().json()["tags"] == ["latest"]
        assert_refused(public.send("POST", "blobs/uploads/"), (401, 403), "UNAUTHORIZED", "DENIED")
        assert_refused(public.delete("manifests/latest"), (401, 403), "UNAUTHORIZED", "DENIED")


def test_a_reader_pulls_and_does_not_push(
    stack: Stack, neighbour: Registry, repository: Repository, image: Image
) -> None:
    stack.account("grant", repository.name, neighbour.user, "read")
    granted = neighbour.repository(repository.name)

    assert granted.get_manifest("latest").content == image.manifest.content
    assert_refused(granted.send("POST", "blobs/uploads/"), (401, 403), "UNAUTHORIZED", "DENIED")


def test_a_writer_pushes(stack: Stack, neighbour: Registry, repository: Repository, image: Image) -> None:
    stack.account("grant", repository.name, neighbour.user, "write")
    newer = an_image()
    neighbour.repository(repository.name, "pull,push").push_image(newer, "latest")

    assert repository.get_manifest("latest").content == newer.manifest.content


def test_a_robot_pulls_where_it_has_a_role(
    stack: Stack, registry: Registry, repository: Repository, another_repository: Repository, image: Image
) -> None:
    another_repository.push_image(an_image(), "latest")
    name = f"ci{time.time_ns()}"
    secret = stack.account("robot", registry.user, name).split()[-1]
    robot = Registry(stack.url, f"{registry.user}+{name}", secret)
    stack.account("grant", repository.name, robot.user, "read")

    assert robot.repository(repository.name).get_manifest("latest").content == image.manifest.content
    assert_refused(robot.repository(another_repository.name).get_manifest("latest"), (401, 403, 404))


def test_too_many_wrong_passwords_receive_429_with_the_time_to_wait(stack: Stack) -> None:
    """An answer 429 has the specification's code and the time to wait."""
    guesser = Registry(stack.url, "guessed-at", "wrong")
    for _ in range(12):
        answer = guesser.ask_for_token()
        if answer.status_code == 429:
            assert_refused(answer, 429, "TOOMANYREQUESTS")
            assert int(answer.headers["Retry-After"]) > 0
        else:
            assert_refused(answer, 401, "UNAUTHORIZED")


def test_one_repository_in_two_scopes_has_the_actions_of_both(registry: Registry, repository: Repository) -> None:
    """For a mount within one repository, or a pull before a push, clients add scopes and do not merge them."""
    pull, push = f"repository:{repository.name}:pull", f"repository:{repository.name}:push"
    for scopes in ([pull, push], [push, pull], [f"{push} {pull}"]):
        headers = registry.authorization(*scopes)
        opened = registry.send("POST", f"/v2/{repository.name}/blobs/uploads/", headers=headers)

        assert opened.status_code == 202, scopes
        assert registry.send("GET", f"/v2/{repository.name}/tags/list", headers=headers).status_code == 200, scopes
