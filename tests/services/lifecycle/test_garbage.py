"""Garbage: what nobody can reach is freed, and nothing else is, whoever comes in between."""

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import ManifestUnknown
from chalicelib.domain.names import RepositoryName
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import House
from tests.support.builders import a_bare_push, a_blob, a_config, a_manifest, a_push, a_referrer, an_index, someone
from tests.support.rows import change, due_at, linked_bytes, object_keys, repository_of, rows_like
from tests.support.sweeping import WINDOW_S, delete_tag, held, later, outlive, sweep

NAME = RepositoryName.parse("admin/app")


def window(house: House, seconds: int) -> None:
    change(get(NamespaceRow, keys.namespace(house.account("admin").id)), window_s=seconds)


def delete(house: House, digest: Digest) -> None:
    house.services.manifests.delete(someone(house, "admin", "admin/app"), NAME, digest)


def is_pullable(house: House, reference: Digest | str) -> bool:
    try:
        house.services.manifests.find(someone(house, "admin", "admin/app"), NAME, reference)
    except ManifestUnknown:
        return False
    return True


@pytest.mark.parametrize("how", ["push", "point"])
def test_a_lease_outlives_a_tag_that_somebody_else_gave_and_took(house: House, how: str) -> None:
    """A child of an index that is still on its way."""
    window(house, 0)
    child = a_push(house)
    if how == "push":
        a_bare_push(house, child, "v1")
    else:
        house.services.time_machine.point(house.signed_in("admin"), NAME, "v1", str(child.digest))
    delete_tag(house, "v1")

    sweep(house)

    assert is_pullable(house, child.digest)
    a_bare_push(house, an_index([child.digest]), "v2")
    outlive(house)
    assert is_pullable(house, child.digest)


def test_a_deleted_tag_frees_everything_when_window_and_grace_have_passed(house: House) -> None:
    a_push(house, "v1", layers=2)
    repository = repository_of(house)
    delete_tag(house, "v1")

    later(house, WINDOW_S - 60)
    sweep(house)
    assert len([key for key in held(house) if key.startswith("MAN#")]) == 1
    outlive(house)

    assert held(house) == []
    assert object_keys(house, f"in/{repository.id}/") == []
    assert linked_bytes(house, repository) == (0, 0, 0)
    assert rows_like(house, "BLOB#") == []
    assert rows_like(house, "TIMER#") == []


def test_what_a_tag_names_stays_for_ever(house: House) -> None:
    manifest = a_push(house, "v1")
    outlive(house)

    assert is_pullable(house, "v1")
    assert is_pullable(house, manifest.digest)
    assert rows_like(house, "TIMER#") == []
    invariants.check(house)


def test_blobs_that_nobody_named_go_with_their_lease(house: House) -> None:
    a_blob(house)
    later(house, house.settings.lease_s - 10)
    sweep(house)
    assert len(held(house)) == 1

    outlive(house)
    assert held(house) == []
    assert object_keys(house, f"in/{repository_of(house).id}/") == []


def test_an_untagged_manifest_goes_with_its_lease(house: House) -> None:
    manifest = a_push(house)
    outlive(house)

    assert not is_pullable(house, manifest.digest)
    assert held(house) == []


def test_a_shared_layer_stays_while_one_manifest_uses_it(house: House) -> None:
    layer = a_blob(house)
    for tag in ("v1", "v2"):
        a_bare_push(house, a_manifest([layer], a_blob(house, a_config())), tag)
    delete_tag(house, "v1")
    outlive(house)

    assert f"BLOB#{layer}" in held(house)
    assert len([key for key in held(house) if key.startswith(f"USES#{layer}")]) == 1
    assert len([key for key in held(house) if key.startswith("BLOB#")]) == 2
    invariants.check(house)


def test_bytes_that_another_repository_has_stay(house: House) -> None:
    content = b"shared by two"
    a_bare_push(house, a_manifest([a_blob(house, content)]), "v1")
    a_bare_push(house, a_manifest([a_blob(house, content, "admin/two")]), "v1", repository="admin/two")
    delete_tag(house, "v1")
    outlive(house)

    assert held(house) == []
    assert [row["sk"] for row in rows_like(house, f"BLOB#{Digest.of(content)}")] == [
        f"LINK#{repository_of(house, 'admin/two').id}",
        "META",
    ]
    invariants.check(house)


def test_children_live_with_their_index_and_die_with_it(house: House) -> None:
    children = [a_push(house) for _ in range(2)]
    index = a_bare_push(house, an_index([child.digest for child in children]), "v1")
    outlive(house)
    assert all(is_pullable(house, child.digest) for child in children)

    delete_tag(house, "v1")
    outlive(house)
    assert not is_pullable(house, index.digest)
    assert held(house) == []


def test_a_child_with_a_tag_of_its_own_survives_its_index(house: House) -> None:
    child = a_push(house, "amd64")
    a_bare_push(house, an_index([child.digest]), "v1")
    delete_tag(house, "v1")
    outlive(house)

    assert is_pullable(house, child.digest)
    invariants.check(house)


def test_referrers_die_with_their_subject_and_never_before(house: House) -> None:
    subject = a_push(house, "v1")
    signature = a_referrer(house, subject.digest)
    outlive(house)
    assert is_pullable(house, signature.digest)

    delete_tag(house, "v1")
    outlive(house)
    assert held(house) == []


def test_a_deleted_referrer_goes_though_its_subject_lives(house: House) -> None:
    subject = a_push(house, "v1")
    signature = a_referrer(house, subject.digest)
    delete(house, signature.digest)
    outlive(house)

    assert f"MAN#{signature.digest}" not in held(house)
    assert is_pullable(house, subject.digest)
    assert not [key for key in held(house) if key.startswith("REFERRER#")]


def test_a_long_manifest_s_bytes_leave_the_bucket(house: House) -> None:
    layer = a_blob(house)
    a_bare_push(house, a_manifest([layer], annotations={"padding": "x" * 40_000}), "v1")
    repository = repository_of(house)
    assert len(object_keys(house, f"bodies/{repository.id}/")) == 1

    delete_tag(house, "v1")
    outlive(house)
    assert object_keys(house, f"bodies/{repository.id}/") == []


def test_with_no_window_the_bytes_go_after_lease_and_grace(house: House) -> None:
    window(house, 0)
    a_push(house, "v1")
    delete_tag(house, "v1")
    later(house, house.settings.lease_s + 1)
    sweep(house)
    assert held(house) == []
    assert rows_like(house, "BLOB#", "META")

    later(house, house.settings.grace_s + 1)
    assert sweep(house) > 0
    assert rows_like(house, "BLOB#") == []


def test_a_shorter_window_counts_for_what_died_before(house: House) -> None:
    a_push(house, "v1")
    delete_tag(house, "v1")
    later(house, house.settings.lease_s + 10)
    sweep(house)
    assert held(house)

    window(house, 0)
    repository = repository_of(house)
    (digest,) = [Digest.parse(key.removeprefix("MAN#")) for key in held(house) if key.startswith("MAN#")]
    assert house.services.garbage.collect(keys.manifest_target(repository.id, digest)).again_at is None
    assert not [key for key in held(house) if key.startswith("MAN#")]


def test_a_timer_for_what_has_gone_is_done(house: House) -> None:
    a_push(house, "v1")
    identifier, digest = repository_of(house).id, Digest.of(b"nowhere")
    for target in (
        keys.manifest_target(identifier, digest),
        keys.blob_target(identifier, digest),
        keys.bytes_target(digest),
        keys.key_target(digest, "in/x/y"),
        keys.upload_target("nowhere"),
    ):
        assert house.services.garbage.collect(target).again_at is None
    assert due_at("garbage", keys.bytes_target(digest)) is None
    invariants.check(house)


def test_a_timer_that_is_none_of_these_is_a_bug(house: House) -> None:
    with pytest.raises(ValueError, match="no"):
        house.services.garbage.collect("R#1#TAG#v1#life")


def test_the_calls_grow_with_what_dies_and_not_with_what_lives(house: House) -> None:
    """A layer of a thousand living manifests is looked at with one page of its edges."""
    counted = []
    for living in (1, 40, 120):
        repository = f"admin/living{living}"
        layer = a_blob(house, repository=repository)
        for number in range(living):
            a_bare_push(house, a_manifest([layer]), f"v{number}", repository=repository)
        dying = a_manifest([layer])
        a_bare_push(house, dying, "dying", repository=repository)
        delete_tag(house, "dying", repository)
        later(house, WINDOW_S + house.settings.lease_s + 10)
        identifier = repository_of(house, repository).id
        house.calls.take()
        house.services.garbage.collect(keys.manifest_target(identifier, dying.digest))
        house.services.garbage.collect(keys.blob_target(identifier, layer))
        counted.append(len(house.calls.take()))

    assert counted[0] == counted[1] == counted[2] <= 20
