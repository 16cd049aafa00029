"""A process dies before each of its AWS calls: no partial change is visible, and repeating the request succeeds."""

import contextlib
import os
from collections.abc import Callable

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import OutOfOrder
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.uploads import SMALLEST_PART, Chunk
from tests.support.backends import Backend
from tests.support.builders import (
    a_blob,
    a_config,
    a_descriptor,
    a_direct_upload,
    a_manifest,
    a_repository,
    an_index,
    push_image,
    push_manifest,
    token_actor,
)
from tests.support.crashes import crash_everywhere
from tests.support.rows import events, linked_bytes, repository_of
from tests.support.uploading import Client, pulled, remaining_keys

Operation = Callable[[], object]


def named(number: int) -> str:
    """Returns a repository for each round, so that rounds do not affect each other."""
    return f"admin/round{number}"


@pytest.mark.parametrize("is_known", [False, True], ids=["new bytes", "known bytes"])
def test_pushing_a_blob_in_one_request_survives_a_crash(backend: Backend, is_known: bool) -> None:
    def prepare(number: int) -> Operation:
        repository, content = named(number), os.urandom(100)
        a_repository(backend, repository)
        if is_known:
            a_blob(backend, content, "admin/base")
        return lambda: a_blob(backend, content, repository)

    assert crash_everywhere(backend, prepare) >= 1


@pytest.mark.parametrize("sizes", [(100, 200), (SMALLEST_PART, 10), (10, SMALLEST_PART)], ids=str)
def test_pushing_a_chunk_survives_a_crash(backend: Backend, sizes: tuple[int, int]) -> None:
    """A chunk that is sent again receives the upload's offset, from which the specification lets a client continue."""
    clients, content = [], os.urandom(sum(sizes))

    def prepare(number: int) -> Operation:
        client = Client(backend, named(number))
        client.append(content[: sizes[0]], 0)
        clients.append(client)

        def send() -> None:
            with contextlib.suppress(OutOfOrder):
                client.append(content[sizes[0] :], sizes[0])

        return send

    assert crash_everywhere(backend, prepare) >= 2
    for client in clients:
        assert client.status() == len(content)
        client.close(Digest.of(content))
        assert pulled(backend, Digest.of(content), str(client.name)) == content


LARGE = os.urandom(SMALLEST_PART)
ENDS = {
    "whole": (b"", b"whole"),
    "tail": (b"tail", b""),
    "tail and last": (b"tail", b"last"),
    "part": (LARGE, b""),
    "part and last": (LARGE, b"last"),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_closing_an_upload_survives_a_crash(backend: Backend, end: str, algorithm: str) -> None:
    close_everywhere(backend, end, algorithm)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_closing_an_upload_with_a_ranged_last_chunk_survives_a_crash(backend: Backend, algorithm: str) -> None:
    close_everywhere(backend, "tail and last", algorithm, has_range=True)


@pytest.mark.parametrize("end", ["tail", "part"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_closing_an_upload_of_a_known_blob_survives_a_crash(backend: Backend, end: str, algorithm: str) -> None:
    close_everywhere(backend, end, algorithm, is_known=True)


def close_everywhere(
    backend: Backend, end: str, algorithm: str, *, has_range: bool = False, is_known: bool = False
) -> None:
    def prepare(number: int) -> Operation:
        before, last = (part and part + os.urandom(8) for part in ENDS[end])
        content, client = before + last, Client(backend, named(number))
        digest = Digest.of(content, algorithm)
        client.append(before)
        if is_known:
            a_repository(backend, "admin/base")
            base = RepositoryName.parse("admin/base")
            backend.services.registry.uploads.push(token_actor(backend, "admin", "admin/base"), base, digest, content)
        chunk = Chunk(len(before), len(content) - 1) if has_range else None

        def close() -> None:
            client.close(digest, last, chunk)
            assert pulled(backend, digest, named(number)) == content

        return close

    assert crash_everywhere(backend, prepare) >= 3


@pytest.mark.parametrize("padding", [0, 40_000], ids=["inline", "in S3"])
def test_pushing_a_manifest_with_new_tags_survives_a_crash(backend: Backend, padding: int) -> None:
    def prepare(number: int) -> Operation:
        repository = named(number)
        blobs = [a_blob(backend, repository=repository) for _ in range(2)]
        config = a_blob(backend, a_config({"quay.expires-after": "1h"}), repository)
        manifest = a_manifest(blobs, config, annotations={"padding": "x" * padding})
        return lambda: push_manifest(backend, manifest, *(f"v{tag}" for tag in range(11)), repository=repository)

    assert crash_everywhere(backend, prepare) >= 3


def test_pushing_an_index_of_many_blobs_survives_a_crash(backend: Backend) -> None:
    """Each of its entries has two edges, so that what it names is looked up before."""

    def prepare(number: int) -> Operation:
        repository = named(number)
        entries = [a_descriptor(a_blob(backend, repository=repository)) for _ in range(13)]
        index = an_index(manifests=entries)
        return lambda: push_manifest(backend, index, "cache", repository=repository)

    assert crash_everywhere(backend, prepare) >= 3


def test_pushing_an_image_with_a_foreign_layer_from_the_edge_survives_a_crash(backend: Backend) -> None:
    def prepare(number: int) -> Operation:
        repository, content = named(number), os.urandom(100)
        a_direct_upload(backend, content, repository=repository)
        kind = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
        manifest = a_manifest(layers=[a_descriptor(Digest.of(content), kind)])
        return lambda: push_manifest(backend, manifest, "v1", repository=repository)

    assert crash_everywhere(backend, prepare) >= 3


def test_pushing_a_manifest_that_moves_a_tag_survives_a_crash(backend: Backend) -> None:
    def prepare(number: int) -> Operation:
        repository = named(number)
        push_image(backend, "v1", "v2", repository=repository)
        manifest = a_manifest([a_blob(backend, repository=repository)])
        return lambda: push_manifest(backend, manifest, "v1", repository=repository)

    assert crash_everywhere(backend, prepare) >= 2


def test_deleting_a_tag_survives_a_crash(backend: Backend) -> None:
    def prepare(number: int) -> Operation:
        repository = named(number)
        push_image(backend, "v1", "v2", repository=repository)
        name, actor = RepositoryName.parse(repository), token_actor(backend, "admin", repository)
        return lambda: backend.services.registry.tags.delete_granted(actor, name, Tag("v1"))

    assert crash_everywhere(backend, prepare) >= 1
    assert len(events(backend, "delete_tag")) == len({row["repository_id"] for row in events(backend, "delete_tag")})


def test_deleting_a_manifest_with_a_dozen_tags_and_a_subject_survives_a_crash(backend: Backend) -> None:
    def prepare(number: int) -> Operation:
        repository = named(number)
        a_repository(backend, repository)
        manifest = a_manifest(subject=Digest.of(b"subject"))
        push_manifest(backend, manifest, *(f"v{tag}" for tag in range(11)), repository=repository)
        name, actor = RepositoryName.parse(repository), token_actor(backend, "admin", repository)
        return lambda: backend.services.registry.manifests.delete(actor, name, manifest.digest)

    assert crash_everywhere(backend, prepare) >= 3


def test_mounting_a_blob_survives_a_crash(backend: Backend) -> None:
    digest = a_blob(backend, repository="admin/base")

    def prepare(number: int) -> Operation:
        repository = a_repository(backend, named(number))
        actor = token_actor(backend, "admin", named(number), "admin/base")
        return lambda: backend.services.registry.blobs.mount(
            actor, repository, digest, RepositoryName.parse("admin/base")
        )

    assert crash_everywhere(backend, prepare) >= 1


@pytest.mark.parametrize("way", ["by a head", "by a manifest"])
def test_adopting_a_blob_from_the_upload_edge_survives_a_crash(backend: Backend, way: str) -> None:
    def prepare(number: int) -> Operation:
        content, repository = os.urandom(100), named(number)
        a_direct_upload(backend, content, repository=repository)
        digest, name = Digest.of(content), RepositoryName.parse(repository)
        if way == "by a head":
            return lambda: backend.services.registry.blobs.find(
                token_actor(backend, "admin", repository), name, digest, promise=True
            )
        manifest = a_manifest([digest])
        return lambda: push_manifest(backend, manifest, "v1", repository=repository)

    assert crash_everywhere(backend, prepare) >= 2


def test_creating_a_repository_by_a_push_survives_a_crash(backend: Backend) -> None:
    created = []

    def prepare(number: int) -> Operation:
        name = RepositoryName.parse(named(number))
        actor = token_actor(backend, "admin", named(number))
        created.append(named(number))
        return lambda: backend.services.registry.uploads.push(actor, name, Digest.of(b"bytes"), b"bytes")

    assert crash_everywhere(backend, prepare) >= 2
    assert len(events(backend, "create_repo")) == len(created)
    for repository in created:
        assert linked_bytes(backend, repository_of(backend, repository))[:2] == (5, 5)
        assert remaining_keys(backend, repository) == set()
