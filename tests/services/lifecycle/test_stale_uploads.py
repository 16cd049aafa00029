"""Leftovers: an upload past its end leaves nothing but the blob that it became."""

import os
from collections.abc import Callable

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.uploads import SMALLEST_PART
from tests.support.backends import House
from tests.support.crashes import Crash, crash_before, crash_everywhere
from tests.support.rows import object_keys, open_multiparts, repository_of, rows_like
from tests.support.sweeping import sweep
from tests.support.uploading import Client, pulled, upload

SMALL, LARGE = b"a few bytes", os.urandom(SMALLEST_PART)


def outlast(house: House) -> None:
    """Goes past the last second of every token, and then serves what is due."""
    house.clock.ahead_s += house.settings.grant_s + house.settings.upload_s + house.settings.lease_s + 10
    sweep(house)


@pytest.mark.parametrize("chunks", [[SMALL], [LARGE], [LARGE, SMALL]], ids=["tail", "part", "part and tail"])
def test_what_nobody_closed_is_gone(house: House, chunks: list[bytes]) -> None:
    client = Client(house)
    for chunk in chunks:
        client.append(chunk)
    prefix = f"in/{repository_of(house).id}/"
    assert object_keys(house, prefix) or open_multiparts(house, prefix)

    outlast(house)

    assert object_keys(house, prefix) == []
    assert open_multiparts(house, prefix) == []
    assert rows_like(house, "UP#") == []
    assert rows_like(house, "TIMER#") == []


def test_an_upload_that_can_go_on_is_left_alone(house: House) -> None:
    client = Client(house)
    client.append(SMALL)
    house.clock.ahead_s += house.settings.upload_s - 10
    sweep(house)

    assert client.row is not None
    client.close(Digest.of(SMALL))
    assert pulled(house, Digest.of(SMALL)) == SMALL


def test_the_bytes_of_a_blob_stay(house: House) -> None:
    content = LARGE + SMALL
    client = upload(house, [LARGE, SMALL])
    digest = Digest.of(content)
    house.services.blobs.find(client.actor, client.name, digest, promise=True)
    row = client.row
    assert row is not None
    house.clock.ahead_s = (row.until or 0) - house.clock() + 10 + house.clock.ahead_s
    house.services.blobs.find(client.actor, client.name, digest, promise=True)
    sweep(house)

    assert pulled(house, digest) == content
    assert client.row is None


def test_one_that_died_between_its_close_and_its_link_is_gone(house: House) -> None:
    client = Client(house)
    client.append(LARGE)
    for number in range(1, 20):
        try:
            with crash_before(house, number):
                client.close(Digest.of(LARGE))
        except Crash:
            if client.row is not None and client.row.status == "closed":
                break
    outlast(house)

    assert object_keys(house, f"in/{repository_of(house).id}/") == []
    assert rows_like(house, "UP#") == []


def test_a_crash_anywhere_is_made_good(house: House) -> None:
    def prepare(number: int) -> Callable[[], object]:
        client = Client(house, f"admin/round{number}")
        client.append(LARGE)
        client.append(SMALL)
        house.clock.ahead_s += house.settings.grant_s + house.settings.upload_s + house.settings.lease_s + 10
        return lambda: house.services.garbage.collect(f"UP#{client.upload_id}")

    assert crash_everywhere(house, prepare) >= 5
    assert rows_like(house, "UP#") == []
