"""Uploads through a relay: presigned addresses, reports, and the blob that they make."""

import base64
import os
from typing import Any

import pytest
import requests

from chalicelib.domain import hashing
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUploadUnknown, DigestInvalid, OutOfOrder
from chalicelib.domain.uploads import SMALLEST_PART
from chalicelib.services.registry.relays import MOST_ADDRESSES, PartsReport, Relays, UploadedPart
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.crashes import before_calls
from tests.support.rows import object_keys, open_multiparts, repository_of
from tests.support.uploading import Client, pulled, remaining_keys


class Relay:
    """A relay that holds the installation's key, with one upload of a client."""

    def __init__(self, backend: Backend) -> None:
        self.client, self.relays = Client(backend), backend.services.registry.relays
        self.hasher, self.offset = hashing.begin("sha256"), 0

    def presign(self, first: int = 0, count: int = 2) -> dict[str, Any]:
        presigned: dict[str, Any] = self.relays.presign(self.client.token, first, count)
        self.client.token = presigned["upload"]
        return presigned

    def put(self, presigned: dict[str, Any], number: int, content: bytes) -> UploadedPart:
        """Puts a part under the address of its number."""
        (address,) = (part["address"] for part in presigned["parts"] if part["number"] == number)
        answer = requests.put(address, data=content, timeout=20)
        answer.raise_for_status()
        self.hasher.update(content)
        return UploadedPart(number, answer.headers["ETag"], len(content))

    def report(self, size: int, parts: list[UploadedPart], tail: tuple[str, int] | None = None) -> int:
        """Reports that `size` more bytes lie in the bucket; returns the upload's offset."""
        before, self.offset = self.offset, self.offset + size
        state = self.hasher.state()
        progress = self.relays.store(self.client.token, PartsReport(before, self.offset, state, parts, tail))
        self.client.token = progress.token
        return progress.offset


@pytest.fixture
def relay(backend: Backend) -> Relay:
    return Relay(backend)


def test_the_first_addresses_begin_a_multipart_upload_and_say_how_far_the_upload_is(
    backend: Backend, relay: Relay
) -> None:
    presigned = relay.presign()

    assert (presigned["offset"], presigned["algorithm"], presigned["tail"]) == (0, "sha256", None)
    assert base64.b64decode(str(presigned["state"])) == hashing.begin("sha256").state()
    assert [part["number"] for part in presigned["parts"]] == [1, 2]
    assert len(open_multiparts(backend, f"in/{repository_of(backend).id}/")) == 1


def test_later_addresses_are_for_the_same_multipart_upload(backend: Backend, relay: Relay) -> None:
    relay.presign()
    answers = [relay.presign(first=first, count=1) for first in (7, 8)]

    assert [answer["parts"][0]["number"] for answer in answers] == [7, 8]
    assert len({part["address"].partition("?")[0] for answer in answers for part in answer["parts"]}) == 1
    assert len(open_multiparts(backend, f"in/{repository_of(backend).id}/")) == 1


def test_a_relay_learns_whether_the_location_of_a_body_is_superseded(backend: Backend, relay: Relay) -> None:
    client = relay.client
    first = client.token

    def offsets(token: str) -> tuple[object, object]:
        presigned = relay.relays.presign_first(client.actor, client.name, token, 1)
        return presigned["offset"], presigned["location_offset"]

    assert offsets(first) == (0, 0)
    client.append(b"12345")
    assert offsets(first) == (5, 0)
    assert offsets(client.token) == (5, 5)


def test_one_answer_has_no_more_addresses_than_the_limit(relay: Relay) -> None:
    assert len(relay.presign(count=10_000)["parts"]) == MOST_ADDRESSES


def test_parts_and_a_tail_become_the_blob_and_leave_nothing_behind(backend: Backend, relay: Relay) -> None:
    first, rest = os.urandom(SMALLEST_PART), os.urandom(1000)
    presigned = relay.presign()
    part = relay.put(presigned, 1, first)
    requests.put(str(presigned["tail_address"]), data=rest, timeout=10).raise_for_status()
    relay.hasher.update(rest)
    assert relay.report(len(first) + len(rest), [part], (str(presigned["tail_key"]), len(rest))) == len(first) + len(
        rest
    )
    digest = Digest.of(first + rest)

    relay.client.close(digest)

    assert pulled(backend, digest) == first + rest
    assert remaining_keys(backend) == set()
    invariants.check(backend)


def test_a_relay_goes_on_where_another_ended(backend: Backend, relay: Relay) -> None:
    """The next answer has what is needed: the state of the hash, and the address of the tail."""
    presigned = relay.presign()
    requests.put(str(presigned["tail_address"]), data=b"begun ", timeout=10).raise_for_status()
    relay.hasher.update(b"begun ")
    relay.report(6, [], (str(presigned["tail_key"]), 6))
    following = relay.presign()
    hasher = hashing.resume(str(following["algorithm"]), base64.b64decode(str(following["state"])))
    hasher.update(b"and ended")

    assert following["offset"] == 6
    assert requests.get(str(following["tail"]), timeout=10).content == b"begun "
    assert hasher.hexdigest() == Digest.of(b"begun and ended").hex
    assert following["tail_key"] != presigned["tail_key"], "no key is used twice"


def test_a_new_tail_takes_the_old_one_s_place(backend: Backend, relay: Relay) -> None:
    for size in (6, 9):
        presigned = relay.presign()
        content = os.urandom(size)
        requests.put(str(presigned["tail_address"]), data=content, timeout=10).raise_for_status()
        relay.report(size, [], (str(presigned["tail_key"]), size))

    assert object_keys(backend, f"in/{repository_of(backend).id}/") == [presigned["tail_key"]]


def test_more_parts_than_a_transaction_holds_are_written_down(relay: Relay) -> None:
    relay.presign()
    parts = [UploadedPart(number, f"etag{number}", SMALLEST_PART) for number in range(1, 201)]

    assert relay.report(200 * SMALLEST_PART, parts) == 200 * SMALLEST_PART
    assert len(relay.client.part_sizes) == 200
    assert relay.presign(count=1)["parts"][0]["number"] == 201


def test_no_blob_is_made_under_a_digest_that_its_bytes_do_not_have(backend: Backend, relay: Relay) -> None:
    content = os.urandom(SMALLEST_PART)
    relay.report(len(content), [relay.put(relay.presign(), 1, content)])

    with pytest.raises(DigestInvalid):
        relay.client.close(Digest.of(b"other"))


def test_a_report_from_an_old_offset_is_refused_with_the_current_one(relay: Relay) -> None:
    relay.presign()
    relay.report(10, [], ("in/tail", 10))

    with pytest.raises(OutOfOrder) as refused:
        relay.relays.store(relay.client.token, PartsReport(5, 20, b"", []))
    assert refused.value.offset == 10


def test_of_two_reports_at_once_one_is_written_and_the_other_is_refused_with_the_current_offset(
    backend: Backend, relay: Relay
) -> None:
    relay.presign()
    token = relay.client.token
    done: list[Any] = []

    def report_first(_: object, operation_name: str = "", **__: object) -> None:
        if operation_name == "TransactWriteItems" and not done:
            done.append(1)
            relay.relays.store(token, PartsReport(0, 7, b"winner", [], ("in/winner", 7)))

    with before_calls(backend, report_first), pytest.raises(OutOfOrder) as refused:
        relay.relays.store(token, PartsReport(0, 30, b"loser", [], ("in/loser", 30)))

    assert relay.client.row.offset == 7
    assert relay.client.row.hash_state == b"winner"
    assert refused.value.offset == 7


def end(relay: Relay, way: str) -> None:
    if way == "closed":
        relay.client.close(Digest.of(b"x"), b"x")
    elif way == "cancelled":
        relay.client.cancel()
    else:
        relay.client.backend.clock.ahead_s = 100_000


@pytest.mark.parametrize("way", ["closed", "cancelled", "too old"])
@pytest.mark.parametrize("begun", [True, False])
def test_an_upload_that_is_over_gets_no_addresses_and_takes_no_report(backend: Backend, way: str, begun: bool) -> None:
    relay = Relay(backend)
    if begun:
        relay.presign()
    end(relay, way)

    with pytest.raises(BlobUploadUnknown):
        relay.presign()
    with pytest.raises(BlobUploadUnknown):
        relay.report(1, [])


@pytest.mark.parametrize("token", ["", "x", "a.b.c.d.e.f"])
def test_a_token_that_the_registry_did_not_sign_is_unknown(backend: Backend, token: str) -> None:
    relays: Relays = backend.services.registry.relays

    with pytest.raises(BlobUploadUnknown):
        relays.presign(token, 0, 1)
    with pytest.raises(BlobUploadUnknown):
        relays.store(token, PartsReport(0, 1, b"", []))


def test_an_upload_without_presigned_addresses_takes_no_report(relay: Relay) -> None:
    with pytest.raises(BlobUploadUnknown):
        relay.report(1, [])
