"""Keys of the bucket: each kind of bytes has its own place."""

from chalicelib.domain.digests import Digest
from chalicelib.domain.ids import ulid
from chalicelib.storage import bucket_keys

FIRST = Digest.of(b"first")


def test_the_bytes_of_a_repository_lie_where_no_other_kind_of_bytes_lies() -> None:
    repository, attempt = ulid(), ulid()
    edge = bucket_keys.edge_prefix(repository, FIRST)

    assert edge.startswith(f"in/{repository}/")
    assert edge.endswith(f"{FIRST}/")
    assert not bucket_keys.incoming(repository, attempt).startswith(edge)
    assert bucket_keys.incoming(repository, attempt) != bucket_keys.manifest_body(repository, attempt)


def test_what_the_edge_wrote_tells_its_digest_and_no_other_key_does() -> None:
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


def test_a_staged_key_goes_to_where_its_digest_is_looked_for() -> None:
    assert (
        bucket_keys.out_of_staging(bucket_keys.staging_prefix("R", FIRST) + "U")
        == bucket_keys.edge_prefix("R", FIRST) + "U"
    )
