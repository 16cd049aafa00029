"""Keys of the bucket: each kind of bytes has its own prefix."""

import re

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.ids import ulid
from chalicelib.services.security.sealing import hashed
from chalicelib.storage import bucket_keys

FIRST = Digest.of(b"first")
# What S3 calls safe without the characters that URLs reserve.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
SAFE = re.compile(r"[0-9A-Za-z/_.-]+")


def test_each_kind_of_bytes_has_its_own_keys() -> None:
    repository, attempt = ulid(), ulid()
    edge = bucket_keys.edge_prefix(repository, FIRST)

    assert edge.startswith(f"in/{repository}/")
    assert edge.endswith(f"/sha256/{FIRST.hex}/")
    assert not bucket_keys.incoming(repository, attempt).startswith(edge)
    assert bucket_keys.incoming(repository, attempt) != bucket_keys.manifest_body(repository, attempt)


def test_only_a_key_of_the_upload_edge_has_a_digest() -> None:
    key = bucket_keys.edge_prefix("R", FIRST) + "U"

    assert bucket_keys.edge_digest(key) == FIRST
    for other in (
        bucket_keys.incoming("R", "U"),
        bucket_keys.manifest_body("R", "U"),
        f"in/R/sha256/{FIRST.hex}/U/x",
        f"in/R/sha256/{FIRST.hex}",
        f"in/R/{FIRST}/U",
        "in/R/sha256/ab/U",
        f"{key}/",
    ):
        assert bucket_keys.edge_digest(other) is None


def test_a_staged_key_is_copied_to_the_prefix_of_its_digest() -> None:
    assert (
        bucket_keys.out_of_staging(bucket_keys.staging_prefix("R", FIRST) + "U")
        == bucket_keys.edge_prefix("R", FIRST) + "U"
    )


@pytest.mark.parametrize("digest", [FIRST, Digest.of(b"first", "sha512")], ids=["sha256", "sha512"])
def test_no_key_has_a_character_that_a_signature_may_escape_in_two_ways(digest: Digest) -> None:
    for key in (
        bucket_keys.incoming(ulid(), ulid()),
        bucket_keys.edge_prefix(ulid(), digest) + ulid(),
        bucket_keys.staging_prefix(ulid(), digest) + ulid(),
        bucket_keys.out_of_staging(bucket_keys.staging_prefix(ulid(), digest) + ulid()),
        bucket_keys.manifest_body(ulid(), ulid()),
        bucket_keys.export(hashed("secret")),
        bucket_keys.NOWHERE,
    ):
        assert SAFE.fullmatch(key)
