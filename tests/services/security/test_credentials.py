"""Tests that an access token writes nothing once the credential that it was issued for has ended."""

from collections.abc import Callable

import pytest

from chalicelib.domain.accounts import RobotName
from chalicelib.domain.credentials import Credential, UploadRight
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import Denied, Unauthenticated
from chalicelib.domain.federation import Rule
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, HolderKind, Role
from chalicelib.services.identity.applications import ApplicationFields
from chalicelib.services.identity.authorizations import TokenRequest
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.table import get
from tests.support.backends import Backend
from tests.support.builders import a_repository, an_organization
from tests.support.rows import all_rows, change

APP = RepositoryName.parse("admin/app")
SCOPE = "user:admin org:admin repo:admin repo:write repo:create"
End = Callable[[], object]


def pushes(backend: Backend, actor: Actor, name: RepositoryName = APP) -> bool:
    """Whether an actor pushes a blob; one who may not writes nothing."""
    content, before = b"late", all_rows(backend)
    try:
        backend.services.registry.uploads.push(actor, name, Digest.of(content), content)
    except Denied:
        assert all_rows(backend) == before
        return False
    return True


def believed(backend: Backend, name: str, secret: str, *repositories: str) -> Actor:
    """Returns the actor of an access token that was issued for a random token."""
    scopes = [f"repository:{repository}:pull,push" for repository in repositories or ("admin/app",)]
    tokens = backend.services.identity.tokens
    return tokens.believe(tokens.issue((name, secret), None, scopes).token)


def an_authorization(backend: Backend, actor: Actor | None = None, life_s: int = 3600) -> tuple[str, str, str]:
    """Creates an OAuth token of a new application; returns its secret, its uuid and its client id."""
    admin = backend.signed_in("admin")
    client = backend.services.identity.applications.create(admin, "acme", ApplicationFields("bot")).client_id
    request = TokenRequest("ci", SCOPE, life_s)
    made = backend.services.identity.authorizations.create(actor or admin, "acme", client, request)
    return made.secret or "", made.uuid, client


@pytest.fixture
def acme(backend: Backend) -> str:
    a_repository(backend)
    return an_organization(backend)


def acting(backend: Backend, secret: str) -> Actor:
    """Returns the actor of the API for an OAuth token."""
    found = backend.services.identity.authentication.by_bearer(secret)
    assert found is not None
    return found.actor("")


def delete_organization(acme: str) -> None:
    change(get(NamespaceRow, keys.namespace(acme)), state="deleted")


def ends_of(backend: Backend, acme: str, uuid: str, client: str) -> dict[str, End]:
    """Returns what ends an OAuth token."""
    admin, identity = backend.signed_in("admin"), backend.services.identity
    return {
        "revoked": lambda: identity.authorizations.revoke_of_user(admin, uuid),
        "application deleted": lambda: identity.applications.delete(admin, "acme", client),
        "organization deleted": lambda: delete_organization(acme),
    }


ENDS = ("revoked", "application deleted", "organization deleted")


@pytest.mark.parametrize("end", ENDS)
def test_what_was_issued_for_an_oauth_token_writes_nothing_after_it(backend: Backend, acme: str, end: str) -> None:
    secret, uuid, client = an_authorization(backend)
    actor = believed(backend, "$oauthtoken", secret)
    ends_of(backend, acme, uuid, client)[end]()

    assert not pushes(backend, actor)


@pytest.mark.parametrize("end", ENDS)
def test_what_was_issued_for_an_app_token_writes_nothing_after_its_maker(backend: Backend, acme: str, end: str) -> None:
    secret, uuid, client = an_authorization(backend)
    app_token = backend.services.identity.app_tokens.create(acting(backend, secret), "laptop")
    actor = believed(backend, "$app", app_token.secret or "")
    ends_of(backend, acme, uuid, client)[end]()

    assert not pushes(backend, actor)


def test_what_was_issued_for_an_app_token_writes_nothing_after_it_was_revoked(backend: Backend, acme: str) -> None:
    admin = backend.signed_in("admin")
    token = backend.services.identity.app_tokens.create(admin, "laptop")
    actor = believed(backend, "$app", token.secret or "", "admin/app", "admin/new")
    assert pushes(backend, actor)
    backend.services.identity.app_tokens.revoke(admin, token.uuid)

    assert not pushes(backend, actor)
    with pytest.raises(Denied):
        backend.services.registry.repositories.for_push(actor, RepositoryName.parse("admin/new"))


def test_a_robot_s_former_token_writes_until_its_overlap_ends_however_long_its_access_token(backend: Backend) -> None:
    a_repository(backend)
    _, secret = backend.robot("admin+ci")
    admin = backend.signed_in("admin")
    backend.services.accounts.permissions.put(admin, APP, HolderKind.USER, "admin+ci", Role.WRITE)
    actor = believed(backend, "admin+ci", secret)
    backend.services.accounts.robots.regenerate(admin, RobotName.parse("admin+ci"), 60)
    assert pushes(backend, actor)

    backend.clock.ahead_s += 61

    assert not pushes(backend, actor)


def test_a_federated_robot_writes_nothing_after_its_rule_was_removed(backend: Backend) -> None:
    a_repository(backend)
    robot, _ = backend.robot("admin+ci")
    admin, federation = backend.signed_in("admin"), backend.services.identity.federation
    backend.services.accounts.permissions.put(admin, APP, HolderKind.USER, "admin+ci", Role.WRITE)
    federation.put(admin, RobotName.parse("admin+ci"), [{"issuer": "https://issuer.example", "subject": "job"}])
    rule = Rule("https://issuer.example", "job")
    credential = Credential(namespaces=(backend.account().id,), robot="ci", rule=rule)
    grant = backend.services.security.access.walk(robot, APP)
    actor = Actor(robot.id, robot.name, robot.kind, robot.epoch, {"admin/app": grant}, credential=credential)
    assert pushes(backend, actor)

    federation.delete(admin, RobotName.parse("admin+ci"))

    assert not pushes(backend, actor)


def test_a_robot_of_a_disabled_user_writes_nothing(backend: Backend) -> None:
    backend.user("bob")
    bob = backend.signed_in("bob")
    a_repository(backend, "bob/app")
    name = RepositoryName.parse("bob/app")
    _, secret = backend.robot("bob+ci")
    backend.services.accounts.permissions.put(bob, name, HolderKind.USER, "bob+ci", Role.WRITE)
    actor = believed(backend, "bob+ci", secret, "bob/app")
    change(backend.account("bob"), enabled=False)

    assert not pushes(backend, actor, name)


def test_a_write_reads_the_credential_in_the_batch_that_it_makes_anyway(backend: Backend, acme: str) -> None:
    secret, _, _ = an_authorization(backend)
    token = backend.services.identity.app_tokens.create(acting(backend, secret), "laptop")
    actor = believed(backend, "$app", token.secret or "")
    backend.calls.take()

    backend.services.registry.uploads.push(actor, APP, Digest.of(b"new"), b"new")

    assert backend.calls.take() == ["BatchGetItem", "PutObject", "TransactWriteItems"]


def test_a_long_token_permits_no_other_write(backend: Backend) -> None:
    a_repository(backend)
    actor, name = backend.owner()
    tokens, registry = backend.services.identity.tokens, backend.services.registry
    begun, other = (registry.uploads.begin(actor, name) for _ in range(2))
    long = tokens.believe(tokens.prolong(actor, name, UploadRight(begun.upload_id), 86_400))
    digest = Digest.of(b"x")

    for write in (
        lambda: registry.uploads.push(long, name, digest, b"x"),
        lambda: registry.uploads.begin(long, name),
        lambda: registry.uploads.cancel(long, name, begun.token),
        lambda: registry.blobs.delete(long, name, digest),
        lambda: registry.blobs.find(long, name, digest, promise=True),
        lambda: registry.manifests.delete(long, name, digest),
        lambda: registry.uploads.opening.for_bytes(long, name, other.token, digest),
    ):
        with pytest.raises(Unauthenticated):
            write()
    assert registry.uploads.opening.for_bytes(long, name, begun.token, digest)[1].upload_id == begun.upload_id
