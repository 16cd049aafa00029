from __future__ import annotations

from typing import Any

import pytest

from tests.protocol import content
from tests.protocol.content import (
    EMPTY,
    Blob,
    Manifest,
    a_blob,
    a_config,
    a_manifest,
    an_artifact,
    an_image,
    an_index,
    digest_of,
)
from tests.protocol.registry import Repository, assert_refused, next_page


@pytest.fixture
def subject(repository: Repository) -> Any:
    image = an_image()
    repository.push_image(image, "latest")
    return image.manifest


def listed(repository: Repository, digest: str, **query: Any) -> Any:
    """Returns the descriptors of all pages, by digest."""
    answer = repository.referrers(digest, **query)
    found: dict[str, Any] = {}
    while True:
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == content.OCI_INDEX
        index = answer.json()
        assert (index["schemaVersion"], index["mediaType"]) == (2, content.OCI_INDEX)
        found |= {descriptor["digest"]: descriptor for descriptor in index["manifests"]}
        address = next_page(answer)
        if not address:
            return found
        answer = repository.send("GET", address)


def test_a_push_with_a_subject_is_answered_by_oci_subject(repository: Repository, subject: Blob) -> None:
    artifact = an_artifact(subject)

    assert repository.push_image(artifact).headers["OCI-Subject"] == subject.digest
    assert repository.push_manifest(artifact.manifest, "by-tag").headers["OCI-Subject"] == subject.digest


def test_a_push_without_a_subject_has_no_oci_subject(repository: Repository) -> None:
    assert "OCI-Subject" not in repository.push_image(an_image()).headers


def test_a_referrer_is_listed_at_once_with_type_size_and_annotations(repository: Repository, subject: Blob) -> None:
    notes = {"org.opencontainers.image.created": "2026-01-01T00:00:00Z", "org.example.format": "json"}
    artifact = an_artifact(subject, annotations=notes)
    repository.push_image(artifact)
    manifest = artifact.manifest

    assert listed(repository, subject.digest) == {
        manifest.digest: {**manifest.descriptor(), "artifactType": content.SBOM, "annotations": notes}
    }


def test_a_new_manifest_has_no_referrers(repository: Repository, subject: Blob) -> None:
    answer = repository.referrers(subject.digest)

    assert answer.status_code == 200
    assert answer.json()["manifests"] == []
    assert "OCI-Filters-Applied" not in answer.headers


def test_an_unknown_subject_has_an_empty_list_and_never_404(repository: Repository, subject: Blob) -> None:
    assert listed(repository, a_blob().digest) == {}


def test_an_unknown_repository_has_an_empty_list_and_never_404(repository: Repository) -> None:
    """By the specification a registry with this API never answers a referrers request with 404."""
    assert listed(repository, a_blob().digest) == {}


def test_a_subject_may_come_after_its_referrers(repository: Repository) -> None:
    image = an_image()
    artifact = an_artifact(image.manifest)
    pushed = repository.push_image(artifact)
    assert pushed.headers["OCI-Subject"] == image.manifest.digest
    assert list(listed(repository, image.manifest.digest)) == [artifact.manifest.digest]

    repository.push_image(image)
    assert list(listed(repository, image.manifest.digest)) == [artifact.manifest.digest]


def test_a_manifest_without_artifact_type_takes_that_of_its_config(repository: Repository, subject: Blob) -> None:
    config = a_config("application/vnd.example.config.v1+json")
    image = content.Image(a_manifest(config, [], subject=subject.descriptor()), config)
    repository.push_image(image)

    assert listed(repository, subject.digest)[image.manifest.digest]["artifactType"] == config.media_type


def test_an_empty_artifact_type_counts_as_none(repository: Repository, subject: Blob) -> None:
    config = a_config("application/vnd.example.config.v1+json")
    image = content.Image(a_manifest(config, [], subject=subject.descriptor(), artifactType=""), config)
    repository.push_image(image)

    assert listed(repository, subject.digest)[image.manifest.digest]["artifactType"] == config.media_type


def test_an_index_is_listed_with_its_own_artifact_type_or_without_one(repository: Repository, subject: Blob) -> None:
    typed = an_index(subject=subject.descriptor(), artifactType=content.SBOM)
    plain = an_index(subject=subject.descriptor())
    assert repository.push_manifest(typed).headers["OCI-Subject"] == subject.digest
    repository.push_manifest(plain)
    found = listed(repository, subject.digest)

    assert found[typed.digest]["artifactType"] == content.SBOM
    assert "artifactType" not in found[plain.digest]
    assert found[plain.digest]["mediaType"] == content.OCI_INDEX


def test_the_filter_returns_one_type_and_is_named_in_the_answer(repository: Repository, subject: Blob) -> None:
    sbom, signature = an_artifact(subject), an_artifact(subject, content.SIGNATURE)
    for artifact in (sbom, signature):
        repository.push_image(artifact)
    answer = repository.referrers(subject.digest, artifactType=content.SIGNATURE)

    assert answer.headers["OCI-Filters-Applied"] == "artifactType"
    assert [found["digest"] for found in answer.json()["manifests"]] == [signature.manifest.digest]
    assert set(listed(repository, subject.digest)) == {sbom.manifest.digest, signature.manifest.digest}


def test_the_filter_matches_the_type_taken_from_the_config(repository: Repository, subject: Blob) -> None:
    config = a_config("application/vnd.example.config.v1+json")
    image = content.Image(a_manifest(config, [], subject=subject.descriptor()), config)
    repository.push_image(image)

    assert list(listed(repository, subject.digest, artifactType=config.media_type)) == [image.manifest.digest]


def test_a_filter_without_a_match_returns_an_empty_list(repository: Repository, subject: Blob) -> None:
    repository.push_image(an_artifact(subject))
    answer = repository.referrers(subject.digest, artifactType="application/vnd.example.nothing")

    assert (answer.status_code, answer.json()["manifests"]) == (200, [])
    assert answer.headers["OCI-Filters-Applied"] == "artifactType"


def test_many_referrers_come_in_pages_that_link_to_each_other(repository: Repository, subject: Blob) -> None:
    """The annotations are so long that one answer of 4 MiB cannot hold the list."""
    repository.push_blob(EMPTY)
    notes = {"org.example.long": "x" * 120_000}
    pushed = []
    for number in range(45):
        kind = content.SIGNATURE if number % 3 else content.SBOM
        manifest = a_manifest(
            EMPTY, [], subject=subject.descriptor(), artifactType=kind, annotations=notes | {"number": str(number)}
        )
        repository.push_manifest(manifest)
        pushed.append(manifest.digest)
    first = repository.referrers(subject.digest)

    assert 'rel="next"' in first.headers["Link"]
    assert len(first.content) <= 4 * 2**20
    assert set(listed(repository, subject.digest)) == set(pushed)
    assert set(listed(repository, subject.digest, artifactType=content.SBOM)) == set(pushed[::3])


def test_referrers_stay_in_their_repository(
    repository: Repository, another_repository: Repository, subject: Blob
) -> None:
    repository.push_image(an_artifact(subject))
    another_repository.push_image(an_image())

    assert listed(another_repository, subject.digest) == {}


def test_a_referrer_of_a_referrer(repository: Repository, subject: Blob) -> None:
    sbom = an_artifact(subject)
    repository.push_image(sbom)
    signature = an_artifact(sbom.manifest, content.SIGNATURE)
    repository.push_image(signature)

    assert list(listed(repository, subject.digest)) == [sbom.manifest.digest]
    assert list(listed(repository, sbom.manifest.digest)) == [signature.manifest.digest]


def test_a_subject_under_sha512(repository: Repository) -> None:
    image = an_image()
    repository.push_image(image)
    subject = Manifest(image.manifest.content, content.OCI_MANIFEST, "sha512")
    repository.push_manifest(subject)
    artifact = an_artifact(subject)

    assert repository.push_image(artifact).headers["OCI-Subject"] == subject.digest
    assert list(listed(repository, subject.digest)) == [artifact.manifest.digest]


def test_a_referrers_tag_of_the_old_schema_is_a_tag_like_any_other(repository: Repository, subject: Blob) -> None:
    """Clients of older registries keep their list under this tag; it must neither vanish nor duplicate an entry."""
    artifact = an_artifact(subject)
    repository.push_image(artifact)
    fallback = an_index(artifact.manifest)
    tag = subject.digest.replace(":", "-")
    repository.push_manifest(fallback, tag)

    assert repository.get_manifest(tag).content == fallback.content
    assert list(listed(repository, subject.digest)) == [artifact.manifest.digest]


@pytest.mark.parametrize("digest", ["sha256:short", "latest", "md5:" + "a" * 32, "sha256:" + "G" * 64])
def test_an_invalid_digest_is_refused(repository: Repository, subject: Blob, digest: str) -> None:
    assert_refused(repository.referrers(digest), 400, "DIGEST_INVALID", "UNSUPPORTED")


def test_the_digest_of_a_blob_has_no_referrers(repository: Repository, subject: Blob) -> None:
    assert listed(repository, digest_of(b"anything")) == {}
