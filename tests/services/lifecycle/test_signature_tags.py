"""Siblings: signatures and the like die with what they are about, and never before."""

import json
from collections.abc import Callable

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.manifests import Manifest
from chalicelib.domain.names import RepositoryName
from chalicelib.services.lifecycle.signature_tags import SignatureTags
from chalicelib.storage import keys
from chalicelib.storage.activity.usage_log import UsageLogStore
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import House
from tests.support.builders import a_bare_push, a_manifest, a_push
from tests.support.crashes import crash_everywhere, meanwhile
from tests.support.rows import events, repository_of, rows_like
from tests.support.sweeping import WINDOW_S, delete_tag, held, later, outlive, sweep


def name_of(subject: Digest, ending: str = "sig") -> str:
    return f"sha256-{subject.hex}.{ending}"


def a_signed(house: House, *more: str, repository: str = "admin/app") -> tuple[Manifest, Manifest]:
    """An image, and its signature under its tag and others."""
    image = a_push(house, "v1", repository=repository)
    signature = a_bare_push(house, a_manifest(), name_of(image.digest), *more, repository=repository)
    return image, signature


def tags(house: House, repository: str = "admin/app") -> list[str]:
    return [row["name"] for row in rows_like(house, f"R#{repository_of(house, repository).id}", "TAG#")]


def kept(house: House) -> list[str]:
    """Digests of the manifests that are there."""
    return [key.removeprefix("MAN#") for key in held(house) if key.startswith("MAN#")]


def test_they_stay_while_the_subject_can_be_restored_and_go_with_it(house: House) -> None:
    image, signature = a_signed(house)
    for ending in ("att", "sbom"):
        a_bare_push(house, a_manifest(), name_of(image.digest, ending))
    delete_tag(house, "v1")
    later(house, WINDOW_S - 60)
    sweep(house)
    assert len(tags(house)) == 3
    assert str(signature.digest) in kept(house)
    later(house, 120)
    sweep(house)

    assert tags(house) == []
    told = [json.loads(record["metadata"]) for record in events(house, "permanently_delete_tag")]
    assert {one["subject"] for one in told} == {str(image.digest)}
    assert len(told) == 3
    outlive(house)
    assert held(house) == []


def test_another_tag_keeps_what_was_said(house: House) -> None:
    _, signature = a_signed(house, "keep")
    delete_tag(house, "v1")
    outlive(house)

    assert tags(house) == ["keep"]
    assert kept(house) == [str(signature.digest)]
    invariants.check(house)


def test_one_that_was_deleted_before_is_not_kept_by_the_window(house: House) -> None:
    image, signature = a_signed(house)
    delete_tag(house, "v1")
    later(house, WINDOW_S - 60)
    delete_tag(house, name_of(image.digest))
    later(house, 120)
    sweep(house)

    assert str(signature.digest) not in kept(house)


def test_one_that_may_not_change_goes_too(house: House) -> None:
    image, _ = a_signed(house)
    name, admin = RepositoryName.parse("admin/app"), house.signed_in("admin")
    house.services.time_machine.set_immutable(admin, name, name_of(image.digest), immutable=True)
    delete_tag(house, "v1")
    outlive(house)

    assert held(house) == []


def test_what_is_signed_of_others_stays(house: House) -> None:
    a_signed(house)
    other = a_push(house, "v2")
    a_bare_push(house, a_manifest(), name_of(other.digest))
    delete_tag(house, "v1")
    outlive(house)

    assert tags(house) == [name_of(other.digest), "v2"]


def test_a_push_that_brings_the_subject_back_keeps_them(house: House) -> None:
    for number in range(1, 60):
        repository = f"admin/round{number}"
        image, _ = a_signed(house, repository=repository)
        delete_tag(house, "v1", repository)
        later(house, WINDOW_S + 60)
        target = keys.manifest_target(repository_of(house, repository).id, image.digest)

        def again(image: Manifest = image, repository: str = repository) -> None:
            # Whoever pushes again signs again.
            blobs = [blob.digest for blob in image.blobs]
            assert blobs
            a_bare_push(house, image, "v1", repository=repository)
            a_bare_push(house, a_manifest(), name_of(image.digest), repository=repository)

        with meanwhile(house, number, again) as done:
            house.services.garbage.collect(target)
        if not done:
            assert number > 5
            return
        assert "v1" in tags(house, repository)
        assert name_of(image.digest) in tags(house, repository)
        invariants.check(house)
    raise AssertionError("a collection ends")


def test_a_crash_anywhere_is_made_good(house: House) -> None:
    def prepare(number: int) -> Callable[[], object]:
        repository = f"admin/round{number}"
        image, _ = a_signed(house, repository=repository)
        delete_tag(house, "v1", repository)
        later(house, WINDOW_S + 60)
        identifier = repository_of(house, repository).id
        row = get(ManifestRow, keys.manifest(identifier, image.digest))
        assert row is not None
        target = keys.manifest_target(identifier, image.digest)
        return lambda: house.services.garbage.collect(target)

    rounds = crash_everywhere(house, prepare)
    assert rounds >= 7
    for number in range(1, rounds + 2):
        assert tags(house, f"admin/round{number}") == []
    assert len(events(house, "permanently_delete_tag")) == rounds + 1


@pytest.mark.parametrize("has_siblings", [True, False])
def test_a_manifest_without_any_costs_one_look(house: House, has_siblings: bool) -> None:
    image = a_signed(house)[0] if has_siblings else a_push(house, "v1")
    repository = repository_of(house)
    row = get(ManifestRow, keys.manifest(repository.id, image.digest))
    assert row is not None
    services = house.services
    siblings = SignatureTags(
        services._tags, services._manifests, services._repositories, UsageLogStore(60), house.clock
    )
    house.calls.take()
    siblings.end(repository.id, image.digest, row)

    assert (house.calls.take() == ["Query"]) is not has_siblings
