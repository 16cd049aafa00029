"""Keys of the bucket: each kind of bytes has its own prefix."""

from chalicelib.domain.digests import Digest
from chalicelib.domain.ids import ulid
from chalicelib.storage import bucket_keys

FIRST = Digest.of(b"first")


def test_each_kind_of_bytes_has_its_own_keys() -> None:
    repository, attempt = ulid(), ulid()
    edge = bucket_keys.edge_prefix(repository, FIRST)

    assert edge.startswith(f"in/{repository}/")
    assert edge.endswith(f"{FIRST}/")
    assert not bucket_keys.incoming(repository, attempt).startswith(edge)
    assert bucket_keys.incoming(repository, attempt) != bucket_keys.manifest_body(repository, attempt)


def test_only_a_key_of_the_upload_edge_has_a_digest() -> None:
    key = bucket_keys.edge_prefix("R", FIRST) + "U"

    assert bucket_keys.edge_digest(key) == FIRST
    for other in (
        bucket_keys.incoming("R", "U"),
        bucket_keys.manifest_body("R", "U"),
        f"in/R/{FIRST}/U/x",
        "in/R/sha256:ab/U",
        f"{key}/",
    ):
        assert bucket_keys.edge_digest(other) is None


def test_a_staged_key_is_copied_to_the_prefix_of_its_digest() -> None:
    assert (
        bucket_keys.out_of_staging(bucket_keys.staging_prefix("R", FIRST) + "U")
        == bucket_keys.edge_prefix("R", FIRST) + "U"
    )
