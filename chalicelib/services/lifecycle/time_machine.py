"""The Time Machine: tags moved, given an end, deleted, brought back, and deleted for good, by the API.

What a tag named stays for the namespace's window, and can be named again. Every change is one transaction with its
record; it holds only while the repository is still the one whose rights were read.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from chalicelib.domain.digests import Digest, digest_or_none
from chalicelib.domain.errors import FieldInvalid, RepositoryFrozen, ResourceUnknown, TagImmutable
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
from chalicelib.domain.names import RepositoryName, parse_tag
from chalicelib.domain.permissions import Actor, Role
from chalicelib.domain.policies import from_text
from chalicelib.domain.repositories import Mode, Repository
from chalicelib.domain.states import State
from chalicelib.domain.tags import clamped, end_of, expiry
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.registry.tags import TagChanges, TaggedManifest
from chalicelib.services.security.access import Access, RepositoryAccess
from chalicelib.storage import keys
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.registry.tags import TagRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, retry_on_conflict

# Tags that one transaction changes.
TAGS_AT_ONCE = 10
MODES = {Mode.READ_ONLY: 1, Mode.MIRROR: 2}


@dataclass(frozen=True, slots=True)
class ExpirationBounds:
    """How long at least, and at most, an end that somebody chooses lies behind a tag's beginning, in seconds."""

    min_s: int
    max_s: int


@dataclass(frozen=True, slots=True)
class _TagChange:
    """One transaction in the making: where, by whom, at which second."""

    actor: Actor
    repository: Repository
    transaction: Transaction
    moves: TagChanges
    now: int
    window_s: int


class TimeMachine:
    """Changes of tags by the API."""

    def __init__(self, access: Access, usage: UsageLog, stores: Stores) -> None:
        self._access, self._usage, self._tags, self._manifests = access, usage, stores.tags, stores.manifests
        self._repositories, self._accounts = stores.repositories, stores.accounts
        self._bounds = ExpirationBounds(stores.settings.tag_expiration_min_s, stores.settings.tag_expiration_max_s)
        self._clock = stores.clock

    def check(self, actor: Actor, name: RepositoryName, tag: str) -> None:
        """Whether the actor may change a tag of this name. Raises as `set_end` does."""
        self._writable(actor, name)
        parse_tag(tag)

    def set_end(self, actor: Actor, name: RepositoryName, tag: str, expires_at: int | None) -> None:
        """Gives a tag an end, in seconds since the epoch, or none; within the bounds from its beginning.

        Raises FieldInvalid for an end that has passed, TagInvalid, TagImmutable, NothingThere, RepositoryFrozen,
        Unauthenticated, Denied, NameUnknown.
        """
        parse_tag(tag)
        if expires_at is not None and expires_at <= self._clock():
            raise FieldInvalid("expiration", "this second has passed: say one that is to come, since the epoch")

        def change(made: _TagChange) -> None:
            row = self._alive(made, tag)
            end = clamped(expires_at, row.started_at, self._bounds.min_s, self._bounds.max_s)
            if end is not None:
                made.moves.check_mutable(row)
            before = row.expires_at
            if end == before:
                return
            row.expires_at = end
            made.moves.change(row, made.window_s)
            told = {"expiration_date": end, "old_expiration_date": before}
            self._record(made, CHANGE_EXPIRATION, tag, row.digest, told)

        self._change(actor, name, change)

    def end_after(self, actor: Actor, name: RepositoryName, digest: Digest, seconds: int) -> None:
        """Gives each tag that names a manifest the end that lies so long behind its beginning, now where that passed.

        Raises TagImmutable, before any is changed, where one may not have an end; RepositoryFrozen, Denied,
        NameUnknown.
        """
        repository, now = self._writable(actor, name).repository, self._clock()
        names = [edge.tag for edge in self._manifests.tagged(repository.id, digest) if edge.until > now]
        for row in self._tags.get_all(repository.id, names).values():
            if row.digest == digest and row.is_alive(now) and row.immutable:
                raise TagImmutable(str(name), row.name)
        for start in range(0, len(names), TAGS_AT_ONCE):
            some = names[start : start + TAGS_AT_ONCE]
            self._change(actor, name, partial(self._end_some, some, digest, seconds))

    def _end_some(self, names: Sequence[str], digest: Digest, seconds: int, made: _TagChange) -> None:
        for row in self._tags.get_all(made.repository.id, names).values():
            # Who is in the Time Machine stays there for the whole window, which begins now.
            end, before = max(row.started_at + seconds, made.now), row.expires_at
            if row.digest != digest or not row.is_alive(made.now) or end == before:
                continue
            made.moves.check_mutable(row)
            row.expires_at = end
            made.moves.note(row)
            told = {"expiration_date": end, "old_expiration_date": before}
            self._record(made, CHANGE_EXPIRATION, row.name, digest, told)
        made.moves.settle(made.window_s)

    def set_immutable(self, actor: Actor, name: RepositoryName, tag: str, *, immutable: bool) -> None:
        """Lets a tag change no more, or again. Raises FieldInvalid for one that has an end; else as `set_end` does."""
        parse_tag(tag)

        def change(made: _TagChange) -> None:
            row = self._alive(made, tag)
            if immutable and row.expires_at is not None:
                why = (
                    f"Cannot make tag '{tag}' immutable: tag has expiration set. Clear expiration first or enable"
                    " FEATURE_IMMUTABLE_TAGS_CAN_EXPIRE."
                )
                raise FieldInvalid("", why)
            if bool(row.immutable) is immutable:
                return
            row.immutable = int(immutable)
            made.moves.change(row, made.window_s)
            self._record(made, CHANGE_IMMUTABILITY, tag, row.digest, {"immutable": immutable})

        self._change(actor, name, change)

    def point(self, actor: Actor, name: RepositoryName, tag: str, digest: str) -> None:
        """Points a tag, new or old, to a manifest that can be pulled.

        Raises as `set_end` does, and NothingThere for a digest that is not there.
        """
        parse_tag(tag)

        def change(made: _TagChange) -> None:
            manifest = self._manifest(made.repository, digest)
            if not manifest.is_pullable:
                raise ResourceUnknown("manifest", digest)
            stored = self._tags.get(made.repository.id, tag)
            self._begin(made, tag, manifest, stored)
            original = str(stored.digest) if stored and stored.is_alive(made.now) else None
            told = {"original_manifest_digest": original} if original else {}
            self._record(made, MOVE_TAG if original else CREATE_TAG, tag, Digest.parse(digest), told)

        self._change(actor, name, change)

    def restore(self, actor: Actor, name: RepositoryName, tag: str, digest: str) -> None:
        """Points a tag to a manifest that is still kept, be it deleted or expired, whatever named it.

        Raises as `point` does.
        """
        parse_tag(tag)

        def change(made: _TagChange) -> None:
            manifest = self._manifest(made.repository, digest)
            stored = self._tags.get(made.repository.id, tag)
            self._begin(made, tag, manifest, stored, reversion=True)
            self._record(made, REVERT_TAG, tag, Digest.parse(digest), {})

        self._change(actor, name, change)

    def delete(self, actor: Actor, name: RepositoryName, tag: str) -> None:
        """Takes a tag away; what it named stays for the window. Raises as `set_end` does."""

        def change(made: _TagChange) -> None:
            row = self._alive(made, tag)
            made.moves.end(row)
            made.moves.settle(made.window_s)
            self._record(made, DELETE_TAG, tag, row.digest, {})

        self._change(actor, name, change)

    def expire(self, actor: Actor, name: RepositoryName, tag: str, digest: str, *, is_alive: bool) -> None:
        """Lets the Time Machine forget that a tag named a manifest: with no other tag on it, it goes at once.

        `is_alive` is for a tag that names it still, which is taken away first. Raises as `set_end` does, but for
        RepositoryFrozen: what is dead may be buried anywhere.
        """

        def change(made: _TagChange) -> None:
            found = digest_or_none(digest)
            row = self._tags.get(made.repository.id, tag)
            named_now = row is not None and row.is_alive(made.now) and row.digest == found
            edge = self._manifests.edge(made.repository.id, found, tag) if found else None
            if found is None or edge is None or named_now is not is_alive:
                raise ResourceUnknown("tag", tag)
            if row is not None and named_now:
                made.moves.end(row)
            made.moves.forget(found, tag)
            made.moves.settle(made.window_s)
            self._record(made, EXPIRE_FOR_GOOD, tag, found, {})

        self._change(actor, name, change, is_frozen=True)

    def _change(
        self, actor: Actor, name: RepositoryName, change: Callable[[_TagChange], None], *, is_frozen: bool = False
    ) -> None:
        """Lets `change` fill a transaction, and commits it while the repository is the one whose rights were read.

        `is_frozen` is whether that may be one whose tags do not change now.
        """

        def attempt() -> None:
            repository_access = self._writable(actor, name, is_frozen=is_frozen)
            repository = repository_access.repository
            namespace = self._accounts.namespace(repository.namespace_id)
            if namespace is None or namespace.state != "live":
                raise ResourceUnknown("repository", str(repository.name))
            transaction, now = Transaction(), int(self._clock())
            rules = from_text(namespace.immutability) + from_text(repository_access.row.immutability)
            moves = TagChanges(transaction, repository, (self._manifests, self._tags), now, rules)
            made = _TagChange(actor, repository, transaction, moves, now, namespace.window_s)
            change(made)
            if not transaction.is_empty:
                self._repositories.still(transaction, repository)
                transaction.commit()

        retry_on_conflict(attempt)

    def _writable(self, actor: Actor, name: RepositoryName, *, is_frozen: bool = False) -> RepositoryAccess:
        repository_access = self._access.require_role(actor, name, Role.WRITE)
        if not is_frozen:
            check_open(repository_access)
        return repository_access

    def _alive(self, made: _TagChange, tag: str) -> TagRow:
        row = self._tags.get(made.repository.id, tag)
        if row is None or not row.is_alive(made.now):
            raise ResourceUnknown("tag", tag)
        return row

    def _manifest(self, repository: Repository, digest: str) -> ManifestRow:
        """A manifest that is kept. Raises NothingThere."""
        found = digest_or_none(digest)
        row = self._manifests.get(repository.id, found) if found else None
        if row is None or not row.is_living:
            raise ResourceUnknown("manifest", digest)
        return row

    def _begin(
        self, made: _TagChange, tag: str, row: ManifestRow, stored: TagRow | None, *, reversion: bool = False
    ) -> None:
        """Points the tag, and makes the manifest live with it."""
        digest = keys.manifest_digest(row.sk)
        end = expiry(row.expires_after, made.now)
        named = TaggedManifest(digest, row.media_type, row.size, row.layers_size)
        made.moves.begin(tag, named, end, stored, reversion=reversion)
        for fixed in made.moves.fixed:
            self._record(made, TAG_FIXED, fixed, digest, {})
        if row.deleted_at is not None:
            self._manifests.show_referrer(made.transaction, made.repository.id, row, digest)
        row.state, row.deleted_at = State.LIVE.value, None
        row.live_until = made.moves.remaining(digest, {tag: end_of(end)})
        made.moves.settle(made.window_s, beside=digest)
        self._manifests.put(made.transaction, row, row)

    def _record(self, made: _TagChange, kind: str, tag: str, digest: Digest, told: Mapping[str, object]) -> None:
        name = made.repository.name
        shared = {"username": made.actor.name, "repo": name.repository, "namespace": name.namespace, "tag": tag}
        metadata = {**shared, "manifest_digest": str(digest), **told}
        self._usage.record(made.actor, made.transaction, kind, made.repository, metadata)


def check_open(repository_access: RepositoryAccess) -> None:
    """Raises RepositoryFrozen where nothing may change what a repository holds."""
    if number := MODES.get(Mode(repository_access.row.mode)):
        raise RepositoryFrozen(number)
