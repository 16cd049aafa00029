"""Garbage and everybody else: whoever comes between two calls of the collector, wherever it dies, nothing is lost."""

from collections.abc import Callable
from itertools import count

from chalicelib.domain.errors import ManifestBlobUnknown
from chalicelib.domain.timers import GARBAGE
from chalicelib.storage import keys
from chalicelib.storage.registry.blobs import BlobRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import House
from tests.support.builders import a_bare_push, a_blob, a_config, a_manifest, a_push, a_referrer, an_index
from tests.support.crashes import crash_everywhere, meanwhile
from tests.support.rows import object_keys, repository_of, rows_like
from tests.support.sweeping import WINDOW_S, delete_tag, held, later, outlive, sweep


def everywhere(house: House, prepare: Callable[[int], tuple[Callable[[], object], Callable[[], object]]]) -> int:
    """Runs `other` before each call of an operation in turn; `prepare` gives both. Gives how many calls there are."""
    for number in count(1):
        operation, other = prepare(number)
        with meanwhile(house, number, other) as happened:
            operation()
        invariants.check(house)
        if not happened:
            return number - 1
    raise AssertionError("an operation ends")


def test_pushed_again_in_the_middle_it_lives(house: House) -> None:
    pushed: list[str] = []

    def prepare(number: int) -> tuple[Callable[[], object], Callable[[], object]]:
        repository = f"admin/round{number}"
        layers = [a_blob(house, repository=repository), a_blob(house, a_config(), repository)]
        manifest = a_manifest(layers[:1], layers[1])
        a_bare_push(house, manifest, "v1", repository=repository)
        delete_tag(house, "v1", repository)
        later(house, WINDOW_S + house.settings.lease_s + 10)
        pushed.append(repository)
        target = keys.manifest_target(repository_of(house, repository).id, manifest.digest)

        def again() -> None:
            a_bare_push(house, manifest, "v1", repository=repository)

        return lambda: house.services.garbage.collect(target), again

    rounds = everywhere(house, prepare)
    sweep(house)
    invariants.check(house)

    assert rounds > 8
    assert all(tag_lives(house, repository) for repository in pushed[:-1])


def tag_lives(house: House, repository: str) -> bool:
    return len(rows_like(house, f"R#{repository_of(house, repository).id}", "TAG#v1")) == 1


def test_a_blob_named_in_the_middle_of_its_end_lives_or_is_refused_by_name(house: House) -> None:
    refused, named = list[str](), list[str]()

    def prepare(number: int) -> tuple[Callable[[], object], Callable[[], object]]:
        repository = f"admin/round{number}"
        digest = a_blob(house, repository=repository)
        later(house, house.settings.lease_s + 10)
        target = keys.blob_target(repository_of(house, repository).id, digest)

        def name() -> None:
            try:
                a_bare_push(house, a_manifest([digest]), "v1", repository=repository)
                named.append(repository)
            except ManifestBlobUnknown:
                refused.append(repository)

        return lambda: house.services.garbage.collect(target), name

    rounds = everywhere(house, prepare)
    sweep(house)
    invariants.check(house)

    assert len(named) + len(refused) == rounds > 4
    assert named
    assert refused
    assert all(tag_lives(house, repository) for repository in named)


def test_bytes_linked_in_the_middle_of_their_end_are_there(house: House) -> None:
    def prepare(number: int) -> tuple[Callable[[], object], Callable[[], object]]:
        content, first = f"bytes {number}".encode(), f"admin/first{number}"
        digest = a_blob(house, content, first)
        later(house, house.settings.lease_s + 10)
        house.services.garbage.collect(keys.blob_target(repository_of(house, first).id, digest))
        house.services.garbage.collect(keys.bytes_target(digest))
        later(house, house.settings.grace_s + 10)
        row = get(BlobRow, keys.blob(digest))
        assert row is not None
        s3_key = row.s3_key

        def end() -> None:
            house.services.garbage.collect(keys.bytes_target(digest))
            house.services.garbage.collect(keys.key_target(digest, s3_key))

        return end, lambda: a_blob(house, content, f"admin/second{number}")

    assert everywhere(house, prepare) > 6


def test_a_crash_anywhere_in_the_end_of_a_manifest_is_made_good(house: House) -> None:
    def prepare(number: int) -> Callable[[], object]:
        repository = f"admin/round{number}"
        child = a_push(house, repository=repository)
        index = an_index([child.digest], annotations={"padding": "x" * 40_000})
        a_bare_push(house, index, "v1", repository=repository)
        a_referrer(house, index.digest, repository)
        delete_tag(house, "v1", repository)
        later(house, WINDOW_S + house.settings.lease_s + 10)
        target = keys.manifest_target(repository_of(house, repository).id, index.digest)
        return lambda: house.services.garbage.collect(target)

    rounds = crash_everywhere(house, prepare)
    outlive(house)

    assert rounds >= 7
    for number in range(1, rounds + 1):
        repository = f"admin/round{number}"
        assert held(house, repository) == []
        assert object_keys(house, f"bodies/{repository_of(house, repository).id}/") == []


def test_a_crash_anywhere_in_the_end_of_a_blob_is_made_good(house: House) -> None:
    def prepare(number: int) -> Callable[[], object]:
        a_blob(house, f"round {number}".encode(), f"admin/round{number}")
        later(house, house.settings.lease_s + house.settings.grace_s + 10)
        return lambda: sweep(house, GARBAGE)

    rounds = crash_everywhere(house, prepare)
    outlive(house)

    assert rounds > 8
    assert rows_like(house, "BLOB#") == []
    for number in range(1, rounds + 1):
        assert object_keys(house, f"in/{repository_of(house, f'admin/round{number}').id}/") == []
