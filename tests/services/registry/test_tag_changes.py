"""Changes of tags within one transaction, with their edges, lives and manifests."""

import pytest

from chalicelib.domain.errors import TagImmutable
from chalicelib.domain.policies import TagNames
from chalicelib.services.registry.tag_changes import NewLife, TagChanges, TaggedManifest
from chalicelib.storage.registry.tags import TagRow
from chalicelib.storage.table import Transaction
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import push_image
from tests.support.rows import repository_of, rows_like
from tests.support.tag_actions import TagActions

WINDOW_S = 3600


def changes_of(backend: Backend, *rules: TagNames) -> tuple[Transaction, TagChanges]:
    transaction = Transaction()
    stores, now = backend.services.stores, int(backend.clock())
    return transaction, TagChanges(transaction, repository_of(backend), stores, now, rules)


def row_of(backend: Backend, tag: str) -> TagRow:
    row = backend.services.stores.tags.get(repository_of(backend).id, tag)
    assert row is not None
    return row


def test_several_tags_move_in_one_transaction_and_their_former_manifest_ends(backend: Backend) -> None:
    old = push_image(backend, "v1", "v2")
    new = push_image(backend, "v3")
    transaction, changes = changes_of(backend)
    for tag in ("v1", "v2"):
        named = TaggedManifest(new.digest, new.media_type, new.size, new.layers_size)
        changes.begin(tag, named, NewLife(), row_of(backend, tag))
    changes.settle(WINDOW_S, beside=new.digest)
    transaction.commit()

    assert {row_of(backend, tag).digest for tag in ("v1", "v2", "v3")} == {new.digest}
    manifest = backend.services.stores.manifests.get(repository_of(backend).id, old.digest)
    assert manifest is not None
    assert manifest.live_until == int(backend.clock()) or manifest.live_until == int(backend.clock()) - 1
    invariants.check(backend)


def test_an_immutable_tag_is_removed_only_by_force(backend: Backend) -> None:
    push_image(backend, "v1")
    TagActions(backend).set_immutable("v1", immutable=True)
    transaction, changes = changes_of(backend)
    with pytest.raises(TagImmutable):
        changes.end(row_of(backend, "v1"))
    changes.force_remove(row_of(backend, "v1"))
    changes.settle(WINDOW_S)
    transaction.commit()

    assert rows_like(backend, "R#", "TAG#v1") == []
    invariants.check(backend)


def test_a_tag_that_begins_under_a_policy_is_made_immutable_and_listed(backend: Backend) -> None:
    manifest = push_image(backend, "w1")
    transaction, changes = changes_of(backend, TagNames("v.*"))
    named = TaggedManifest(manifest.digest, manifest.media_type, manifest.size)
    for tag in ("v1", "x1"):
        changes.begin(tag, named, NewLife(), None)
    transaction.commit()

    assert changes.made_immutable == ["v1"]
    assert (row_of(backend, "v1").immutable, row_of(backend, "x1").immutable) == (1, 0)


def test_an_immutable_tag_can_be_moved_by_a_change_that_makes_it_mutable(backend: Backend) -> None:
    push_image(backend, "v1")
    TagActions(backend).set_immutable("v1", immutable=True)
    other = push_image(backend, "v2")
    named = TaggedManifest(other.digest, other.media_type, other.size)
    _, changes = changes_of(backend)
    with pytest.raises(TagImmutable):
        changes.begin("v1", named, NewLife(), row_of(backend, "v1"))
    transaction, changes = changes_of(backend)
    changes.begin("v1", named, NewLife(immutable=False), row_of(backend, "v1"))
    changes.settle(WINDOW_S, beside=other.digest)
    transaction.commit()

    assert (row_of(backend, "v1").digest, row_of(backend, "v1").immutable) == (other.digest, 0)
