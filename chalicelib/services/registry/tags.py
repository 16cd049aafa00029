"""Lists, changes and deletes tags, restores them from the Time Machine, and makes it forget them.

A manifest that a tag named stays for the namespace's window, and the tag can be restored. Every change is one
transaction with its record; it is written only if the repository is still the one whose rights were read.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import ManifestUnknown, RegistryError, RepositoryFrozen, ResourceUnknown, TagImmutable
from chalicelib.domain.events import (
    CHANGE_EXPIRATION,
    CHANGE_IMMUTABILITY,
    CREATE_TAG,
    DELETE_TAG,
    EXPIRE_FOR_GOOD,
    MOVE_TAG,
    REVERT_TAG,
    TAG_FIXED,
)
from chalicelib.domain.manifest_changes import after_tag
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.pages import Page
from chalicelib.domain.permissions import DELETE, TO_DELETE, Actor, Role
from chalicelib.domain.policies import from_text
from chalicelib.domain.repositories import Mode, Repository
from chalicelib.domain.states import NamespaceState, State
from chalicelib.domain.tag_changes import ExpirationBounds, TagState, TagUpdate, immutability
from chalicelib.domain.tags import end_of, expiry
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.registry.manifest_keepers import ManifestKeepers
from chalicelib.services.registry.tag_changes import NewLife, TagChanges, TaggedManifest
from chalicelib.services.registry.tagged_indexes import TaggedIndexes
from chalicelib.services.security.access import Access, RepositoryAccess
from chalicelib.storage import keys
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.registry.tags import TagRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch, Transaction, retry_on_conflict

# How many tags one transaction changes: each takes up to six of its hundred items.
TAGS_AT_ONCE = 10
FROZEN_MODES = {Mode.READ_ONLY: 1, Mode.MIRROR: 2, Mode.ORG_MIRROR: 4}


@dataclass(frozen=True, slots=True)
class _Change:
    """One transaction that is being filled: where, by whom, at which second."""

    actor: Actor
    repository: Repository
    transaction: Transaction
    tags: TagChanges
    now: int
    window_s: int


class Tags:
    """Tags of repositories."""

    def __init__(self, access: Access, usage_log: UsageLog, stores: Stores) -> None:
        self._access, self._usage_log, self._stores = access, usage_log, stores
        self._tags, self._manifests, self._clock = stores.tags, stores.manifests, stores.clock
        settings, self._keepers, self._indexes = stores.settings, ManifestKeepers(stores), TaggedIndexes(stores)
        self._bounds = ExpirationBounds(settings.tag_expiration_min_s, settings.tag_expiration_max_s)

    def list(self, actor: Actor, name: RepositoryName, last: Tag | None, size: int) -> Page[str]:
        """Returns the names of at most `size` tags past `last`, in order of their bytes.

        Raises Unauthenticated, NameUnknown.
        """
        repository = self._access.repository(actor, name)
        if size == 0:
            return Page([])
        names: list[str] = []
        for tag in self._tags.list(repository.id, last or "", size + 1, self._clock()):
            names.append(tag)
            if len(names) > size:
                break
        return Page(names[:size], more=len(names) > size)

    def delete_granted(self, actor: Actor, name: RepositoryName, tag: Tag) -> None:
        """Deletes a tag by the grant of a registry token.

        Raises Unauthenticated, Denied, NameUnknown, TagImmutable; ManifestUnknown where there is no such tag.
        """
        repository = self._access.repository(actor, name, TO_DELETE)

        def attempt() -> None:
            batch, now = Batch(), int(self._clock())
            rights = self._access.recheck(batch, actor, repository)
            read = batch.add(TagRow, keys.tag(repository.id, tag))
            batch.read()
            rights.check(DELETE)
            transaction = Transaction()
            changes = TagChanges(transaction, repository, self._stores, now)
            change = _Change(actor, repository, transaction, changes, now, rights.window_s)
            self._delete(change, _alive(read.row, now, ManifestUnknown(str(name), tag)))
            transaction.commit()

        retry_on_conflict(attempt)

    def delete(self, actor: Actor, name: RepositoryName, tag: Tag) -> None:
        """Deletes a tag by a role; its manifest stays for the window. Raises as `update` does."""
        self._change(actor, name, lambda change: self._delete(change, self._row(change, tag)))

    def _delete(self, change: _Change, row: TagRow) -> None:
        change.tags.end(row)
        change.tags.settle(change.window_s)
        self._record(change, DELETE_TAG, row.name, row.digest)

    def update(self, actor: Actor, name: RepositoryName, tag: Tag, update: TagUpdate) -> None:
        """Sets a tag's end, makes it immutable or mutable, and points it to a manifest: all or nothing.

        Only an update with a digest can create a tag. Raises FieldInvalid, TagImmutable,
        ResourceUnknown for the tag or the manifest, RepositoryFrozen, Unauthenticated, Denied, NameUnknown.
        """
        update.check(self._clock())
        self._change(actor, name, partial(self._update, tag, update))

    def _update(self, tag: Tag, update: TagUpdate, change: _Change) -> None:
        stored = self._tags.get(change.repository.id, tag)
        if update.sets_end or update.immutable is not None:
            stored = self._row(change, tag, stored)
        if update.digest is not None:
            self._point(change, tag, update, stored)
        elif stored is not None:
            self._set(change, update, stored)

    def _set(self, change: _Change, update: TagUpdate, row: TagRow) -> None:
        """Writes another end, another immutability, or both."""
        before = row.state
        if update.sets_end:
            row.expires_at = self._new_end(change, update, row)
        row.immutable = int(immutability(before, update, row.expires_at, row.name))
        if row.state != before:
            change.tags.change(row, change.window_s)
        self._record_differences(change, row.name, before, row.state)

    def _record_differences(self, change: _Change, tag: str, before: TagState, after: TagState) -> None:
        if after.expires_at != before.expires_at:
            ends = {"expiration_date": after.expires_at, "old_expiration_date": before.expires_at}
            self._record(change, CHANGE_EXPIRATION, tag, before.digest, **ends)
        if after.immutable is not before.immutable:
            self._record(change, CHANGE_IMMUTABILITY, tag, before.digest, immutable=after.immutable)

    def _new_end(self, change: _Change, update: TagUpdate, row: TagRow) -> int | None:
        end = self._bounds.end(update.expires_at, row.started_at)
        if end is not None:
            change.tags.check_mutable(row)
        return end

    def _point(self, change: _Change, tag: Tag, update: TagUpdate, stored: TagRow | None) -> None:
        """Points a tag to a manifest that can be pulled; a requested end counts before that of the manifest's label."""
        digest = update.digest
        manifest = self._manifest(change, digest)
        if digest is None or not self._indexes.is_pullable(change.repository.id, digest, manifest):
            raise ResourceUnknown("manifest", str(digest))
        original = stored.digest if stored and stored.is_alive(change.now) else None
        end = self._bounds.end(update.expires_at, change.now) if update.sets_end else _labelled_end(manifest, change)
        if stored is not None and (update.sets_end or update.immutable is not None):
            before = stored.state
            after = replace(before, expires_at=end, immutable=immutability(before, update, end, tag))
            self._record_differences(change, tag, before, after)
        self._begin(change, tag, manifest, NewLife(end, immutable=update.immutable), stored)
        moved = {"original_manifest_digest": str(original)} if original else {}
        self._record(change, MOVE_TAG if original else CREATE_TAG, tag, digest, **moved)

    def require_mutable(self, actor: Actor, name: RepositoryName, digest: Digest) -> None:
        """Raises TagImmutable if a tag that names a manifest is immutable; RepositoryFrozen, Denied, NameUnknown."""
        repository = self._writable(actor, name).repository
        for row in self._tags.get_all(repository.id, self._names_on(repository, digest)).values():
            if row.digest == digest and not row.state.may_change(self._clock()):
                raise TagImmutable(str(name), row.name)

    def _names_on(self, repository: Repository, digest: Digest) -> Sequence[str]:
        now = self._clock()
        return [edge.tag for edge in self._manifests.tagged(repository.id, digest) if edge.until > now]

    def end_after(self, actor: Actor, name: RepositoryName, digest: Digest, seconds: int) -> None:
        """Ends each tag that names a manifest so many seconds after its start, or now if that has passed.

        Raises TagImmutable, RepositoryFrozen, Denied, NameUnknown.
        """
        names = self._names_on(self._writable(actor, name).repository, digest)
        for start in range(0, len(names), TAGS_AT_ONCE):
            self._change(actor, name, partial(self._end_some, names[start : start + TAGS_AT_ONCE], digest, seconds))

    def _end_some(self, names: Sequence[str], digest: Digest, seconds: int, change: _Change) -> None:
        for row in self._tags.get_all(change.repository.id, names).values():
            # A tag in the Time Machine stays there for the whole window, which begins now.
            end = max(row.started_at + seconds, change.now)
            if row.digest != digest or not row.is_alive(change.now) or end == row.expires_at:
                continue
            change.tags.check_mutable(row)
            before = row.state
            row.expires_at = end
            change.tags.note(row)
            self._record_differences(change, row.name, before, row.state)
        change.tags.settle(change.window_s)

    def restore(self, actor: Actor, name: RepositoryName, tag: Tag, digest: Digest) -> None:
        """Points a tag to a manifest that is still kept, even if it is deleted or expired, or another tag named it.

        Raises as `update` does.
        """

        def change_tag(change: _Change) -> None:
            manifest = self._manifest(change, digest)
            stored = self._tags.get(change.repository.id, tag)
            life = NewLife(_labelled_end(manifest, change), is_reversion=True)
            self._begin(change, tag, manifest, life, stored)
            self._record(change, REVERT_TAG, tag, digest)

        self._change(actor, name, change_tag)

    def forget(self, actor: Actor, name: RepositoryName, tag: Tag, digest: Digest, *, is_alive: bool) -> None:
        """Makes the Time Machine forget that a tag named a manifest, which is deleted now if no other tag keeps it.

        The tag's history forgets it too. `is_alive` says that the tag still names the manifest; it is deleted first.
        Raises as `update` does, but not RepositoryFrozen: the past of a frozen repository may be forgotten.
        """

        def change_tag(change: _Change) -> None:
            row = self._tags.get(change.repository.id, tag)
            names_it = row is not None and row.is_alive(change.now) and row.digest == digest
            edge = self._manifests.edge(change.repository.id, digest, tag)
            if edge is None or names_it is not is_alive:
                raise ResourceUnknown("tag", tag)
            if row is not None and names_it:
                change.tags.end_for_good(row)
            else:
                change.tags.forget(digest, tag)
            # First, since the edge lets an interrupted call be repeated.
            self._tags.remove_ended_lives(change.repository.id, tag, digest, change.now)
            change.tags.settle(change.window_s)
            self._record(change, EXPIRE_FOR_GOOD, tag, digest)

        self._change(actor, name, change_tag, is_frozen_too=True)

    def _change(
        self, actor: Actor, name: RepositoryName, change_tags: Callable[[_Change], None], *, is_frozen_too: bool = False
    ) -> None:
        """Lets `change_tags` fill a transaction; commits it while the repository is the one whose rights were read.

        `is_frozen_too` lets it change a repository whose tags do not change now.
        """

        def attempt() -> None:
            access = self._writable(actor, name, is_frozen_too=is_frozen_too)
            repository = access.repository
            namespace = self._stores.accounts.namespace(repository.namespace_id)
            if namespace is None or namespace.state != NamespaceState.LIVE:
                raise ResourceUnknown("repository", str(repository.name))
            transaction, now = Transaction(), int(self._clock())
            rules = from_text(namespace.immutability) + from_text(access.row.immutability)
            tags = TagChanges(transaction, repository, self._stores, now, rules)
            change_tags(_Change(actor, repository, transaction, tags, now, namespace.window_s))
            if not transaction.is_empty:
                self._stores.repositories.require_unchanged(transaction, repository)
                transaction.commit()

        retry_on_conflict(attempt)

    def _writable(self, actor: Actor, name: RepositoryName, *, is_frozen_too: bool = False) -> RepositoryAccess:
        access = self._access.require_role(actor, name, Role.WRITE)
        if not is_frozen_too:
            check_open(access)
        return access

    def _row(self, change: _Change, tag: Tag, stored: TagRow | None = None) -> TagRow:
        """Returns the row of a tag that is alive, read unless it is given. Raises ResourceUnknown."""
        row = stored or self._tags.get(change.repository.id, tag)
        return _alive(row, change.now, ResourceUnknown("tag", tag))

    def _manifest(self, change: _Change, digest: Digest | None) -> ManifestRow:
        """Returns a manifest that is kept. Raises ResourceUnknown."""
        row = self._manifests.get(change.repository.id, digest) if digest else None
        if row is None or not self._keepers.keep(change.repository.id, row, change.now, change.window_s):
            raise ResourceUnknown("manifest", str(digest))
        return row

    def _begin(self, change: _Change, tag: Tag, row: ManifestRow, life: NewLife, stored: TagRow | None) -> None:
        """Points a tag to a manifest, which lives as long as the tag."""
        digest = keys.manifest_digest(row.sk)
        named = TaggedManifest(digest, row.media_type, row.size, row.layers_size)
        change.tags.begin(tag, named, life, stored)
        for name in change.tags.made_immutable:
            self._record(change, TAG_FIXED, name, digest)
        if row.deleted_at is not None:
            self._manifests.show_referrer(change.transaction, change.repository.id, row, digest)
        live_until = change.tags.remaining(digest, {tag: end_of(life.expires_at)})
        row.retain(after_tag(row.retained, live_until), State.LIVE)
        change.tags.settle(change.window_s, beside=digest)
        self._manifests.put(change.transaction, row, row)

    def _record(self, change: _Change, kind: str, tag: str, digest: Digest, **details: object) -> None:
        name = change.repository.name
        metadata: Mapping[str, object] = {
            "username": change.actor.name,
            "repo": name.repository,
            "namespace": name.namespace,
            "tag": tag,
            "manifest_digest": str(digest),
            **details,
        }
        self._usage_log.record_for_repository(change.actor, change.transaction, kind, change.repository, metadata)


def check_open(access: RepositoryAccess) -> None:
    """Raises RepositoryFrozen if the repository is read-only or a mirror."""
    if number := FROZEN_MODES.get(access.row.mode):
        raise RepositoryFrozen(number)


def _alive(row: TagRow | None, now: int, error: RegistryError) -> TagRow:
    """Returns the row of a tag that is alive; raises the error for any other."""
    if row is None or not row.is_alive(now):
        raise error
    return row


def _labelled_end(manifest: ManifestRow, change: _Change) -> int | None:
    """Returns the end that the manifest's label `quay.expires-after` gives a tag that begins now."""
    return expiry(manifest.expiry_label, change.now)
