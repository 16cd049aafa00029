from __future__ import annotations

from tests.protocol.content import a_blob, an_artifact, an_image, an_index
from tests.protocol.registry import Repository, assert_refused


def test_a_deleted_tag_is_gone_at_once_and_its_manifest_stays(repository: Repository) -> None:
    image = an_image()
    repository.push_image(image, "one")
    repository.push_manifest(image.manifest, "two")

    assert repository.delete("manifests/one").status_code == 202
    assert repository.head_manifest("one").status_code == 404
    assert_refused(repository.get_manifest("one"), 404, "MANIFEST_UNKNOWN")
    assert repository.tags().json()["tags"] == ["two"]
    assert repository.get_manifest("two").content == image.manifest.content
    assert repository.get_manifest(image.manifest.digest).content == image.manifest.content


def test_deleting_the_only_tag_keeps_the_manifest_by_digest(repository: Repository) -> None:
    image = an_image()
    repository.push_image(image, "one")

    assert repository.delete("manifests/one").status_code == 202
    assert repository.get_manifest(image.manifest.digest).status_code == 200


def test_deleting_a_manifest_by_digest_deletes_all_its_tags(repository: Repository) -> None:
    image, other = an_image(), an_image()
    repository.push_image(image, "one")
    repository.push_manifest(image.manifest, "two")
    repository.push_image(other, "three")

    assert repository.delete(f"manifests/{image.manifest.digest}").status_code == 202
    for reference in (image.manifest.digest, "one", "two"):
        assert repository.head_manifest(reference).status_code == 404
        assert_refused(repository.get_manifest(reference), 404, "MANIFEST_UNKNOWN")
    assert repository.tags().json()["tags"] == ["three"]


def test_a_manifest_that_is_pushed_again_after_its_delete_is_back(repository: Repository) -> None:
    image = an_image()
    repository.push_image(image, "one")
    repository.delete(f"manifests/{image.manifest.digest}")
    repository.push_image(image, "one")

    assert repository.get_manifest("one").content == image.manifest.content
    assert repository.get_blob(image.layers[0].digest).content == image.layers[0].content


def test_an_index_and_its_children_are_deleted_separately(repository: Repository) -> None:
    """The order is that of the conformance suite: the parent first, then its children."""
    children = [an_image(), an_image()]
    for child in children:
        repository.push_image(child)
    index = an_index(*(child.manifest for child in children))
    repository.push_manifest(index, "all")

    assert repository.delete(f"manifests/{index.digest}").status_code == 202
    assert repository.get_manifest(children[0].manifest.digest).status_code == 200
    for child in children:
        assert repository.delete(f"manifests/{child.manifest.digest}").status_code == 202
        assert repository.head_manifest(child.manifest.digest).status_code == 404


def test_the_child_of_an_index_with_a_tag_is_not_deleted(repository: Repository) -> None:
    child = an_image()
    repository.push_image(child, "amd64")
    index = an_index(child.manifest)
    repository.push_manifest(index, "all")

    answer = repository.delete(f"manifests/{child.manifest.digest}")

    assert answer.status_code == 405
    assert index.digest in answer.json()["errors"][0]["message"]
    assert repository.get_manifest("amd64").content == child.manifest.content
    assert repository.delete("manifests/all").status_code == 202
    assert repository.delete(f"manifests/{child.manifest.digest}").status_code == 202


def test_a_deleted_referrer_leaves_the_list_at_once(repository: Repository) -> None:
    image = an_image()
    repository.push_image(image)
    artifact = an_artifact(image.manifest)
    repository.push_image(artifact)

    assert repository.delete(f"manifests/{artifact.manifest.digest}").status_code == 202
    assert repository.referrers(image.manifest.digest).json()["manifests"] == []


def test_a_deleted_blob_is_gone_at_once(repository: Repository) -> None:
    blob = a_blob()
    repository.push_blob(blob)

    assert repository.delete(f"blobs/{blob.digest}").status_code == 202
    assert repository.head_blob(blob.digest).status_code == 404
    assert_refused(repository.get_blob(blob.digest), 404, "BLOB_UNKNOWN")


def test_the_blobs_of_a_deleted_image_can_be_deleted(repository: Repository) -> None:
    image = an_image()
    repository.push_image(image, "one")
    repository.delete(f"manifests/{image.manifest.digest}")

    for blob in image.blobs:
        assert repository.delete(f"blobs/{blob.digest}").status_code == 202
        assert repository.head_blob(blob.digest).status_code == 404


def test_no_delete_removes_a_blob_of_a_manifest_that_can_be_pulled(repository: Repository) -> None:
    """Deleting may be refused (400 or 405 by the specification); an image that can be pulled is complete."""
    image = an_image()
    repository.push_image(image, "one")
    answer = repository.delete(f"blobs/{image.layers[0].digest}")

    assert answer.status_code in (202, 400, 405)
    if repository.head_manifest("one").status_code == 200:
        assert repository.get_blob(image.layers[0].digest).content == image.layers[0].content


def test_a_blob_deleted_here_stays_in_the_other_repository(
    repository: Repository, another_repository: Repository
) -> None:
    blob = a_blob()
    repository.push_blob(blob)
    assert another_repository.mount(blob.digest, repository.name).status_code == 201

    assert repository.delete(f"blobs/{blob.digest}").status_code == 202
    assert repository.head_blob(blob.digest).status_code == 404
    assert another_repository.get_blob(blob.digest).content == blob.content
    assert another_repository.delete(f"blobs/{blob.digest}").status_code == 202
    assert another_repository.head_blob(blob.digest).status_code == 404


def test_a_blob_that_is_pushed_again_after_its_delete_is_back(repository: Repository) -> None:
    blob = a_blob()
    repository.push_blob(blob)
    repository.delete(f"blobs/{blob.digest}")
    repository.push_blob(blob)

    assert repository.get_blob(blob.digest).content == blob.content


def test_deleting_unknown_content_is_not_found(repository: Repository) -> None:
    absent = a_blob().digest
    repository.push_image(an_image(), "here")

    assert_refused(repository.delete("manifests/absent"), 404, "MANIFEST_UNKNOWN")
    assert_refused(repository.delete(f"manifests/{absent}"), 404, "MANIFEST_UNKNOWN")
    assert_refused(repository.delete(f"blobs/{absent}"), 404, "BLOB_UNKNOWN")


def test_deleting_in_an_unknown_repository_is_not_found(repository: Repository) -> None:
    absent = a_blob().digest

    assert_refused(repository.delete("manifests/latest"), 404, "NAME_UNKNOWN", "MANIFEST_UNKNOWN")
    assert_refused(repository.delete(f"manifests/{absent}"), 404, "NAME_UNKNOWN", "MANIFEST_UNKNOWN")
    assert_refused(repository.delete(f"blobs/{absent}"), 404, "NAME_UNKNOWN", "BLOB_UNKNOWN")


def test_a_second_delete_is_not_found(repository: Repository) -> None:
    image = an_image()
    repository.push_image(image, "one")

    assert repository.delete("manifests/one").status_code == 202
    assert_refused(repository.delete("manifests/one"), 404, "MANIFEST_UNKNOWN")
    assert repository.delete(f"manifests/{image.manifest.digest}").status_code == 202
    assert_refused(repository.delete(f"manifests/{image.manifest.digest}"), 404, "MANIFEST_UNKNOWN")
