"""Tests every source of a right, refusals, and rights that end before a token does."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import Denied, NameUnknown, RegistryError, Unauthenticated
from chalicelib.domain.manifests import Manifest
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import ANONYMOUS, ANY, DELETE, PULL, PUSH, Actor, Need, Role
from chalicelib.domain.repositories import Visibility
from chalicelib.domain.uploads import UploadBody
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountRow
from chalicelib.storage.registry.repositories import PermissionRow, RepositoryNameRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import a_blob, a_manifest, a_repository, an_actor_with_role, push_image, token_actor
from tests.support.rows import all_rows, change, remove, repository_of

APP = RepositoryName.parse("admin/app")
# A token that does not permit an action may raise Unauthenticated or Denied.
REFUSED = (Denied, Unauthenticated)


def make_public(backend: Backend, repository: str = "admin/app") -> None:
    owner = token_actor(backend, "admin", repository)
    backend.services.registry.repositories.change_visibility(owner, RepositoryName.parse(repository), Visibility.PUBLIC)


def allowed(backend: Backend, actor: Actor, name: RepositoryName = APP) -> set[str]:
    """Returns the actions that raise no error."""
    found = set()
    for action in (PULL, PUSH, DELETE, ANY):
        try:
            backend.services.security.access.repository(actor, name, Need(action, ()))
        except REFUSED:
            continue
        found.add(action)
    return found


def test_an_owner_may_do_everything_with_their_repository(backend: Backend) -> None:
    a_repository(backend)

    assert allowed(backend, backend.actor("admin", "admin/app", actions="*")) == {PULL, PUSH, DELETE, ANY}


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (Role.READ, {PULL}),
        (Role.WRITE, {PULL, PUSH, DELETE}),
        (Role.ADMIN, {PULL, PUSH, DELETE, ANY}),
    ],
)
def test_a_granted_role_permits_its_actions_and_no_more(backend: Backend, role: Role, expected: set[str]) -> None:
    a_repository(backend)
    backend.user("bob")
    an_actor_with_role(backend, "bob", role)

    assert allowed(backend, backend.actor("bob", "admin/app", actions="*")) == expected


def test_a_token_asked_for_less_than_the_role_permits_less(backend: Backend) -> None:
    a_repository(backend)

    assert allowed(backend, backend.actor("admin", "admin/app", actions="pull")) == {PULL}


def test_everybody_may_pull_what_is_public_and_do_nothing_else(backend: Backend) -> None:
    a_repository(backend)
    backend.user("bob")
    make_public(backend)

    assert allowed(backend, backend.actor("bob", "admin/app", actions="*")) == {PULL}
    assert allowed(backend, backend.actor("", "admin/app", actions="*")) == {PULL}
    assert allowed(backend, ANONYMOUS) == {PULL}


def test_a_role_on_a_public_repository_counts_beside_its_being_public(backend: Backend) -> None:
    a_repository(backend)
    backend.user("bob")
    make_public(backend)
    an_actor_with_role(backend, "bob", Role.WRITE)

    assert allowed(backend, backend.actor("bob", "admin/app", actions="*")) == {PULL, PUSH, DELETE}


def test_a_private_repository_is_closed_to_anonymous_callers_and_to_users_without_a_right(backend: Backend) -> None:
    a_repository(backend)
    backend.user("bob")

    assert allowed(backend, ANONYMOUS) == set()
    assert allowed(backend, backend.actor("", "admin/app")) == set()
    assert allowed(backend, backend.actor("bob", "admin/app")) == set()


def test_a_repository_made_private_again_is_closed_to_anonymous_callers_at_once(backend: Backend) -> None:
    a_repository(backend)
    make_public(backend)
    backend.services.registry.repositories.change_visibility(
        token_actor(backend, "admin", "admin/app"), APP, Visibility.PRIVATE
    )

    assert allowed(backend, ANONYMOUS) == set()
    assert allowed(backend, backend.actor("", "admin/app")) == set()


def test_a_robot_with_its_token_as_password_may_do_what_its_role_permits(backend: Backend) -> None:
    a_repository(backend)
    _, secret = backend.robot("admin+builder")
    scope = ["repository:admin/app:pull,push"]
    assert (
        not backend.services.identity.tokens.believe(
            backend.services.identity.tokens.issue(("admin+builder", secret), None, scope).token
        )
        .grants["admin/app"]
        .actions
    )

    an_actor_with_role(backend, "admin+builder", Role.WRITE)
    robot = backend.services.identity.tokens.believe(
        backend.services.identity.tokens.issue(("admin+builder", secret), None, scope).token
    )

    assert (robot.name, robot.kind) == ("admin+builder", "robot")
    assert allowed(backend, robot) == {PULL, PUSH, DELETE}


def test_a_robot_is_not_the_owner_of_its_namespace(backend: Backend) -> None:
    a_repository(backend)
    backend.robot("admin+builder")

    robot = token_actor(backend, "admin+builder", "admin/app", "admin/new")

    assert {grant.actions for grant in robot.grants.values()} == {frozenset()}


def test_only_the_owner_of_a_namespace_may_create_in_it(backend: Backend) -> None:
    backend.user("bob")

    with pytest.raises(REFUSED):
        backend.services.registry.repositories.for_push(
            backend.actor("bob", "admin/new"), RepositoryName.parse("admin/new")
        )

    assert backend.services.registry.repositories.for_push(
        backend.actor("bob", "bob/new"), RepositoryName.parse("bob/new")
    )


def refusal(backend: Backend, actor: Actor, name: str, action: str) -> tuple[type[RegistryError], str, list[str]]:
    """Returns class, message without the name, and fields of a refusal."""
    with pytest.raises(RegistryError) as raised:
        backend.services.security.access.repository(actor, RepositoryName.parse(name), Need(action, ()))
    return type(raised.value), str(raised.value).replace(name, "NAME"), sorted(raised.value.detail)


@pytest.mark.parametrize("action", [PULL, PUSH, DELETE])
@pytest.mark.parametrize("who", ["bob", ""])
@pytest.mark.parametrize("missing", ["admin/missing", "nobody/missing", "admin/private/deeper"])
def test_a_user_without_a_right_cannot_tell_a_private_repository_from_a_missing_one(
    backend: Backend, action: str, who: str, missing: str
) -> None:
    a_repository(backend, "admin/private")
    backend.user("bob")

    for scopes in ((), ("admin/private", missing)):
        actor = backend.actor(who, *scopes)
        assert refusal(backend, actor, "admin/private", action) == refusal(backend, actor, missing, action)


def test_the_token_of_a_user_without_a_right_is_the_same_for_a_private_and_a_missing_repository(
    backend: Backend,
) -> None:
    a_repository(backend, "admin/private")
    backend.user("bob")

    grants = backend.actor("bob", "admin/private", "admin/missing").grants

    assert replace(grants["admin/private"], name="") == replace(grants["admin/missing"], name="")


def test_a_token_for_another_repository_does_not_open_this_one(backend: Backend) -> None:
    a_repository(backend)
    a_repository(backend, "admin/other")

    with pytest.raises(Unauthenticated) as refused:
        backend.services.security.access.repository(backend.actor("admin", "admin/other"), APP)

    assert refused.value.why == "insufficient_scope"


def test_an_owner_is_told_that_their_repository_does_not_exist(backend: Backend) -> None:
    with pytest.raises(NameUnknown):
        backend.services.security.access.repository(
            backend.actor("admin", "admin/missing"), RepositoryName.parse("admin/missing")
        )


def test_a_token_from_before_the_first_push_finds_the_repository_created_since(backend: Backend) -> None:
    early = backend.actor("admin", "admin/app")
    made = a_repository(backend)

    assert backend.services.security.access.repository(early, APP) == made


@dataclass
class Scene:
    """Creates a repository with content; returns what a write in it needs."""

    backend: Backend
    repository: str
    tagged: Manifest
    loose: Digest
    elsewhere: Digest
    upload: str

    @property
    def name(self) -> RepositoryName:
        return RepositoryName.parse(self.repository)


CONTENT = b"content that comes last"


def a_scene(backend: Backend, repository: str) -> Scene:
    tagged = push_image(backend, "v1", repository=repository)
    loose = a_blob(backend, repository=repository)
    elsewhere = a_blob(backend, repository="admin/elsewhere")
    begun = backend.services.registry.uploads.begin(
        token_actor(backend, "admin", repository), RepositoryName.parse(repository)
    )
    return Scene(backend, repository, tagged, loose, elsewhere, begun.token)


Write = Callable[[Scene, Actor], object]
WRITES: dict[str, Write] = {
    "push a blob": lambda it, actor: it.backend.services.registry.uploads.push(
        actor, it.name, Digest.of(CONTENT), CONTENT
    ),
    "close an upload": lambda it, actor: it.backend.services.registry.uploads.close(
        actor, it.name, it.upload, Digest.of(CONTENT), UploadBody(CONTENT)
    ),
    "mount a blob": lambda it, actor: it.backend.services.registry.blobs.mount(
        actor, repository_of(it.backend, it.repository), it.elsewhere, RepositoryName.parse("admin/elsewhere")
    ),
    "push a manifest": lambda it, actor: it.backend.services.registry.manifests.push(
        actor, it.name, a_manifest([it.loose]), [Tag("v2")]
    ),
    "move a tag": lambda it, actor: it.backend.services.registry.manifests.push(
        actor, it.name, a_manifest([it.loose]), [Tag("v1")]
    ),
    "delete a tag": lambda it, actor: it.backend.services.registry.tags.delete_granted(actor, it.name, Tag("v1")),
    "delete a manifest": lambda it, actor: it.backend.services.registry.manifests.delete(
        actor, it.name, it.tagged.digest
    ),
    "delete a blob": lambda it, actor: it.backend.services.registry.blobs.delete(actor, it.name, it.loose),
}


def is_refused(write: Callable[..., object], *arguments: object) -> bool:
    """Whether a write raises Denied."""
    try:
        write(*arguments)
    except Denied:
        return True
    return False


def disable(backend: Backend, repository: str) -> None:
    change(get(AccountRow, keys.account(backend.account("bob").id)), enabled=False)


def raise_epoch(backend: Backend, repository: str) -> None:
    account = backend.account("bob")
    change(account, epoch=account.epoch + 1)


def revoke(backend: Backend, repository: str) -> None:
    remove(PermissionRow, keys.permission(repository_of(backend, repository).id, backend.account("bob").id))


def lower_to_read(backend: Backend, repository: str) -> None:
    an_actor_with_role(backend, "bob", Role.READ, repository)


def restore(backend: Backend) -> None:
    change(backend.account("bob"), enabled=True, epoch=0)


LOSSES = (disable, raise_epoch, revoke, lower_to_read)


@pytest.mark.parametrize("write", WRITES)
def test_a_write_is_refused_if_the_right_ended_after_the_token_was_issued(backend: Backend, write: str) -> None:
    backend.user("bob")
    a_repository(backend, "admin/elsewhere")
    for number, lose in enumerate(LOSSES):
        scene = a_scene(backend, f"admin/app{number}")
        an_actor_with_role(backend, "bob", Role.ADMIN, scene.repository)
        an_actor_with_role(backend, "bob", Role.READ, "admin/elsewhere")
        actor = token_actor(backend, "bob", scene.repository, "admin/elsewhere")
        lose(backend, scene.repository)
        before = all_rows(backend)

        assert is_refused(WRITES[write], scene, actor), f"{write} was done after {lose.__name__}"

        assert written_since(backend, before) == [], lose.__name__
        restore(backend)


def written_since(backend: Backend, before: list[dict[str, object]]) -> list[dict[str, object]]:
    """Returns new or changed rows, except the edges and timers of a push, which garbage collection removes."""
    harmless = ("USES#", "PARENT#")
    now = [row for row in all_rows(backend) if row not in before]
    return [row for row in now if not row["sk"].startswith(harmless) and not row["pk"].startswith("TIMER#")]


@pytest.mark.parametrize("lose", [disable, raise_epoch])
def test_an_owner_whose_account_was_disabled_or_revoked_creates_no_repository(
    backend: Backend, lose: Callable[[Backend, str], None]
) -> None:
    backend.user("bob")
    actor = backend.actor("bob", "bob/new")
    lose(backend, "")
    before = all_rows(backend)

    with pytest.raises(Denied):
        backend.services.registry.uploads.begin(actor, RepositoryName.parse("bob/new"))

    assert written_since(backend, before) == []


def test_an_older_token_still_writes_after_the_role_was_raised(backend: Backend) -> None:
    a_repository(backend)
    backend.user("bob")
    actor = an_actor_with_role(backend, "bob", Role.WRITE)
    an_actor_with_role(backend, "bob", Role.ADMIN)

    backend.services.registry.uploads.push(actor, APP, Digest.of(CONTENT), CONTENT)

    invariants.check(backend)


@pytest.mark.parametrize("state", ["deleted", "purging"])
def test_a_write_into_a_repository_that_is_no_longer_live_is_refused(backend: Backend, state: str) -> None:
    repository = a_repository(backend)
    actor = token_actor(backend, "admin", "admin/app")
    change(get(RepositoryNameRow, keys.repository_name(repository.namespace_id, "app")), state=state)

    with pytest.raises(NameUnknown):
        backend.services.registry.uploads.push(actor, APP, Digest.of(CONTENT), CONTENT)


def test_a_write_with_a_token_for_a_repository_whose_name_now_means_another_is_refused(backend: Backend) -> None:
    repository = a_repository(backend)
    actor = token_actor(backend, "admin", "admin/app")
    other = a_repository(backend, "admin/other")
    row = get(RepositoryNameRow, keys.repository_name(repository.namespace_id, "app"))
    change(row, repository_id=other.id)

    with pytest.raises(NameUnknown):
        backend.services.registry.uploads.push(actor, APP, Digest.of(CONTENT), CONTENT)
