"""`python -m infra.missing_bytes` finds what a table names and the bucket lacks, and mends it."""

import os
from collections.abc import Callable
from uuid import uuid4

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import ManifestUnknown
from chalicelib.domain.manifests import Manifest
from chalicelib.domain.names import RepositoryName
from chalicelib.services.lifecycle.reconcile import LARGEST_WHOLE
from chalicelib.storage import bucket_keys, keys
from chalicelib.storage.objects import ObjectStore
from infra import missing_bytes
from infra.local import seed
from infra.missing_bytes import compare
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import a_blob, a_manifest, a_repository, push_image, push_manifest, token_actor
from tests.support.crashes import Crash, crash_in_state

APP = RepositoryName.parse("admin/app")


@pytest.fixture
def alone(new_backend: Callable[..., Backend], monkeypatch: pytest.MonkeyPatch) -> Backend:
    """A backend whose bucket is its own and keeps versions."""
    bucket = f"alone-{uuid4().hex}"
    backend = new_backend(bucket=bucket)
    seed.make_bucket(bucket, objects(backend).client)
    objects(backend).client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    monkeypatch.setattr(missing_bytes, "Stores", lambda _: backend.services.stores)
    return backend


def objects(backend: Backend) -> ObjectStore:
    return backend.services.stores.objects


def run(backend: Backend, *options: str) -> int:
    table = f"arn:aws:dynamodb:us-east-1:123456789012:table/{backend.settings.table}"
    return missing_bytes.main([table, f"arn:aws:s3:::{backend.settings.bucket}", *options])


def key_of(backend: Backend, digest: Digest) -> str:
    row = backend.services.stores.blobs.get(digest)
    assert row is not None
    return row.s3_key


def vanish(backend: Backend, s3_key: str) -> None:
    """Deletes an object for good, as where the bucket keeps no versions."""
    client, bucket = objects(backend).client, backend.settings.bucket
    for version in client.list_object_versions(Bucket=bucket, Prefix=s3_key)["Versions"]:
        client.delete_object(Bucket=bucket, Key=s3_key, VersionId=version["VersionId"])


def deleted_twice(backend: Backend, s3_key: str) -> None:
    objects(backend).delete(s3_key)
    objects(backend).delete(s3_key)


def a_long_manifest(backend: Backend) -> Manifest:
    """Pushes a manifest whose bytes are in the bucket."""
    return push_manifest(backend, a_manifest([a_blob(backend)], annotations={"org.example.long": "x" * 40_000}), "long")


def body_key(backend: Backend, manifest: Manifest) -> str:
    row = backend.services.stores.manifests.body_row(a_repository(backend).id, manifest.digest)
    assert row is not None
    assert row.s3_key
    return row.s3_key


def body(backend: Backend, manifest: Manifest) -> bytes | None:
    """Returns the bytes of a manifest as a process reads them that has none in its memory."""
    return backend.services.stores.manifests.get_body(a_repository(backend).id, manifest.digest)


def test_a_whole_registry_misses_nothing(alone: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    push_image(alone, "v1")
    a_long_manifest(alone)

    assert run(alone) == 0
    assert capsys.readouterr().out == "4 objects are needed: none is missing.\n"


def test_what_is_missing_is_told_with_who_has_it_and_nothing_is_changed(
    alone: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    blob, manifest = a_blob(alone), a_long_manifest(alone)
    s3_keys = {key_of(alone, blob), body_key(alone, manifest)}
    objects(alone).delete_all(sorted(s3_keys))

    assert run(alone) == 1

    printed = capsys.readouterr().out.splitlines()
    assert f"{key_of(alone, blob)}: blob {blob} of admin/app: missing" in printed
    assert f"{body_key(alone, manifest)}: manifest {manifest.digest} of admin/app: missing" in printed
    assert printed[-1] == "3 objects are needed: 2 missing."
    assert {row.s3_key for row in compare(alone.services.stores).missing} == s3_keys


def test_deleted_versions_come_back_however_often_they_were_deleted(
    alone: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    content = os.urandom(64)
    s3_key = key_of(alone, a_blob(alone, content))
    manifest = a_long_manifest(alone)
    deleted_twice(alone, s3_key)
    objects(alone).delete(body_key(alone, manifest))

    assert run(alone, "--bring-back", "--forget") == 0

    assert capsys.readouterr().out.endswith("3 objects are needed: 2 brought back.\n")
    assert objects(alone).get(s3_key) == content
    assert body(alone, manifest) == manifest.content
    assert run(alone) == 0


def test_no_other_object_comes_back_than_the_one_that_is_named(alone: Backend) -> None:
    s3_key = key_of(alone, a_blob(alone))
    objects(alone).put(f"{s3_key}-longer", b"", Digest.of(b""))
    objects(alone).delete_all([s3_key, f"{s3_key}-longer"])

    assert run(alone, "--bring-back") == 0

    assert objects(alone).exists(s3_key)
    assert not objects(alone).exists(f"{s3_key}-longer")


def test_without_a_version_nothing_comes_back(alone: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    vanish(alone, key_of(alone, a_blob(alone)))

    assert run(alone, "--bring-back") == 1
    assert capsys.readouterr().out.endswith("1 objects are needed: 1 missing.\n")


@pytest.mark.parametrize("collected", [False, True], ids=["at-once", "after-the-collector"])
def test_a_blob_that_is_forgotten_is_stored_anew_by_the_next_push(alone: Backend, *, collected: bool) -> None:
    content = os.urandom(64)
    digest = a_blob(alone, content)
    old = key_of(alone, digest)
    vanish(alone, old)
    a_blob(alone, content)
    assert not objects(alone).exists(key_of(alone, digest)), "a push believes the row"

    assert run(alone, "--forget") == 0
    assert not alone.services.stores.blobs.linked(a_repository(alone).id, [digest])
    if collected:
        alone.services.lifecycle.garbage.collect(keys.key_target(digest, old))

    a_blob(alone, content)
    assert objects(alone).get(key_of(alone, digest)) == content
    assert key_of(alone, digest) != old
    invariants.check(alone)


def test_a_manifest_that_is_forgotten_is_stored_anew_by_the_next_push(alone: Backend) -> None:
    manifest = a_long_manifest(alone)
    vanish(alone, body_key(alone, manifest))

    assert run(alone, "--forget") == 0
    assert body(alone, manifest) is None
    with pytest.raises(ManifestUnknown):
        alone.services.registry.manifests.pull(token_actor(alone, "admin", "admin/app"), APP, manifest.digest)

    push_manifest(alone, manifest, "long")
    assert body(alone, manifest) == manifest.content
    assert run(alone) == 0
    invariants.check(alone)


@pytest.mark.parametrize(("option", "lose"), [("--forget", vanish), ("--bring-back", deleted_twice)])
def test_a_crash_anywhere_is_mended_by_the_next_run(
    alone: Backend, option: str, lose: Callable[[Backend, str], None]
) -> None:
    for state in (1, 2, 3):
        lose(alone, key_of(alone, a_blob(alone)))
        lose(alone, body_key(alone, a_long_manifest(alone)))

        with pytest.raises(Crash), crash_in_state(alone, state):
            run(alone, option)
        assert run(alone, option) == 0

        assert run(alone) == 0


def test_a_blob_that_is_being_deleted_is_not_missed(alone: Backend) -> None:
    blob = a_blob(alone)
    vanish(alone, key_of(alone, blob))
    run(alone, "--forget")

    assert compare(alone.services.stores).needed == 0


def test_large_objects_that_no_row_names_are_told_and_stay(alone: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    s3_key, small = bucket_keys.incoming("nobody", "parts"), bucket_keys.incoming("nobody", "whole")
    content = bytes(LARGEST_WHOLE + 1)
    objects(alone).put(s3_key, content, Digest.of(content))
    objects(alone).put(small, b"small", Digest.of(b"small"))

    assert run(alone, "--bring-back", "--forget") == 0

    line = f"{s3_key}: {len(content):,} bytes that came in parts and that no row names"
    assert capsys.readouterr().out.splitlines()[0] == line
    assert objects(alone).exists(s3_key)


def test_a_refusal_of_aws_is_a_sentence(alone: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    objects(alone).client.delete_bucket(Bucket=alone.settings.bucket)

    assert run(alone) == 1
    assert capsys.readouterr().err.startswith("AWS refused: ")
