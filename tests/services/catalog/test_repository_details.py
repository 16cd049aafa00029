"""Details of a repository: settings, tags, and the rights of the actor."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.errors import Denied, NameUnknown, Unauthenticated
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, Actor, Role
from chalicelib.domain.repositories import Mode, Visibility
from chalicelib.domain.scopes import ORG_ADMIN, REPO_READ, REPO_WRITE
from chalicelib.services.catalog.repository_details import DAYS, MOST_TAGS, RepositoryView
from chalicelib.storage.registry.tags import tag_row
from chalicelib.storage.table import put_all
from tests.support.backends import Backend
from tests.support.builders import (
    a_blob,
    a_config,
    a_manifest,
    a_repository,
    an_actor_with_role,
    an_index,
    push_image,
    push_manifest,
)
from tests.support.rows import repository_of

NAME = RepositoryName.parse("admin/app")


def overview(backend: Backend, actor: Actor | None = None, **options: bool) -> RepositoryView:
    return backend.services.catalog.repository_details.get(actor or backend.signed_in("admin"), NAME, **options)


def test_an_empty_repository_has_details(backend: Backend) -> None:
    a_repository(backend)

    found = overview(backend)

    assert (found.is_starred, found.window_s, found.quota, found.bytes) == (False, 14 * 86400, None, 0)
    assert (found.tags, found.activity) == ([], None)
    assert found.can_write
    assert found.can_admin


def test_tags_have_the_size_of_their_layers_and_indexes_none(backend: Backend) -> None:
    manifest = a_manifest([a_blob(backend, b"x" * 100), a_blob(backend)], a_blob(backend, a_config()))
    push_manifest(backend, manifest, "v1", "v2")
    index = push_manifest(backend, an_index([manifest.digest]), "all")

    found = {tag.name: tag for tag in overview(backend).tags or ()}

    assert {name: tag.size for name, tag in found.items()} == {"all": None, "v1": 100 + 64, "v2": 100 + 64}
    assert (found["v1"].digest, found["all"].digest) == (manifest.digest, index.digest)
    assert overview(backend).bytes > 100


def test_an_expired_tag_is_gone_and_one_that_will_expire_says_when(backend: Backend) -> None:
    push_image(backend, "v1", labels={"quay.expires-after": "1h"})
    (tag,) = overview(backend).tags or ()
    assert tag.expires_at == tag.started_at + 3600

    backend.clock.ahead_s = 3601

    assert overview(backend).tags == []


def test_at_most_five_hundred_tags_are_returned(backend: Backend) -> None:
    manifest = push_image(backend, "v")
    repository = repository_of(backend)

    def a_tag(number: int) -> Any:
        row = tag_row(repository.id, f"t{number:04d}", "life")
        row.digest, row.media_type, row.size, row.started_at = manifest.digest, manifest.media_type, 1, 0
        return row

    put_all([a_tag(number) for number in range(MOST_TAGS + 1)])

    assert len(overview(backend).tags or ()) == MOST_TAGS


def test_tags_can_be_left_out_and_the_activity_requested(backend: Backend) -> None:
    push_image(backend, "v1")

    found = overview(backend, with_tags=False, with_activity=True)

    assert found.tags is None
    assert found.activity is not None
    assert len(found.activity) == DAYS
    (today, count), *before = found.activity
    assert count == 2
    assert {number for _, number in before} == {0}
    assert [today, *(day for day, _ in before)] == sorted((day for day, _ in found.activity), reverse=True)


@pytest.mark.parametrize(("role", "writes", "admins"), [(Role.READ, 0, 0), (Role.WRITE, 1, 0), (Role.ADMIN, 1, 1)])
def test_rights_follow_from_the_role(backend: Backend, role: Role, writes: bool, admins: bool) -> None:
    a_repository(backend)
    backend.user("bob")
    an_actor_with_role(backend, "bob", role)

    found = overview(backend, backend.signed_in("bob"))

    assert (found.can_write, found.can_admin) == (bool(writes), bool(admins))


def test_nobody_can_write_to_a_read_only_repository_or_a_mirror(backend: Backend) -> None:
    a_repository(backend)
    for mode in (Mode.READ_ONLY, Mode.MIRROR):
        backend.services.registry.repositories.change_mode(backend.signed_in("admin"), NAME, mode)

        assert not overview(backend).can_write
        assert overview(backend).can_admin


def test_a_token_gets_no_more_rights_than_its_scope(backend: Backend) -> None:
    a_repository(backend)
    owner = backend.signed_in("admin")

    assert not overview(backend, replace(owner, scopes=frozenset({REPO_READ}))).can_write
    assert overview(backend, replace(owner, scopes=frozenset({REPO_WRITE}))).can_write
    with pytest.raises(Denied):
        overview(backend, replace(owner, scopes=frozenset({ORG_ADMIN})))


def test_without_a_role_a_private_repository_looks_like_a_missing_one(backend: Backend) -> None:
    a_repository(backend)
    backend.user("bob")
    for actor, refusal in ((ANONYMOUS, Unauthenticated), (backend.signed_in("bob"), Denied)):
        messages = set()
        for name in ("admin/app", "admin/none", "nobody/none"):
            with pytest.raises(refusal) as refused:
                backend.services.catalog.repository_details.get(actor, RepositoryName.parse(name))
            messages.add(str(refused.value).replace(name, ""))
        assert len(messages) == 1
    with pytest.raises(NameUnknown):
        backend.services.catalog.repository_details.get(backend.signed_in("admin"), RepositoryName.parse("admin/none"))


def test_everybody_reads_a_public_repository(backend: Backend) -> None:
    a_repository(backend)
    backend.services.registry.repositories.change_visibility(backend.signed_in("admin"), NAME, Visibility.PUBLIC)

    found = overview(backend, ANONYMOUS)

    assert (found.can_write, found.can_admin, found.is_starred) == (False, False, False)
