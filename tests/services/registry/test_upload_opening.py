"""Uploads are opened by those who may push, for their own upload, and where the namespace has room."""

import os
from typing import Any

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUploadUnknown, Denied, NameUnknown, QuotaExceeded
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.uploads import LARGEST_PUT, UploadBody
from chalicelib.services.registry.presigned_uploads import BlobSize
from chalicelib.storage import bucket_keys
from tests.support.backends import Backend
from tests.support.builders import a_blob, a_manifest, a_quota, a_repository, push_manifest, token_actor
from tests.support.crashes import just_before_commit
from tests.support.rows import rows_like
from tests.support.uploading import Client

GIBIBYTE = 1024**3


def test_an_upload_needs_its_own_repository(backend: Backend) -> None:
    client = Client(backend)
    other = RepositoryName.parse("admin/other")
    a_blob(backend, repository="admin/other")

    opening = backend.services.registry.uploads.opening
    assert opening.token(client.actor, client.name, client.token)[1].upload_id == client.upload_id
    with pytest.raises(BlobUploadUnknown):
        opening.token(token_actor(backend, "admin", "admin/other"), other, client.token)


def test_a_full_namespace_begins_no_upload_and_makes_no_repository_for_it(backend: Backend) -> None:
    content = os.urandom(100)
    a_blob(backend, content)
    a_quota(backend, 100)
    name = RepositoryName.parse("admin/new")

    with pytest.raises(QuotaExceeded):
        backend.services.registry.uploads.begin(token_actor(backend, "admin", "admin/new"), name)
    assert backend.services.stores.repositories.find(backend.account().id, name) is None
    a_quota(backend, 101)
    assert backend.services.registry.uploads.begin(token_actor(backend, "admin", "admin/new"), name).offset == 0


def test_the_first_token_says_how_many_bytes_the_upload_edge_may_take(backend: Backend) -> None:
    a_blob(backend, os.urandom(100))
    tokens = backend.services.security.upload_tokens
    assert tokens.verify(Client(backend).token).most is None

    a_quota(backend, 1000)
    assert tokens.verify(Client(backend).token).most == 900


def test_beginning_asks_for_room_only_where_a_quota_rejects(backend: Backend) -> None:
    actor, name = backend.owner()
    a_blob(backend)
    actor = token_actor(backend, "admin", str(name))
    backend.calls.take()
    backend.services.registry.uploads.begin(actor, name)
    assert backend.calls.take() == []

    a_quota(backend, 1000)
    actor = token_actor(backend, "admin", str(name))
    backend.calls.take()
    backend.services.registry.uploads.begin(actor, name)
    assert backend.calls.take() == ["GetItem", "BatchGetItem"]


def presign(client: Client, digest: Digest, size: int) -> Any:
    uploads = client.backend.services.registry.presigned_uploads
    return uploads.presign(client.actor, client.name, client.token, BlobSize(digest, size), 1)


@pytest.mark.parametrize("size", [901, 4 * GIBIBYTE, LARGEST_PUT + 1])
def test_no_address_is_presigned_for_more_bytes_than_are_left(backend: Backend, size: int) -> None:
    a_blob(backend, os.urandom(100))
    a_quota(backend, 1000)
    client = Client(backend)

    with pytest.raises(QuotaExceeded):
        presign(client, Digest.of(b"huge"), size)
    assert client.row is None
    assert presign(client, Digest.of(b"fits"), 900)["way"] == "put"


def test_an_address_is_presigned_for_what_the_namespace_has_already(backend: Backend) -> None:
    content = os.urandom(600)
    a_blob(backend, content, "admin/other")
    a_quota(backend, 1000)

    assert presign(Client(backend), Digest.of(content), 600)["way"] == "put"
    with pytest.raises(QuotaExceeded):
        presign(Client(backend), Digest.of(b"other"), 600)


def test_a_relay_learns_how_many_bytes_an_upload_may_have(backend: Backend) -> None:
    relays, client = backend.services.registry.relays, Client(backend)
    assert relays.presign_first(client.actor, client.name, client.token, 1)["room"] is None
    a_quota(backend, 1000)
    client = Client(backend)
    client.append(b"12345")
    assert relays.presign_first(client.actor, client.name, client.token, 1)["room"] == 1000

    a_blob(backend, os.urandom(996), "admin/other")
    with pytest.raises(QuotaExceeded):
        relays.presign_first(client.actor, client.name, client.token, 1)


def test_an_upload_is_opened_by_nobody_whose_right_has_ended(backend: Backend) -> None:
    client = Client(backend)
    opening = backend.services.registry.uploads.opening
    repository, token = opening.token(client.actor, client.name, client.token)
    client.append(b"1")
    row = opening.row(client.actor, repository, token)
    assert row is not None
    assert opening.row_with_room(client.actor, repository, token)[1] is None

    backend.services.registry.repositories.delete(backend.signed_in("admin"), client.name)
    for look in (opening.row, opening.row_with_room):
        with pytest.raises((Denied, NameUnknown)):
            look(client.actor, repository, token)


def test_room_that_was_there_at_the_beginning_is_asked_again_at_the_end(backend: Backend) -> None:
    a_quota(backend, 100)
    client, content = Client(backend), os.urandom(60)
    a_blob(backend, os.urandom(60), "admin/other")

    with pytest.raises(QuotaExceeded):
        client.backend.services.registry.uploads.close(
            client.actor, client.name, client.token, Digest.of(content), UploadBody(content)
        )


NEW = RepositoryName.parse("admin/new")


def begun(backend: Backend) -> Any:
    """Begins an upload into a repository that does not exist; returns the actor and the token's text."""
    actor = token_actor(backend, "admin", "admin/new")
    return actor, backend.services.registry.uploads.begin(actor, NEW, creates=False).token


def test_uploads_that_begin_before_their_repository_share_its_id(backend: Backend) -> None:
    opening = backend.services.registry.uploads.opening
    (actor, first), (_, second) = begun(backend), begun(backend)
    repositories = {opening.token(actor, NEW, text)[0].id for text in (first, second)}
    assert backend.services.stores.repositories.find(backend.account().id, NEW) is None

    assert {opening.for_bytes(actor, NEW, text)[0].id for text in (first, second)} == repositories
    assert a_repository(backend, "admin/new").id in repositories
    assert rows_like(backend, "N#", "BEGUN#") == []


def test_a_repository_that_a_manifest_creates_has_the_id_with_which_an_upload_has_begun(backend: Backend) -> None:
    actor, text = begun(backend)
    push_manifest(backend, a_manifest(), "v1", repository="admin/new")

    repository, _ = backend.services.registry.uploads.opening.for_bytes(actor, NEW, text)
    assert repository == a_repository(backend, "admin/new")


def test_an_upload_is_unknown_in_a_repository_that_was_deleted_and_pushed_again(backend: Backend) -> None:
    actor, text = begun(backend)
    first = a_repository(backend, "admin/new")
    backend.services.registry.repositories.delete(backend.signed_in("admin"), NEW)
    other_actor, other = begun(backend)

    assert backend.services.registry.uploads.opening.for_bytes(other_actor, NEW, other)[0].id != first.id
    with pytest.raises(BlobUploadUnknown):
        backend.services.registry.uploads.opening.for_bytes(actor, NEW, text)


def test_an_upload_may_begin_while_its_repository_is_created(backend: Backend) -> None:
    texts: list[Any] = []

    def begin_another() -> None:
        texts.append(begun(backend)[1])

    actor, first = begun(backend)
    with just_before_commit(backend, begin_another):
        backend.services.registry.uploads.opening.for_bytes(actor, NEW, first)
    for text in texts:
        backend.services.registry.uploads.opening.for_bytes(actor, NEW, text)


def test_an_upload_goes_on_while_the_first_bytes_of_another_one_create_its_repository(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    (actor, first), (_, second) = begun(backend), begun(backend)
    opening, repositories = backend.services.registry.uploads.opening, backend.services.registry.repositories
    look, waiting = repositories.begun, [first]

    def look_late(*arguments: Any) -> str | None:
        if waiting:
            opening.for_bytes(actor, NEW, waiting.pop())
        found: str | None = look(*arguments)
        return found

    monkeypatch.setattr(repositories, "begun", look_late)
    assert opening.token(actor, NEW, second)[0] == a_repository(backend, "admin/new")


def test_a_blob_that_the_edge_took_for_a_begun_repository_is_found_and_creates_it(backend: Backend) -> None:
    actor, text = begun(backend)
    content = os.urandom(100)
    repository, token = backend.services.registry.uploads.opening.token(actor, NEW, text)
    key = bucket_keys.edge_prefix(repository.id, Digest.of(content)) + token.upload_id
    with pytest.raises(NameUnknown):
        backend.services.registry.blobs.find(actor, NEW, Digest.of(content))
    backend.services.stores.objects.put(key, content, Digest.of(content))

    assert backend.services.registry.blobs.find(actor, NEW, Digest.of(content)).s3_key == key
    assert a_repository(backend, "admin/new").id == repository.id
