"""Tests that a write looks at the rights again: those that ended since the token was issued, and those that grew."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import Denied, NameUnknown
from chalicelib.domain.manifests import Manifest
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import Actor, Role
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
