"""Closes uploads: by the right digest, by a wrong one, and by the same one again."""

import os

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import (
    BlobUploadUnknown,
    DigestInvalid,
    NotFound,
    OutOfOrder,
    SizeInvalid,
)
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.uploads import SMALLEST_PART, Chunk
from chalicelib.storage import keys
from chalicelib.storage.registry.blobs import BlobLinkRow, BlobRow
from chalicelib.storage.registry.uploads import PartRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import a_blob, a_repository, token_actor
from tests.support.rows import (
    DELETING,
    change,
    linked_bytes,
    remove,
    repository_of,
    rows_like,
    set_blob_state,
    set_link_state,
)
from tests.support.uploading import APP, Client, pulled, remaining_keys, upload

NAME = RepositoryName.parse(APP)


def test_an_upload_may_be_closed_with_all_its_bytes_with_the_last_or_with_none(backend: Backend) -> None:
    for chunks, last in (([], b"all"), ([b"first "], b"last"), ([b"first", b" last bytes"], b""), ([], b"")):
        upload(backend, chunks, last)

        assert pulled(backend, Digest.of(b"".join(chunks) + last)) == b"".join(chunks) + last
    invariants.check(backend)
    assert remaining_keys(backend) == set()


@pytest.mark.parametrize("size", [100, SMALLEST_PART + 100])
@pytest.mark.parametrize("begun", ["sha256", "sha512"])
@pytest.mark.parametrize("closed", ["sha256", "sha512"])
def test_an_upload_begun_in_one_algorithm_closes_in_either(
    backend: Backend, begun: str, closed: str, size: int
) -> None:
    content = os.urandom(size)
    client = Client(backend, algorithm=begun)
    client.append(content)

    client.close(Digest.of(content + b"end", closed), b"end")

    assert pulled(backend, Digest.of(content + b"end", closed)) == content + b"end"
    assert remaining_keys(backend) == set()
    invariants.check(backend)


@pytest.mark.parametrize("chunks", [[], [b"chunk"], [b"x" * SMALLEST_PART]], ids=["whole", "tail", "part"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_wrong_digest_leaves_the_upload_open(backend: Backend, chunks: list[bytes], algorithm: str) -> None:
    client = Client(backend)
    for chunk in chunks:
        client.append(chunk)
    content = b"".join(chunks)

    with pytest.raises(DigestInvalid):
        client.close(Digest.of(b"something else", algorithm), b"end")

    assert client.status() == len(content)
    client.close(Digest.of(content + b"end", algorithm), b"end")
    assert pulled(backend, Digest.of(content + b"end", algorithm)) == content + b"end"
    invariants.check(backend)


@pytest.mark.parametrize("size", [100, SMALLEST_PART])
def test_a_wrong_digest_is_refused_each_time_it_is_sent(backend: Backend, size: int) -> None:
    for algorithm in ("sha256", "sha512"):
        client = Client(backend)
        client.append(b"x" * size)
        for _ in range(2):
            with pytest.raises((DigestInvalid, BlobUploadUnknown)):
                client.close(Digest.of(b"something else", algorithm))
        invariants.check(backend)


@pytest.mark.parametrize("chunks", [[], [b"chunk"], [b"x" * SMALLEST_PART]], ids=["whole", "tail", "part"])
def test_an_upload_closed_twice_with_the_same_digest_succeeds_twice(backend: Backend, chunks: list[bytes]) -> None:
    client = upload(backend, chunks, b"end")
    before = rows_like(backend, "BLOB#") + rows_like(backend, "N#", "SIZE#")

    client.close(Digest.of(b"".join(chunks) + b"end"), b"end")

    assert rows_like(backend, "BLOB#") + rows_like(backend, "N#", "SIZE#") == before
    assert remaining_keys(backend) == set()
    invariants.check(backend)


@pytest.mark.parametrize("chunks", [[], [b"chunk"]], ids=["whole", "tail"])
def test_a_closed_upload_is_unknown_to_any_other_digest_and_to_more_bytes(
    backend: Backend, chunks: list[bytes]
) -> None:
    client = upload(backend, chunks, b"end")

    with pytest.raises(BlobUploadUnknown):
        client.close(Digest.of(b"other"), b"other")
    with pytest.raises(BlobUploadUnknown):
        client.append(b"more")
    with pytest.raises(BlobUploadUnknown):
        client.status()
    with pytest.raises(BlobUploadUnknown):
        client.cancel()
    invariants.check(backend)


def test_an_upload_closed_again_after_its_blob_was_deleted_restores_the_blob(backend: Backend) -> None:
    client = upload(backend, [b"chunk"])
    digest = Digest.of(b"chunk")
    backend.services.registry.blobs.delete(client.actor, NAME, digest)

    client.close(digest)

    assert pulled(backend, digest) == b"chunk"


def test_an_upload_closed_again_makes_a_condemned_blob_live(backend: Backend) -> None:
    client = upload(backend, [b"chunk"])
    row = get(BlobLinkRow, keys.blob_link(repository_of(backend).id, Digest.of(b"chunk")))
    change(row, state="condemned", leased_until=int(backend.clock()))

    client.close(Digest.of(b"chunk"))

    row = get(BlobLinkRow, keys.blob_link(repository_of(backend).id, Digest.of(b"chunk")))
    assert (row.state, row.leased_until > backend.clock()) == ("live", True)


@pytest.mark.parametrize("size", [100, SMALLEST_PART])
def test_an_upload_closed_again_while_its_bytes_are_deleted_does_not_link_them(backend: Backend, size: int) -> None:
    content = b"x" * size
    client = upload(backend, [content])
    set_link_state(repository_of(backend), Digest.of(content), "absent")
    dying = set_blob_state(backend, Digest.of(content), DELETING)

    try:
        client.close(Digest.of(content))
    except NotFound:
        assert rows_like(backend, "R#", "BLOB#") == []
    else:
        assert get(BlobRow, keys.blob(Digest.of(content))).s3_key != dying
        invariants.check(backend)


@pytest.mark.parametrize("size", [100, SMALLEST_PART])
def test_an_upload_closed_again_after_its_bytes_were_deleted_is_unknown(backend: Backend, size: int) -> None:
    content = b"x" * size
    client = upload(backend, [content])
    set_link_state(repository_of(backend), Digest.of(content), "absent")
    set_blob_state(backend, Digest.of(content), "absent")

    with pytest.raises(BlobUploadUnknown):
        client.close(Digest.of(content))


@pytest.mark.parametrize("last", [b"", b"tail"], ids=["parts", "parts and tail"])
def test_an_upload_whose_part_ttl_deleted_becomes_no_blob(backend: Backend, last: bytes) -> None:
    chunks = [os.urandom(SMALLEST_PART) for _ in range(3)]
    client, digest = Client(backend), Digest.of(b"".join(chunks) + last)
    for chunk in chunks:
        client.append(chunk)
    remove(PartRow, keys.part(client.upload_id, 2))

    with pytest.raises(BlobUploadUnknown):
        client.close(digest, last)

    assert rows_like(backend, "BLOB#") == []
    invariants.check(backend)


def test_the_range_of_the_last_chunk_is_checked(backend: Backend) -> None:
    client = Client(backend)
    client.append(b"0123456789")

    with pytest.raises(OutOfOrder):
        client.close(Digest.of(b"0123456789end"), b"end", Chunk(5, 7))
    with pytest.raises(SizeInvalid):
        client.close(Digest.of(b"0123456789end"), b"end", Chunk(10, 20))

    client.close(Digest.of(b"0123456789end"), b"end", Chunk(10, 12))
    assert pulled(backend, Digest.of(b"0123456789end")) == b"0123456789end"


@pytest.mark.parametrize("size", [100, SMALLEST_PART + 1])
def test_an_upload_of_a_blob_that_exists_keeps_the_old_bytes_and_deletes_the_new(backend: Backend, size: int) -> None:
    content = os.urandom(size)
    a_blob(backend, content, "admin/base")
    kept = get(BlobRow, keys.blob(Digest.of(content))).s3_key

    upload(backend, [content])

    assert get(BlobRow, keys.blob(Digest.of(content))).s3_key == kept
    assert remaining_keys(backend) == set()
    assert linked_bytes(backend, repository_of(backend)) == (size, size, size)
    invariants.check(backend)


def test_a_whole_body_of_known_bytes_sent_twice_after_an_empty_chunk_keeps_its_size(backend: Backend) -> None:
    a_blob(backend, b"whole", "admin/base")
    client = Client(backend)
    client.append(b"")

    for _ in range(2):
        client.close(Digest.of(b"whole"), b"whole")

    assert linked_bytes(backend, repository_of(backend)) == (5, 5, 5)
    invariants.check(backend)


@pytest.mark.parametrize("size", [100, SMALLEST_PART])
def test_an_upload_of_known_bytes_closed_twice_by_its_other_algorithm_succeeds_twice(
    backend: Backend, size: int
) -> None:
    content = os.urandom(size)
    digest = Digest.of(content, "sha512")
    a_repository(backend, "admin/base")
    actor = token_actor(backend, "admin", "admin/base")
    backend.services.registry.uploads.push(actor, RepositoryName.parse("admin/base"), digest, content)

    client = upload(backend, [content], algorithm="sha512")
    client.close(digest)

    assert pulled(backend, digest) == content
