"""Uploads in one request or in chunks."""

import os

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import (
    BlobUnknown,
    BlobUploadUnknown,
    Denied,
    DigestInvalid,
    OutOfOrder,
    SizeInvalid,
    Unauthenticated,
)
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Role
from chalicelib.domain.uploads import LARGEST_BODY, MANY, MEBIBYTE, ONE, SMALLEST_PART, Chunk, UploadBody, UploadToken
from chalicelib.storage import keys
from chalicelib.storage.registry.blobs import BlobLinkRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import Backend, secrets_of
from tests.support.builders import a_blob, a_repository, an_actor_with_role, token_actor
from tests.support.rows import object_keys, repository_of, rows_like
from tests.support.uploading import APP, Client, pulled, remaining_keys, upload

NAME = RepositoryName.parse(APP)


def test_a_blob_pushed_in_one_request_can_be_pulled(backend: Backend) -> None:
    content = os.urandom(1000)

    digest = a_blob(backend, content)

    assert pulled(backend, digest) == content
    invariants.check(backend)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_blob_whose_bytes_have_another_digest_is_refused_and_leaves_nothing(backend: Backend, algorithm: str) -> None:
    a_repository(backend)
    actor, before = token_actor(backend, "admin", APP), rows_like(backend)

    with pytest.raises(DigestInvalid):
        backend.services.registry.uploads.push(actor, NAME, Digest.of(b"other", algorithm), b"content")

    assert rows_like(backend) == before
    assert remaining_keys(backend) == set()


def test_a_blob_by_sha512_is_another_blob_than_by_sha256(backend: Backend) -> None:
    content = os.urandom(1000)
    a_repository(backend)
    digest = Digest.of(content, "sha512")
    backend.services.registry.uploads.push(token_actor(backend, "admin", APP), NAME, digest, content)

    assert pulled(backend, digest) == content
    with pytest.raises(BlobUnknown):
        pulled(backend, Digest.of(content))
    invariants.check(backend)


def test_beginning_an_upload_writes_no_row_and_returns_a_token(backend: Backend) -> None:
    client = Client(backend)

    token = UploadToken.verify(client.token, [bytes.fromhex(secrets_of(backend)["upload"][0])], backend.clock())

    assert (token.upload_id, token.kind, client.row) == (client.upload_id, ONE, None)
    assert token.repository_id == repository_of(backend).id
    assert token.expires_at == pytest.approx(backend.clock() + backend.settings.upload_s, abs=3)
    assert client.status() == 0


@pytest.mark.parametrize(
    "sizes",
    [
        [LARGEST_BODY] * 4 + [MEBIBYTE],
        [6 * MEBIBYTE, 1, 6 * MEBIBYTE],
        [SMALLEST_PART, SMALLEST_PART],
        [SMALLEST_PART - 1, 1, 5],
        [1, SMALLEST_PART, 1],
    ],
)
def test_chunks_are_joined_into_parts_of_at_least_5_mebibytes(backend: Backend, sizes: list[int]) -> None:
    chunks = [os.urandom(16) * (size // 16) + b"x" * (size % 16) for size in sizes]

    client = upload(backend, chunks)

    assert client.part_sizes
    assert min(client.part_sizes) >= SMALLEST_PART
    assert pulled(backend, Digest.of(b"".join(chunks))) == b"".join(chunks)
    assert remaining_keys(backend) == set()
    invariants.check(backend)


def test_many_small_chunks_need_no_multipart_upload(backend: Backend) -> None:
    chunks = [os.urandom(100) for _ in range(5)]
    backend.calls.take()

    client = upload(backend, chunks, b"the end")

    assert "CreateMultipartUpload" not in backend.calls.take()
    assert client.part_sizes == []
    assert pulled(backend, Digest.of(b"".join(chunks) + b"the end")) == b"".join(chunks) + b"the end"
    assert remaining_keys(backend) == set()


def test_the_tail_of_an_upload_is_one_object_that_each_chunk_replaces(backend: Backend) -> None:
    client = Client(backend)
    for number in range(3):
        client.append(b"%d" % number * 10)

        assert len(object_keys(backend, f"in/{repository_of(backend).id}/")) == 1
        assert (client.row.tail_size, client.row.offset) == (10 * (number + 1), 10 * (number + 1))


def test_a_chunk_must_begin_where_the_upload_ends(backend: Backend) -> None:
    client = Client(backend)
    assert client.append(b"0123456789", 0) == 10

    for first in (0, 5, 9, 11, 100):
        with pytest.raises(OutOfOrder) as refused:
            client.append(b"more", first)
        assert refused.value.offset == 10

    assert client.status() == 10
    assert client.append(b"more", 10) == 14


def test_bytes_that_are_sent_again_to_a_superseded_location_are_not_appended(backend: Backend) -> None:
    client = Client(backend)
    first = client.token
    client.append(b"0123")
    second = client.token
    for content in (b"0123", b"other"):
        client.token = first
        with pytest.raises(OutOfOrder) as raised:
            client.append(content)
        assert raised.value.offset == 4
    client.token = second
    assert client.append(b"4567") == 8

    client.token = second
    with pytest.raises(OutOfOrder):
        client.append(b"4567")
    with pytest.raises(OutOfOrder):
        client.close(Digest.of(b"012345674567"), b"4567")
    assert client.status() == 8
    client.close(Digest.of(b"01234567"))
    assert pulled(backend, Digest.of(b"01234567")) == b"01234567"


def test_a_superseded_location_takes_what_a_range_puts_in_its_place_and_closes(backend: Backend) -> None:
    client = Client(backend)
    first = client.token
    client.append(b"0123")
    client.token = first
    assert client.append(b"4567", first=4) == 8

    client.token = first
    client.close(Digest.of(b"01234567"))
    assert pulled(backend, Digest.of(b"01234567")) == b"01234567"


def test_the_first_chunk_must_begin_at_0(backend: Backend) -> None:
    client = Client(backend)

    with pytest.raises(OutOfOrder) as refused:
        client.append(b"later", 5)

    assert (refused.value.offset, client.row) == (0, None)


def test_a_range_of_another_length_than_its_bytes_is_refused(backend: Backend) -> None:
    client = Client(backend)

    with pytest.raises(SizeInvalid):
        backend.services.registry.uploads.append(client.actor, NAME, client.token, UploadBody(b"four", Chunk(0, 9)))

    assert client.status() == 0


def test_an_empty_chunk_changes_nothing(backend: Backend) -> None:
    client = Client(backend)

    assert client.append(b"") == 0
    assert client.row is None
    client.append(b"some")
    assert client.append(b"") == 4


@pytest.mark.parametrize("size", [0, 100, SMALLEST_PART])
def test_a_cancelled_upload_is_over_and_its_bytes_are_deleted(backend: Backend, size: int) -> None:
    client = Client(backend)
    client.append(b"x" * size)

    client.cancel()

    assert remaining_keys(backend) == set()
    for again in (client.status, client.cancel, lambda: client.append(b"more")):
        with pytest.raises(BlobUploadUnknown):
            again()
    with pytest.raises(BlobUploadUnknown):
        client.close(Digest.of(b"x" * size))
    with pytest.raises(BlobUploadUnknown):
        client.close(Digest.of(b"whole"), b"whole")
    assert rows_like(backend, "R#", "BLOB#") == []


@pytest.mark.parametrize("is_early", [False, True], ids=["with its id", "from before its first push"])
def test_the_upload_of_another_repository_is_unknown(backend: Backend, is_early: bool) -> None:
    elsewhere = Client(backend, "admin/other")
    elsewhere.append(b"chunk")
    if not is_early:
        a_repository(backend)
    actor = token_actor(backend, "admin", APP)
    uploads, token = backend.services.registry.uploads, elsewhere.token

    for attempt in (
        lambda: uploads.status(actor, NAME, token),
        lambda: uploads.append(actor, NAME, token, UploadBody(b"more")),
        lambda: uploads.close(actor, NAME, token, Digest.of(b"chunk"), UploadBody()),
        lambda: uploads.cancel(actor, NAME, token),
    ):
        with pytest.raises(BlobUploadUnknown):
            attempt()

    assert elsewhere.status() == 5


@pytest.mark.parametrize("way", ["nonsense", "forged", "changed", "expired", "of another backend"])
def test_a_forged_or_expired_token_is_unknown(backend: Backend, way: str) -> None:
    client = Client(backend)
    fields, _, signature = client.token.rpartition(".")
    token = {
        "nonsense": "nonsense",
        "forged": f"{fields}.{'A' * len(signature)}",
        "changed": f"{fields.replace('.one', '.many')}.{signature}",
        "expired": client.token,
        "of another backend": UploadToken(ulid(), repository_of(backend).id, 2**40).signed(b"another key"),
    }[way]
    if way == "expired":
        backend.clock.ahead_s = backend.settings.upload_s + 1

    with pytest.raises(BlobUploadUnknown):
        backend.services.registry.uploads.status(token_actor(backend, "admin", APP), NAME, token)


def test_a_chunk_returns_a_token_with_a_whole_life_that_takes_only_chunks(backend: Backend) -> None:
    client = Client(backend)
    first = client.token
    backend.clock.ahead_s = backend.settings.upload_s * 0.9

    client.append(b"chunk")

    token = UploadToken.verify(client.token, [bytes.fromhex(secrets_of(backend)["upload"][0])], backend.clock())
    assert client.token != first
    assert (token.kind, token.expires_at) == (MANY, int(backend.clock()) + backend.settings.upload_s)


def test_an_upload_is_kept_while_its_newest_token_is_valid(backend: Backend) -> None:
    client = Client(backend)
    for _ in range(4):
        backend.clock.ahead_s += backend.settings.upload_s * 0.9
        client.append(b"chunk")

    token = UploadToken.verify(client.token, [bytes.fromhex(secrets_of(backend)["upload"][0])], backend.clock())
    assert client.row.expires_at >= token.expires_at


def test_a_reader_may_neither_begin_nor_continue_an_upload(backend: Backend) -> None:
    client = Client(backend)
    client.append(b"chunk")
    backend.user("bob")
    reader = an_actor_with_role(backend, "bob", Role.READ)

    for attempt in (
        lambda: backend.services.registry.uploads.begin(reader, NAME),
        lambda: backend.services.registry.uploads.status(reader, NAME, client.token),
        lambda: backend.services.registry.uploads.append(reader, NAME, client.token, UploadBody(b"more")),
        lambda: backend.services.registry.uploads.close(reader, NAME, client.token, Digest.of(b"chunk"), UploadBody()),
        lambda: backend.services.registry.uploads.cancel(reader, NAME, client.token),
    ):
        with pytest.raises((Denied, Unauthenticated)):
            attempt()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"config": {"Labels": {"quay.expires-after": "1w"}}}', (1, "1w")),
        (b'{"config": {"Labels": {}}}', (1, None)),
        (b"quay.expires-after but no config", (1, None)),
        (b'{"quay.expires-after": ' + b"9" * 5000 + b"}", (1, None)),
        (b'{"quay.expires-after": ' + b"[" * 100_000, (1, None)),
        (b'["quay.expires-after"]', (1, None)),
    ],
    ids=["label", "none", "text", "long number", "deep", "list"],
)
@pytest.mark.parametrize("way", ["whole", "chunks"])
def test_the_expiry_label_of_a_config_is_stored_with_its_push(
    backend: Backend, content: bytes, expected: tuple[int, str | None], way: str
) -> None:
    if way == "whole":
        a_blob(backend, content)
    else:
        upload(backend, [content[:20]], content[20:])

    row = get(BlobLinkRow, keys.blob_link(repository_of(backend).id, Digest.of(content)))
    assert (row.sniffed, row.expires_after) == expected
