"""How many AWS calls an operation makes: what it costs on AWS, and the only speed a test may hold."""

import os

from chalicelib.domain.digests import Digest
from tests.support.backends import House
from tests.support.builders import a_blob, a_config, a_manifest, a_push


def test_checking_a_known_token_costs_nothing(house: House) -> None:
    token = house.token("admin", "admin/app")
    house.services.tokens.believe(token)
    house.calls.take()

    house.services.tokens.believe(token)

    assert house.calls.take() == []


def test_head_of_a_manifest_by_tag_is_one_read(house: House) -> None:
    a_push(house, "v1")
    actor, name = house.owner()
    house.calls.take()

    house.services.manifests.find(actor, name, "v1")

    assert house.calls.take() == ["GetItem"]


def test_head_of_a_tagged_manifest_by_digest_is_one_read_even_by_a_pusher(house: House) -> None:
    manifest = a_push(house, "v1")
    actor, name = house.owner()
    house.calls.take()

    house.services.manifests.find(actor, name, manifest.digest)

    assert house.calls.take() == ["GetItem"]


def test_head_by_a_pusher_renews_a_short_lease_with_one_more_write(house: House) -> None:
    manifest = a_push(house)
    actor, name = house.owner()
    house.clock.ahead_s = house.settings.lease_s * 0.6
    house.services.manifests.find(house.actor("admin", "admin/app"), name, manifest.digest)
    house.clock.ahead_s += house.settings.lease_s * 0.6
    actor = house.actor("admin", "admin/app")
    house.calls.take()

    house.services.manifests.find(actor, name, manifest.digest)

    assert house.calls.take() == ["GetItem", "GetItem", "TransactWriteItems"]


def test_a_pull_by_tag_is_one_read_and_two_when_the_bytes_are_not_in_memory(new_house) -> None:
    house = new_house()
    a_push(house, "v1")
    actor, name = house.owner()
    house.services.manifests.pull(actor, name, "v1")
    house.services.manifests._bodies.__init__()
    house.calls.take()

    for expected in (["GetItem", "GetItem"], ["GetItem"]):
        pulled = house.services.manifests.pull(actor, name, "v1")
        house.services.manifests.body(actor, name, pulled)

        assert house.calls.take() == expected


def test_a_pull_by_digest_is_one_read_in_memory_and_one_batch_when_cold(house: House) -> None:
    manifest = a_push(house, "v1")
    actor, name = house.owner()
    house.services.manifests.pull(actor, name, manifest.digest)
    house.services.manifests._bodies.__init__()
    house.calls.take()

    for expected in (["BatchGetItem"], ["GetItem"]):
        house.services.manifests.pull(actor, name, manifest.digest)

        assert house.calls.take() == expected


def test_the_first_pull_of_an_hour_writes_one_record(house: House) -> None:
    a_push(house, "v1")
    actor, name = house.owner()
    house.calls.take()

    house.services.manifests.pull(actor, name, "v1")
    house.services.manifests.pull(actor, name, "v1")

    assert house.calls.take() == ["GetItem", "BatchWriteItem", "GetItem"]


def test_with_every_pull_logged_each_writes_one_record(new_house) -> None:
    house = new_house(pull_log="all")
    a_push(house, "v1")
    actor, name = house.owner()
    house.calls.take()

    house.services.manifests.pull(actor, name, "v1")
    house.services.manifests.pull(actor, name, "v1")

    assert house.calls.take() == ["GetItem", "BatchWriteItem", "GetItem", "BatchWriteItem"]


def test_how_often_a_tag_was_pulled_costs_three_reads_beside_the_right_to_ask(house: House) -> None:
    a_push(house, "v1")
    actor, (puller, name) = house.signed_in("admin"), house.owner()
    for _ in range(2):
        house.services.manifests.pull(puller, name, "v1")
        house.calls.take()

        house.services.pulls.of_tag(actor, name, "v1")

        assert house.calls.take() == ["GetItem", "GetItem", "BatchGetItem", "BatchGetItem", "Query"]


def test_a_blob_is_found_with_one_read_and_no_call_to_s3(house: House) -> None:
    digest = a_blob(house)
    actor, name = house.owner()
    house.calls.take()

    found = house.services.blobs.find(actor, name, digest)
    house.services.objects.address("get_object", found.s3_key, 60)

    assert house.calls.take() == ["BatchGetItem"]


def test_a_new_manifest_of_20_layers_is_one_batch_of_edges_one_of_reads_and_one_transaction(house: House) -> None:
    manifest = a_manifest([a_blob(house) for _ in range(20)], a_blob(house, a_config()))
    actor, name = house.owner()
    house.calls.take()

    house.services.manifests.push(actor, name, manifest, ["v1"])

    assert house.calls.take() == ["BatchWriteItem", "BatchGetItem", "TransactWriteItems"]


def test_a_tag_that_moves_costs_one_query_and_one_batch_of_reads_more(house: House) -> None:
    a_push(house, "v1")
    manifest = a_manifest([a_blob(house)], a_blob(house, a_config()))
    actor, name = house.owner()
    house.calls.take()

    house.services.manifests.push(actor, name, manifest, ["v1"])

    expected = ["BatchWriteItem", "BatchGetItem", "Query", "BatchGetItem", "TransactWriteItems"]
    assert house.calls.take() == expected


def test_a_manifest_above_32_kb_is_one_put_more(house: House) -> None:
    a_blob(house)
    manifest = a_manifest(annotations={"filler": "x" * 40_000})
    actor, name = house.owner()
    house.calls.take()

    house.services.manifests.push(actor, name, manifest, ["v1"])

    assert house.calls.take() == ["BatchWriteItem", "BatchGetItem", "PutObject", "TransactWriteItems"]


def test_ten_tags_with_one_manifest_are_one_transaction(house: House) -> None:
    a_blob(house)
    manifest = a_manifest()
    actor, name = house.owner()
    house.calls.take()

    house.services.manifests.push(actor, name, manifest, [f"v{number}" for number in range(10)])

    assert house.calls.take() == ["BatchWriteItem", "BatchGetItem", "TransactWriteItems"]


def test_a_blob_in_one_request_is_one_batch_of_reads_one_put_and_one_transaction(house: House) -> None:
    a_blob(house)
    content = os.urandom(1000)
    actor, name = house.owner()
    house.calls.take()

    house.services.uploads.push(actor, name, Digest.of(content), content)

    assert house.calls.take() == ["BatchGetItem", "PutObject", "TransactWriteItems"]


def test_beginning_an_upload_costs_nothing_and_ending_it_with_its_bytes_as_much_as_one_request(house: House) -> None:
    a_blob(house)
    content = os.urandom(1000)
    actor, name = house.owner()
    house.calls.take()

    begun = house.services.uploads.begin(actor, name)
    assert house.calls.take() == []

    house.services.uploads.close(actor, name, begun.token, Digest.of(content), content, None)
    assert house.calls.take() == ["BatchGetItem", "PutObject", "TransactWriteItems"]


def test_a_blob_that_the_registry_has_elsewhere_is_not_written_again(house: House) -> None:
    content = os.urandom(1000)
    a_blob(house, content, "admin/one")
    a_blob(house, repository="admin/two")
    actor, name = house.owner("admin/two")
    house.calls.take()

    house.services.uploads.push(actor, name, Digest.of(content), content)

    assert house.calls.take() == ["BatchGetItem", "TransactWriteItems"]


def test_a_blob_that_only_the_edge_knows_costs_one_list_and_one_transaction_more(house: House) -> None:
    a_blob(house)
    content = os.urandom(1000)
    digest = Digest.of(content)
    actor, name = house.owner()
    repository = house.services.access.repository(actor, name)
    house.services.objects.put(f"in/{repository.id}/{digest}/{'0' * 26}", content, digest)
    house.calls.take()

    house.services.blobs.find(actor, name, digest)

    calls = house.calls.take()
    assert calls.count("ListObjectsV2") == calls.count("TransactWriteItems") == 1
    assert set(calls) == {"BatchGetItem", "ListObjectsV2", "TransactWriteItems"}


def test_a_page_of_tags_is_one_query_however_many_there_are(house: House) -> None:
    a_push(house, *(f"v{number:02d}" for number in range(30)))
    actor, name = house.owner()
    house.calls.take()

    house.services.tags.list(actor, name, "v10", 5)

    assert house.calls.take() == ["Query"]
