"""An expired upload leaves nothing but the blob that it became."""

import os
from collections.abc import Callable

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.uploads import SMALLEST_PART
from tests.support.backends import Backend
from tests.support.crashes import Crash, crash_before, crash_everywhere
from tests.support.rows import object_keys, open_multiparts, repository_of, rows_like
from tests.support.sweeping import sweep
from tests.support.uploading import Client, pulled, upload

SMALL, LARGE = b"a few bytes", os.urandom(SMALLEST_PART)


def outlast(backend: Backend) -> None:
    """Goes past the last second of every token, and then serves what is due."""
    backend.clock.ahead_s += (
        backend.settings.presigned_upload_s + backend.settings.upload_s + backend.settings.lease_s + 10
    )
    sweep(backend)


@pytest.mark.parametrize("chunks", [[SMALL], [LARGE], [LARGE, SMALL]], ids=["tail", "part", "part and tail"])
def test_an_unfinished_upload_is_removed(backend: Backend, chunks: list[bytes]) -> None:
    client = Client(backend)
    for chunk in chunks:
        client.append(chunk)
    prefix = f"in/{repository_of(backend).id}/"
    assert object_keys(backend, prefix) or open_multiparts(backend, prefix)

    outlast(backend)

    assert object_keys(backend, prefix) == []
    assert open_multiparts(backend, prefix) == []
    assert rows_like(backend, "UP#") == []
    assert rows_like(backend, "TIMER#") == []


def test_an_upload_that_can_continue_stays(backend: Backend) -> None:
    client = Client(backend)
    client.append(SMALL)
    backend.clock.ahead_s += backend.settings.upload_s - 10
    sweep(backend)

    assert client.row is not None
    client.close(Digest.of(SMALL))
    assert pulled(backend, Digest.of(SMALL)) == SMALL


def test_the_bytes_of_a_blob_stay(backend: Backend) -> None:
    content = LARGE + SMALL
    client = upload(backend, [LARGE, SMALL])
    digest = Digest.of(content)
    backend.services.registry.blobs.find(client.actor, client.name, digest, promise=True)
    row = client.row
    assert row is not None
    backend.clock.ahead_s = (row.until or 0) - backend.clock() + 10 + backend.clock.ahead_s
    backend.services.registry.blobs.find(client.actor, client.name, digest, promise=True)
    sweep(backend)

    assert pulled(backend, digest) == content
    assert client.row is None


def test_an_upload_that_crashed_between_its_close_and_its_link_is_removed(backend: Backend) -> None:
    client = Client(backend)
    client.append(LARGE)
    for number in range(1, 20):
        try:
            with crash_before(backend, number):
                client.close(Digest.of(LARGE))
        except Crash:
            if client.row is not None and client.row.status == "closed":
                break
    outlast(backend)

    assert object_keys(backend, f"in/{repository_of(backend).id}/") == []
    assert rows_like(backend, "UP#") == []


def test_the_removal_recovers_from_a_crash_at_any_call(backend: Backend) -> None:
    def prepare(number: int) -> Callable[[], object]:
        client = Client(backend, f"admin/round{number}")
        client.append(LARGE)
        client.append(SMALL)
        backend.clock.ahead_s += (
            backend.settings.presigned_upload_s + backend.settings.upload_s + backend.settings.lease_s + 10
        )
        return lambda: backend.services.lifecycle.garbage.collect(f"UP#{client.upload_id}")

    assert crash_everywhere(backend, prepare) >= 5
    assert rows_like(backend, "UP#") == []
