from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urljoin, urlsplit

import pytest

from tests.protocol.blobs import MIB, assert_absent, assert_pushed, chunks
from tests.protocol.content import Blob, a_blob
from tests.protocol.registry import OCTETS, Registry, Repository, assert_refused
from tests.protocol.wire import Wire
from tests.support.stack import Stack

# Opening a session


def test_post_opens_a_session_at_the_same_host(stack: Stack, repository: Repository) -> None:
    answer = repository.send("POST", "blobs/uploads/")

    assert answer.status_code == 202
    assert urlsplit(urljoin(stack.url, answer.headers["Location"])).netloc == stack.host
    assert answer.headers["Range"] == "0-0"
    assert answer.headers["Docker-Upload-UUID"]
    assert answer.headers["Content-Length"] == "0"


def test_the_post_has_the_least_length_of_a_chunk(repository: Repository) -> None:
    assert int(repository.start_upload().started.headers["OCI-Chunk-Min-Length"]) > 0


def test_the_token_in_the_location_survives_every_client(repository: Repository) -> None:
    """containerd decodes escapes in the path and docker sorts the query, so the token is in the path, in base64url."""
    parts = urlsplit(repository.start_upload().location)

    assert re.fullmatch(r"[A-Za-z0-9._~/-]+", parts.path)
    assert not parts.query


def test_every_session_has_a_location_of_its_own(repository: Repository) -> None:
    assert len({repository.start_upload().location for _ in range(3)}) == 3


def test_post_works_without_the_last_slash(repository: Repository) -> None:
    assert repository.send("POST", "blobs/uploads").status_code == 202


# Monolithic


@pytest.mark.parametrize("size", [1, 1000, 4 * MIB, 4 * MIB + 1, 11 * MIB], ids=lambda size: f"{size}-bytes")
def test_post_then_put(repository: Repository, size: int) -> None:
    blob = a_blob(size)

    assert_pushed(repository, repository.start_upload().put(blob.digest, blob.content), blob)


@pytest.mark.parametrize("size", [1000, 5 * MIB], ids=lambda size: f"{size}-bytes")
def test_a_single_post_with_the_digest(repository: Repository, size: int) -> None:
    blob = a_blob(size)
    answer = repository.send(
        "POST", "blobs/uploads/", params={"digest": blob.digest}, headers=OCTETS, data=blob.content
    )

    if size > 4 * MIB and answer.status_code == 202:
        # It is too large for one POST: the session that the POST opened takes the blob, as the specification says.
        answer = repository.send(
            "PUT", answer.headers["Location"], params={"digest": blob.digest}, headers=OCTETS, data=blob.content
        )
    assert_pushed(repository, answer, blob)


def test_a_put_with_chunked_framing_is_accepted(repository: Repository) -> None:
    blob = a_blob(3000)

    assert_pushed(repository, repository.start_upload().put(blob.digest, iter([blob.content])), blob)


def test_a_put_without_content_type_is_accepted(stack: Stack, repository: Repository) -> None:
    blob = a_blob(3000)
    headers = [("Host", stack.host), *repository.authorization().items(), ("Content-Length", "3000")]
    with Wire(stack.url) as wire:
        reply = wire.exchange("PUT", repository.start_upload().closing(blob.digest), headers, blob.content)

    assert reply.status == 201
    assert repository.get_blob(blob.digest).content == blob.content


@pytest.mark.parametrize("size", [1000, 5 * MIB], ids=lambda size: f"{size}-bytes")
def test_a_put_that_does_not_match_its_digest_is_refused(repository: Repository, size: int) -> None:
    blob, other = a_blob(size), a_blob(size)

    assert_refused(repository.start_upload().put(blob.digest, other.content), 400, "DIGEST_INVALID")
    assert_absent(repository, blob)
    assert_absent(repository, other)


def test_a_single_post_that_does_not_match_its_digest_is_refused(repository: Repository) -> None:
    blob = a_blob()
    answer = repository.send("POST", "blobs/uploads/", params={"digest": blob.digest}, headers=OCTETS, data=b"other")

    assert_refused(answer, 400, "DIGEST_INVALID")
    assert_absent(repository, blob)


def test_the_empty_blob_is_pushed_every_way(repository: Repository, another_repository: Repository) -> None:
    empty = Blob(b"")
    assert_pushed(repository, repository.start_upload().put(empty.digest), empty)

    upload = another_repository.start_upload()
    upload.patch(b"")
    assert_pushed(another_repository, upload.put(empty.digest), empty)


def test_the_same_blob_pushed_again_is_accepted(repository: Repository) -> None:
    blob = a_blob()
    repository.push_blob(blob)

    assert_pushed(repository, repository.push_blob(blob), blob)


def test_a_closing_put_that_is_sent_twice_has_the_same_answer(repository: Repository) -> None:
    """A client repeats the request if it lost the answer."""
    blob = a_blob()
    upload = repository.start_upload()
    assert upload.put(blob.digest, blob.content).status_code == 201

    assert upload.put(blob.digest, blob.content).status_code in (201, 404)
    assert repository.get_blob(blob.digest).content == blob.content


# Digests


@pytest.mark.parametrize("size", [1000, 5 * MIB], ids=lambda size: f"{size}-bytes")
@pytest.mark.parametrize("way", ["put", "stream", "chunks", "post"])
def test_sha512_on_every_way(repository: Repository, way: str, size: int) -> None:
    blob = a_blob(size, algorithm="sha512")
    if way == "post":
        answer = repository.send(
            "POST", "blobs/uploads/", params={"digest": blob.digest}, headers=OCTETS, data=blob.content[: 4 * MIB]
        )
        if size > 4 * MIB:
            assert_refused(answer, 400, "DIGEST_INVALID")
            return
    elif way == "put":
        answer = repository.start_upload(**{"digest-algorithm": "sha512"}).put(blob.digest, blob.content)
    else:
        upload = repository.start_upload(**{"digest-algorithm": "sha512"})
        for at, part in chunks(blob, 4 * MIB if way == "chunks" else size):
            assert upload.patch(part, at if way == "chunks" else None).status_code == 202
        answer = upload.put(blob.digest)

    assert_pushed(repository, answer, blob)


def test_a_put_with_sha512_needs_no_announcement_in_the_post(repository: Repository) -> None:
    """`digest-algorithm` is a SHOULD for clients."""
    blob = a_blob(algorithm="sha512")

    assert_pushed(repository, repository.start_upload().put(blob.digest, blob.content), blob)


def test_a_sha512_stream_that_was_not_announced_is_verified_or_refused(repository: Repository) -> None:
    blob = a_blob(algorithm="sha512")
    upload = repository.start_upload()
    upload.patch(blob.content)
    answer = upload.put(blob.digest)

    if answer.status_code == 201:
        assert repository.get_blob(blob.digest).content == blob.content
    else:
        assert_refused(answer, 400, "DIGEST_INVALID", "UNSUPPORTED")
        assert_absent(repository, blob)


def test_a_wrong_sha512_is_refused(repository: Repository) -> None:
    blob = a_blob(algorithm="sha512")

    upload = repository.start_upload(**{"digest-algorithm": "sha512"})
    assert_refused(upload.put(blob.digest, b"other"), 400, "DIGEST_INVALID")


def test_an_unknown_announced_algorithm_is_refused(repository: Repository) -> None:
    answer = repository.send("POST", "blobs/uploads/", params={"digest-algorithm": "md5"})

    assert_refused(answer, 400, "DIGEST_INVALID", "UNSUPPORTED")


# The codes for a malformed digest.
MALFORMED = ("DIGEST_INVALID", "UNSUPPORTED", "BLOB_UPLOAD_INVALID")


@pytest.mark.parametrize("digest", ["md5:" + "a" * 32, "sha256:short", "sha256:" + "A" * 64, "nonsense", ""])
def test_an_invalid_closing_digest_is_refused(repository: Repository, digest: str) -> None:
    assert_refused(repository.start_upload().put(digest, b"content"), 400, *MALFORMED)


def test_a_closing_put_without_a_digest_is_refused(repository: Repository) -> None:
    upload = repository.start_upload()

    assert_refused(repository.send("PUT", upload.location, data=b"content"), 400, *MALFORMED)


# Mounts


def test_a_mount_gives_the_blob_without_an_upload(repository: Repository, another_repository: Repository) -> None:
    blob = a_blob()
    repository.push_blob(blob)

    assert_pushed(another_repository, another_repository.mount(blob.digest, repository.name), blob)


def test_an_anonymous_mount_finds_the_blob_where_the_pusher_may_read_it(
    repository: Repository, another_repository: Repository
) -> None:
    """`from` is optional in the specification and finding the blob is a MAY, so 202 is right too."""
    blob = a_blob()
    repository.push_blob(blob)
    answer = another_repository.mount(blob.digest)

    if answer.status_code == 201:
        assert_pushed(another_repository, answer, blob)
    else:
        assert answer.status_code == 202
        closed = another_repository.send(
            "PUT", answer.headers["Location"], params={"digest": blob.digest}, headers=OCTETS, data=blob.content
        )
        assert_pushed(another_repository, closed, blob)


def test_a_mount_of_a_blob_that_the_repository_has(repository: Repository) -> None:
    blob = a_blob()
    repository.push_blob(blob)

    assert repository.mount(blob.digest).status_code == 201
    assert repository.mount(blob.digest, repository.name).status_code == 201


@pytest.mark.parametrize("source", ["absent", "Not A Name", ""], ids=["absent", "no-name", "empty"])
def test_an_impossible_mount_falls_back_to_an_upload(registry: Registry, repository: Repository, source: str) -> None:
    blob = a_blob()
    name = f"{registry.user}/{source}" if source == "absent" else source
    answer = repository.send("POST", "blobs/uploads/", params={"mount": blob.digest, "from": name})

    assert answer.status_code == 202
    closed = repository.send(
        "PUT", answer.headers["Location"], params={"digest": blob.digest}, headers=OCTETS, data=blob.content
    )
    assert_pushed(repository, closed, blob)


def test_a_mount_of_an_invalid_digest_is_refused_or_falls_back(repository: Repository) -> None:
    answer = repository.mount("sha256:short", repository.name)

    assert answer.status_code == 202 or assert_refused(answer, 400, "DIGEST_INVALID")


def test_ten_clients_push_ten_blobs_concurrently(repository: Repository) -> None:
    blobs = [a_blob(20_000) for _ in range(10)]
    repository.authorization()
    with ThreadPoolExecutor(10) as clients:
        answers = list(clients.map(repository.push_blob, blobs))

    for answer, blob in zip(answers, blobs, strict=True):
        assert_pushed(repository, answer, blob)
