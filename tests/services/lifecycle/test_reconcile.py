"""A round through the bucket, in several runs, removes what no push can still adopt."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.names import RepositoryName
from chalicelib.services.lifecycle.reconcile import ROUND_S, ReconcileRun
from chalicelib.storage import bucket_keys, objects
from infra.local import seed
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import a_blob, a_direct_upload, a_manifest, a_repository, built, push_manifest, token_actor
from tests.support.crashes import crash_everywhere
from tests.support.uploading import upload

LATER = 10


def always() -> bool:
    return True


def never() -> bool:
    return False


@pytest.fixture
def alone(new_backend: Callable[..., Backend]) -> Backend:
    """A backend with its own bucket, since a round reads all of it."""
    bucket = f"alone-{uuid4().hex}"
    backend = new_backend(bucket=bucket)
    seed.make_bucket(bucket, backend.services.stores.objects.client)
    return backend


def settle(backend: Backend) -> None:
    """Makes every object so old that no push can adopt it."""
    backend.clock.ahead_s += backend.settings.settled_s + LATER


def keys_of(backend: Backend) -> list[str]:
    return [entry.key for page in backend.services.stores.objects.pages("in/") for entry in page]


def test_an_object_of_the_upload_edge_that_no_blob_names_is_removed(alone: Backend) -> None:
    a_direct_upload(alone, b"forgotten")
    settle(alone)

    assert alone.services.lifecycle.reconcile.run(always) == ReconcileRun(1, 1, len(b"forgotten"), ended_round=True)
    assert keys_of(alone) == []


def test_an_object_that_a_push_may_still_name_stays(alone: Backend) -> None:
    key = a_direct_upload(alone, b"fresh")
    alone.clock.ahead_s += alone.settings.settled_s - LATER

    assert alone.services.lifecycle.reconcile.run(always) == ReconcileRun(1, 0, 0, ended_round=True)
    assert keys_of(alone) == [key]


def test_the_bytes_of_blobs_stay_whatever_route_they_took(alone: Backend) -> None:
    adopted = a_direct_upload(alone, b"adopted")
    assert alone.services.registry.blobs.adopt(
        token_actor(alone, "admin", "admin/app"), a_repository(alone), Digest.of(b"adopted")
    )
    a_blob(alone, b"by way of the app")
    settle(alone)

    alone.services.lifecycle.reconcile.run(always)

    assert adopted in keys_of(alone)
    assert len(keys_of(alone)) == 2
    invariants.check(alone)


def test_keys_of_other_forms_stay(alone: Backend) -> None:
    a_repository(alone)
    for key in ("in/x", "in/x/sha256/abc/y", "in/x/y/z/w", "other/x/y/z"):
        alone.services.stores.objects.put(key, b"", Digest.of(b""))
    settle(alone)

    assert alone.services.lifecycle.reconcile.run(always).removed == 0


def test_an_interrupted_run_continues_where_it_stopped(alone: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "PAGE", 2)
    for number in range(5):
        a_direct_upload(alone, b"forgotten %d" % number)
    settle(alone)
    reconcile = alone.services.lifecycle.reconcile

    runs = [reconcile.run(never) for _ in range(4)]

    assert [run.removed for run in runs] == [2, 2, 1, 0]
    assert [run.ended_round for run in runs] == [False, False, False, True]
    assert keys_of(alone) == []


def test_a_round_begins_a_day_after_the_last_one(alone: Backend) -> None:
    reconcile = alone.services.lifecycle.reconcile
    assert reconcile.run(always).ended_round
    a_direct_upload(alone, b"forgotten")
    alone.clock.ahead_s += ROUND_S - LATER

    assert reconcile.run(always) == ReconcileRun()

    settle(alone)
    assert reconcile.run(always).removed == 1


def test_a_turn_between_rounds_costs_one_read(alone: Backend) -> None:
    alone.services.lifecycle.reconcile.run(always)
    alone.calls.take()

    alone.services.lifecycle.reconcile.run(always)

    assert alone.calls.take() == ["GetItem"]


def test_a_page_costs_the_same_however_many_of_its_keys_are_blobs(alone: Backend) -> None:
    for number in range(20):
        content = b"layer %d" % number
        a_direct_upload(alone, content)
        alone.services.registry.blobs.adopt(
            token_actor(alone, "admin", "admin/app"), a_repository(alone), Digest.of(content)
        )
    settle(alone)
    alone.calls.take()

    alone.services.lifecycle.reconcile.run(always)

    lists = ["ListObjectsV2", "ListObjectsV2"]
    assert alone.calls.take() == ["GetItem", *lists, "BatchGetItem", "PutItem", "PutItem"]


def test_a_crash_at_any_call_of_a_run_removes_no_used_object(alone: Backend) -> None:
    living = a_direct_upload(alone, b"living")
    alone.services.registry.blobs.adopt(
        token_actor(alone, "admin", "admin/app"), a_repository(alone), Digest.of(b"living")
    )

    def prepare(number: int) -> Callable[[], object]:
        a_direct_upload(alone, b"forgotten %d" % number)
        alone.clock.ahead_s += alone.settings.settled_s + ROUND_S + LATER

        def operation() -> None:
            alone.services.lifecycle.reconcile.run(always)

        return operation

    assert crash_everywhere(alone, prepare) >= 4
    assert living in keys_of(alone)
    assert bucket_keys.edge_digest(living) == Digest.of(b"living")


def orphans(backend: Backend) -> list[str]:
    """Puts the objects of each kind that a push leaves if it crashes before its transaction, and returns their keys."""
    repository = a_repository(backend)
    content = b"written and never linked"
    found = [bucket_keys.incoming(repository.id, "attempt"), bucket_keys.manifest_body(repository.id, "push")]
    for key in found:
        backend.services.stores.objects.put(key, content, Digest.of(content))
    return found


def test_the_objects_of_a_push_that_crashed_are_removed(alone: Backend) -> None:
    left = orphans(alone)
    alone.services.lifecycle.reconcile.run(always)
    assert all(alone.services.stores.objects.exists(key) for key in left), "a push may still be on its way"

    alone.clock.ahead_s += ROUND_S
    settle(alone)
    assert alone.services.lifecycle.reconcile.run(always).removed == 2
    assert not any(alone.services.stores.objects.exists(key) for key in left)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_objects_that_blobs_and_manifests_name_stay_in_every_algorithm(alone: Backend, algorithm: str) -> None:
    name, content = RepositoryName.parse("admin/app"), b"bytes"
    a_repository(alone)
    digest, actor = built(content, algorithm), token_actor(alone, "admin", "admin/app")
    alone.services.registry.uploads.push(actor, name, digest, content)
    push_manifest(alone, a_manifest([digest], annotations={"padding": "x" * 40_000}), "v1")
    upload(alone, [b"in ", b"chunks"], algorithm=algorithm)
    settle(alone)

    assert alone.services.lifecycle.reconcile.run(always).removed == 0
    invariants.check(alone)


def test_an_object_that_a_round_has_checked_is_not_read_again(alone: Backend) -> None:
    push_manifest(alone, a_manifest([a_blob(alone)], annotations={"padding": "x" * 40_000}), "v1")
    settle(alone)
    alone.services.lifecycle.reconcile.run(always)
    alone.clock.ahead_s += ROUND_S + LATER
    alone.calls.take()
    alone.services.lifecycle.reconcile.run(always)

    assert "GetObject" not in alone.calls.take()
