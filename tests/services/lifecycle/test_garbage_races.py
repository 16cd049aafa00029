"""Garbage and everybody else: whoever comes between two calls of the collector, wherever it dies, nothing is lost."""

from collections.abc import Callable
from itertools import count

from chalicelib.domain.errors import ManifestBlobUnknown
from chalicelib.domain.timers import GARBAGE
from chalicelib.storage import keys
from chalicelib.storage.registry.blobs import BlobRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import a_bare_push, a_blob, a_config, a_manifest, a_push, a_referrer, an_index
from tests.support.crashes import crash_everywhere, meanwhile
from tests.support.rows import object_keys, repository_of, rows_like
from tests.support.sweeping import WINDOW_S, content_keys, delete_tag, later, outlive, sweep


def everywhere(backend: Backend, prepare: Callable[[int], tuple[Callable[[], object], Callable[[], object]]]) -> int:
    """Runs `other` before each call of an operation in turn; `prepare` gives both. Gives how many calls there are."""
    for number in count(1):
        operation, other = prepare(number)
        with meanwhile(backend, number, other) as happened:
            operation()
        invariants.check(backend)
        if not happened:
            return number - 1
    raise AssertionError("an operation ends")


def test_pushed_again_in_the_middle_it_lives(backend: Backend) -> None:
    pushed: list[str] = []

    def prepare(number: int) -> tuple[Callable[[], object], Callable[[], object]]:
        repository = f"admin/round{number}"
        layers = [a_blob(backend, repository=repository), a_blob(backend, a_config(), repository)]
        manifest = a_manifest(layers[:1], layers[1])
        a_bare_push(backend, manifest, "v1", repository=repository)
        delete_tag(backend, "v1", repository)
        later(backend, WINDOW_S + backend.settings.lease_s + 10)
        pushed.append(repository)
        target = keys.manifest_target(repository_of(backend, repository).id, manifest.digest)

        def again() -> None:
            a_bare_push(backend, manifest, "v1", repository=repository)

        return lambda: backend.services.lifecycle.garbage.collect(target), again

    rounds = everywhere(backend, prepare)
    sweep(backend)
    invariants.check(backend)

    assert rounds > 8
    assert all(tag_lives(backend, repository) for repository in pushed[:-1])


def tag_lives(backend: Backend, repository: str) -> bool:
    return len(rows_like(backend, f"R#{repository_of(backend, repository).id}", "TAG#v1")) == 1


def test_a_blob_named_in_the_middle_of_its_end_lives_or_is_refused_by_name(backend: Backend) -> None:
    refused, named = list[str](), list[str]()

    def prepare(number: int) -> tuple[Callable[[], object], Callable[[], object]]:
        repository = f"admin/round{number}"
        digest = a_blob(backend, repository=repository)
        later(backend, backend.settings.lease_s + 10)
        target = keys.blob_target(repository_of(backend, repository).id, digest)

        def name() -> None:
            try:
                a_bare_push(backend, a_manifest([digest]), "v1", repository=repository)
                named.append(repository)
            except ManifestBlobUnknown:
                refused.append(repository)

        return lambda: backend.services.lifecycle.garbage.collect(target), name

    rounds = everywhere(backend, prepare)
    sweep(backend)
    invariants.check(backend)

    assert len(named) + len(refused) == rounds > 4
    assert named
    assert refused
    assert all(tag_lives(backend, repository) for repository in named)


def test_bytes_linked_in_the_middle_of_their_end_are_there(backend: Backend) -> None:
    def prepare(number: int) -> tuple[Callable[[], object], Callable[[], object]]:
        content, first = f"bytes {number}".encode(), f"admin/first{number}"
        digest = a_blob(backend, content, first)
        later(backend, backend.settings.lease_s + 10)
        backend.services.lifecycle.garbage.collect(keys.blob_target(repository_of(backend, first).id, digest))
        backend.services.lifecycle.garbage.collect(keys.bytes_target(digest))
        later(backend, backend.settings.grace_s + 10)
        row = get(BlobRow, keys.blob(digest))
        assert row is not None
        s3_key = row.s3_key

        def end() -> None:
            backend.services.lifecycle.garbage.collect(keys.bytes_target(digest))
            backend.services.lifecycle.garbage.collect(keys.key_target(digest, s3_key))

        return end, lambda: a_blob(backend, content, f"admin/second{number}")

    assert everywhere(backend, prepare) > 6


def test_a_crash_anywhere_in_the_end_of_a_manifest_is_made_good(backend: Backend) -> None:
    def prepare(number: int) -> Callable[[], object]:
        repository = f"admin/round{number}"
        child = a_push(backend, repository=repository)
        index = an_index([child.digest], annotations={"padding": "x" * 40_000})
        a_bare_push(backend, index, "v1", repository=repository)
        a_referrer(backend, index.digest, repository)
        delete_tag(backend, "v1", repository)
        later(backend, WINDOW_S + backend.settings.lease_s + 10)
        target = keys.manifest_target(repository_of(backend, repository).id, index.digest)
        return lambda: backend.services.lifecycle.garbage.collect(target)

    rounds = crash_everywhere(backend, prepare)
    outlive(backend)

    assert rounds >= 7
    for number in range(1, rounds + 1):
        repository = f"admin/round{number}"
        assert content_keys(backend, repository) == []
        assert object_keys(backend, f"bodies/{repository_of(backend, repository).id}/") == []


def test_a_crash_anywhere_in_the_end_of_a_blob_is_made_good(backend: Backend) -> None:
    def prepare(number: int) -> Callable[[], object]:
        a_blob(backend, f"round {number}".encode(), f"admin/round{number}")
        later(backend, backend.settings.lease_s + backend.settings.grace_s + 10)
        return lambda: sweep(backend, GARBAGE)

    rounds = crash_everywhere(backend, prepare)
    outlive(backend)

    assert rounds > 8
    assert rows_like(backend, "BLOB#") == []
    for number in range(1, rounds + 1):
        assert object_keys(backend, f"in/{repository_of(backend, f'admin/round{number}').id}/") == []
