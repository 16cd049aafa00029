"""How many AWS calls an operation makes: what it costs on AWS, and the only speed a test may hold."""

import os
from collections.abc import Callable

from chalicelib.domain.digests import Digest
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.uploads import UploadBody
from chalicelib.storage import bucket_keys
from chalicelib.wiring.registry import RegistryRoom
from tests.support.backends import Backend
from tests.support.builders import a_blob, a_config, a_manifest, a_repository, push_image
from tests.support.mirror_builders import SETTINGS, SOURCE, a_robot, changes
from tests.support.sweeping import advance_clock


def test_checking_a_known_token_costs_nothing(backend: Backend) -> None:
    token = backend.token("admin", "admin/app")
    backend.services.identity.tokens.believe(token)
    backend.calls.take()

    backend.services.identity.tokens.believe(token)

    assert backend.calls.take() == []


def test_head_of_a_manifest_by_tag_is_one_read(backend: Backend) -> None:
    push_image(backend, "v1")
    actor, name = backend.owner()
    backend.calls.take()

    backend.services.registry.manifests.find(actor, name, Tag("v1"))

    assert backend.calls.take() == ["GetItem"]


def test_head_of_a_tagged_manifest_by_digest_is_one_read_even_by_a_pusher(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    actor, name = backend.owner()
    backend.calls.take()

    backend.services.registry.manifests.find(actor, name, manifest.digest)

    assert backend.calls.take() == ["GetItem"]


def test_head_by_a_pusher_renews_a_short_lease_with_one_more_write(backend: Backend) -> None:
    manifest = push_image(backend)
    actor, name = backend.owner()
    backend.clock.ahead_s = backend.settings.lease_s * 0.6
    backend.services.registry.manifests.find(backend.actor("admin", "admin/app"), name, manifest.digest)
    backend.clock.ahead_s += backend.settings.lease_s * 0.6
    actor = backend.actor("admin", "admin/app")
    backend.calls.take()

    backend.services.registry.manifests.find(actor, name, manifest.digest)

    assert backend.calls.take() == ["GetItem", "BatchGetItem", "TransactWriteItems"]


def forget_bodies(backend: Backend) -> None:
    """Gives the registry's services anew, as another process has them: no manifest's bytes are in memory."""
    services = backend.services
    services.registry = RegistryRoom(services.stores, services.security, services.activity, services.accounts)


def test_a_pull_by_tag_is_one_read_and_two_when_the_bytes_are_not_in_memory(
    new_backend: Callable[..., Backend],
) -> None:
    backend = new_backend()
    push_image(backend, "v1")
    actor, name = backend.owner()
    backend.services.registry.manifests.pull(actor, name, Tag("v1"))
    forget_bodies(backend)
    backend.calls.take()

    for expected in (["GetItem", "GetItem"], ["GetItem"]):
        pulled = backend.services.registry.manifests.pull(actor, name, Tag("v1"))
        backend.services.registry.manifests.body(actor, name, pulled)

        assert backend.calls.take() == expected


def test_a_pull_by_digest_is_one_read_in_memory_and_one_batch_when_cold(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    actor, name = backend.owner()
    backend.services.registry.manifests.pull(actor, name, manifest.digest)
    forget_bodies(backend)
    backend.calls.take()

    for expected in (["BatchGetItem"], ["GetItem"]):
        backend.services.registry.manifests.pull(actor, name, manifest.digest)

        assert backend.calls.take() == expected


def test_the_first_pull_of_an_hour_writes_one_record(backend: Backend) -> None:
    push_image(backend, "v1")
    actor, name = backend.owner()
    backend.calls.take()

    backend.services.registry.manifests.pull(actor, name, Tag("v1"))
    backend.services.registry.manifests.pull(actor, name, Tag("v1"))

    assert backend.calls.take() == ["GetItem", "BatchWriteItem", "GetItem"]


def test_with_every_pull_logged_each_writes_one_record(new_backend: Callable[..., Backend]) -> None:
    backend = new_backend(pull_log="all")
    push_image(backend, "v1")
    actor, name = backend.owner()
    backend.calls.take()

    backend.services.registry.manifests.pull(actor, name, Tag("v1"))
    backend.services.registry.manifests.pull(actor, name, Tag("v1"))

    assert backend.calls.take() == ["GetItem", "BatchWriteItem", "GetItem", "BatchWriteItem"]


def test_how_often_a_tag_was_pulled_costs_three_reads_beside_the_right_to_ask(backend: Backend) -> None:
    push_image(backend, "v1")
    actor, (puller, name) = backend.signed_in("admin"), backend.owner()
    for _ in range(2):
        backend.services.registry.manifests.pull(puller, name, Tag("v1"))
        backend.calls.take()

        backend.services.activity.pulls.of_tag(actor, name, Tag("v1"))

        assert backend.calls.take() == ["GetItem", "GetItem", "BatchGetItem", "BatchGetItem", "Query"]


def test_a_blob_is_found_with_one_read_and_no_call_to_s3(backend: Backend) -> None:
    digest = a_blob(backend)
    actor, name = backend.owner()
    backend.calls.take()

    found = backend.services.registry.blobs.find(actor, name, digest)
    backend.services.stores.objects.address("get_object", found.s3_key, 60)

    assert backend.calls.take() == ["BatchGetItem"]


def test_a_new_manifest_of_20_layers_is_one_batch_of_edges_one_of_reads_and_one_transaction(backend: Backend) -> None:
    manifest = a_manifest([a_blob(backend) for _ in range(20)], a_blob(backend, a_config()))
    actor, name = backend.owner()
    backend.calls.take()

    backend.services.registry.manifests.push(actor, name, manifest, [Tag("v1")])

    assert backend.calls.take() == ["BatchWriteItem", "BatchGetItem", "TransactWriteItems"]


def test_a_tag_that_moves_costs_one_query_and_one_batch_of_reads_more(backend: Backend) -> None:
    push_image(backend, "v1")
    manifest = a_manifest([a_blob(backend)], a_blob(backend, a_config()))
    actor, name = backend.owner()
    backend.calls.take()

    backend.services.registry.manifests.push(actor, name, manifest, [Tag("v1")])

    expected = ["BatchWriteItem", "BatchGetItem", "Query", "BatchGetItem", "TransactWriteItems"]
    assert backend.calls.take() == expected


def test_the_same_push_again_costs_as_much_as_a_new_one(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    actor, name = backend.owner()
    advance_clock(backend, 60)
    backend.calls.take()

    backend.services.registry.manifests.push(actor, name, manifest, [Tag("v1")])

    assert backend.calls.take() == ["BatchWriteItem", "BatchGetItem", "TransactWriteItems"]


def test_a_manifest_above_32_kb_is_one_put_more(backend: Backend) -> None:
    a_blob(backend)
    manifest = a_manifest(annotations={"filler": "x" * 40_000})
    actor, name = backend.owner()
    backend.calls.take()

    backend.services.registry.manifests.push(actor, name, manifest, [Tag("v1")])

    assert backend.calls.take() == ["BatchWriteItem", "BatchGetItem", "PutObject", "TransactWriteItems"]


def test_ten_tags_with_one_manifest_are_one_transaction(backend: Backend) -> None:
    a_blob(backend)
    manifest = a_manifest()
    actor, name = backend.owner()
    backend.calls.take()

    backend.services.registry.manifests.push(actor, name, manifest, [Tag(f"v{number}") for number in range(10)])

    assert backend.calls.take() == ["BatchWriteItem", "BatchGetItem", "TransactWriteItems"]


def test_a_blob_in_one_request_is_one_batch_of_reads_one_put_and_one_transaction(backend: Backend) -> None:
    a_blob(backend)
    content = os.urandom(1000)
    actor, name = backend.owner()
    backend.calls.take()

    backend.services.registry.uploads.push(actor, name, Digest.of(content), content)

    assert backend.calls.take() == ["BatchGetItem", "PutObject", "TransactWriteItems"]


def test_beginning_an_upload_costs_nothing_and_ending_it_with_its_bytes_as_much_as_one_request(
    backend: Backend,
) -> None:
    a_blob(backend)
    content = os.urandom(1000)
    actor, name = backend.owner()
    backend.calls.take()

    begun = backend.services.registry.uploads.begin(actor, name)
    assert backend.calls.take() == []

    backend.services.registry.uploads.close(actor, name, begun.token, Digest.of(content), UploadBody(content))
    assert backend.calls.take() == ["BatchGetItem", "PutObject", "TransactWriteItems"]


def test_a_blob_that_the_registry_has_elsewhere_is_not_written_again(backend: Backend) -> None:
    content = os.urandom(1000)
    a_blob(backend, content, "admin/one")
    a_blob(backend, repository="admin/two")
    actor, name = backend.owner("admin/two")
    backend.calls.take()

    backend.services.registry.uploads.push(actor, name, Digest.of(content), content)

    assert backend.calls.take() == ["BatchGetItem", "TransactWriteItems"]


def test_a_blob_that_only_the_edge_knows_costs_one_list_and_one_transaction_more(backend: Backend) -> None:
    a_blob(backend)
    content = os.urandom(1000)
    digest = Digest.of(content)
    actor, name = backend.owner()
    repository = backend.services.security.access.repository(actor, name)
    backend.services.stores.objects.put(bucket_keys.edge_prefix(repository.id, digest) + "0" * 26, content, digest)
    backend.calls.take()

    backend.services.registry.blobs.find(actor, name, digest)

    calls = backend.calls.take()
    assert calls.count("ListObjectsV2") == calls.count("TransactWriteItems") == 1
    assert set(calls) == {"BatchGetItem", "ListObjectsV2", "TransactWriteItems"}


def test_a_page_of_tags_is_one_query_however_many_there_are(backend: Backend) -> None:
    push_image(backend, *(f"v{number:02d}" for number in range(30)))
    actor, name = backend.owner()
    backend.calls.take()

    backend.services.registry.tags.list(actor, name, Tag("v10"), 5)

    assert backend.calls.take() == ["Query"]


def test_a_mirror_is_read_in_one_batch_and_set_up_and_changed_in_one_transaction(backend: Backend) -> None:
    a_repository(backend)
    robot, (actor, name) = a_robot(backend), (backend.signed_in("admin"), RepositoryName.parse("admin/app"))
    mirrors = backend.services.mirroring.mirrors
    right = ["GetItem", "GetItem"]
    backend.calls.take()

    mirrors.create(actor, name, changes(robot, SOURCE, **SETTINGS))
    assert backend.calls.take() == [*right, "GetItem", "GetItem", "GetItem", "TransactWriteItems"]

    mirrors.get(actor, name)
    assert backend.calls.take() == [*right, "BatchGetItem"]

    mirrors.change(actor, name, changes(interval_s=60))
    assert backend.calls.take() == [*right, "BatchGetItem", "TransactWriteItems"]
