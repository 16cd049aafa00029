"""Stores manifests, their bytes and their edges."""

import json
from collections.abc import Iterable, Iterator

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition

from chalicelib.domain.digests import Digest
from chalicelib.domain.manifest_changes import Retained
from chalicelib.domain.manifests import Descriptor, Manifest, children_of
from chalicelib.domain.states import State
from chalicelib.domain.timers import GARBAGE
from chalicelib.storage import bucket_keys, keys
from chalicelib.storage.attributes import (
    EnumText,
    Integer,
    OptionalBytes,
    OptionalDigest,
    OptionalInteger,
    OptionalText,
)
from chalicelib.storage.objects import ObjectStore
from chalicelib.storage.registry.blobs import UsesRow
from chalicelib.storage.table import BATCH_WRITE, Batch, Row, Transaction, absent, get, put_all, query
from chalicelib.storage.timers import timer

# Longer manifests are stored in S3: an item has at most 400 KB, and a read costs a unit per 4 KB.
LARGEST_INLINE = 32 * 1024
# The most bytes of annotations in a referrer's edge; longer ones are read from the manifest.
LARGEST_ANNOTATIONS = 8 * 1024


class ManifestRow(Row):
    """The state of a manifest. `ulid` is that of its last push, `version` counts the writes.

    `live_until` is the end of the last tag that points to it, None if there is no such tag.
    """

    media_type = UnicodeAttribute()
    size = Integer()
    subject = OptionalDigest()
    artifact_type = OptionalText()
    state = EnumText(State, default=State.LIVE)
    version = Integer(default=0)
    ulid = UnicodeAttribute()
    pushed_at = Integer()
    live_until = OptionalInteger()
    leased_until = OptionalInteger()
    deleted_at = OptionalInteger()
    # The label `quay.expires-after` as it was written in the image. It applies to every tag that points here.
    expires_after = OptionalText()
    # The same label where it was added over the API: the last one of these.
    added_expires_after = OptionalText()
    built_at = OptionalInteger()
    layers_size = OptionalInteger()
    # 1 once a label was added, so that the collector queries labels only for such manifests.
    labeled = OptionalInteger()

    @property
    def is_living(self) -> bool:
        """Whether it keeps the blobs and manifests that it names."""
        return self.state.is_living

    @property
    def is_pullable(self) -> bool:
        """Whether it can be pulled by digest, even if no index with a tag names it."""
        return self.is_living and self.deleted_at is None

    @property
    def expiry_label(self) -> str | None:
        """The label `quay.expires-after` for a tag that begins now: one that was added counts before the image's."""
        return self.added_expires_after or self.expires_after

    @property
    def retained(self) -> Retained:
        """What keeps the manifest, as a value of the domain."""
        return Retained(self.pushed_at, self.live_until, self.leased_until, self.deleted_at)

    def retain(self, retained: Retained, state: State) -> None:
        """Sets what keeps the manifest, and its state."""
        self.pushed_at, self.live_until = retained.pushed_at, retained.live_until
        self.leased_until, self.deleted_at = retained.leased_until, retained.deleted_at
        self.state = state


class BodyRow(Row):
    """A manifest's bytes, or their S3 key."""

    ulid = UnicodeAttribute()
    content = OptionalBytes()
    s3_key = OptionalText()


class TaggedRow(Row):
    """The edge by which a tag keeps a manifest. `until` is the end of the tag's last life on this manifest."""

    tag = UnicodeAttribute()
    until = Integer()


class ParentRow(Row):
    """The edge by which an index keeps a manifest."""

    parent = UnicodeAttribute()
    ulid = UnicodeAttribute()


class ReferrerRow(Row):
    """The edge by which a subject keeps a referrer, with all that the list of referrers shows."""

    digest = UnicodeAttribute()
    media_type = UnicodeAttribute()
    size = Integer()
    artifact_type = OptionalText()
    # JSON; None if too long for an edge.
    annotations = OptionalText()
    deleted_at = OptionalInteger()
    ulid = UnicodeAttribute()


class ManifestStore:
    """The manifests in the table, with those above 32 KB in S3."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def get(self, repository_id: str, digest: Digest) -> ManifestRow | None:
        """Returns a manifest's state."""
        return get(ManifestRow, keys.manifest(repository_id, digest))

    def get_all(self, repository_id: str, digests: Iterable[Digest]) -> dict[Digest, ManifestRow]:
        """Returns the manifests that exist, by digest."""
        batch = Batch()
        reads = {digest: batch.add(ManifestRow, keys.manifest(repository_id, digest)) for digest in digests}
        if reads:
            batch.read()
        return {digest: read.row for digest, read in reads.items() if read.row}

    def children(self, repository_id: str, indexes: Iterable[Digest]) -> dict[Digest, list[Descriptor]]:
        """Returns the entries of indexes, for the indexes that exist."""
        batch = Batch()
        reads = {digest: batch.add(BodyRow, keys.body(repository_id, digest)) for digest in indexes}
        if reads:
            batch.read()
        bodies = {digest: self.content(read.row) for digest, read in reads.items()}
        return {digest: children_of(body) for digest, body in bodies.items() if body is not None}

    def parents(self, repository_id: str, digest: Digest) -> Iterator[Digest]:
        """Yields the indexes that have an edge to a manifest, also those whose push failed."""
        return (Digest.parse(row.parent) for row in query(ParentRow, keys.parent(repository_id, digest)))

    def body_row(self, repository_id: str, digest: Digest) -> BodyRow | None:
        """Returns the row of a manifest's bytes."""
        return get(BodyRow, keys.body(repository_id, digest))

    def get_body(self, repository_id: str, digest: Digest) -> bytes | None:
        """Returns a manifest's bytes; None if it does not exist."""
        return self.content(self.body_row(repository_id, digest))

    def get_whole(self, repository_id: str, digest: Digest) -> tuple[ManifestRow | None, bytes | None]:
        """Returns a manifest's state and bytes, with one read of the table."""
        batch = Batch()
        row = batch.add(ManifestRow, keys.manifest(repository_id, digest))
        body = batch.add(BodyRow, keys.body(repository_id, digest))
        batch.read()
        return row.row, self.content(body.row)

    def content(self, row: BodyRow | None) -> bytes | None:
        """Returns the bytes of a body row, from S3 if they are there."""
        if row is None:
            return None
        if row.content is not None:
            return row.content
        return self._objects.get(row.s3_key) if row.s3_key else b""

    def has_few_edges(self, manifest: Manifest) -> bool:
        """Whether one call writes the edges of a manifest and their timer."""
        return len(manifest.kept_blobs) + len(manifest.children) < BATCH_WRITE

    def write_edges(self, repository_id: str, manifest: Manifest, ulid: str, leased_until: int) -> None:
        """Writes the edges of a manifest before its push, and a timer that removes them if the push fails."""
        digest = manifest.digest
        rows: list[Row] = [timer(GARBAGE, keys.manifest_target(repository_id, digest), leased_until)]
        rows.extend(
            UsesRow.under(keys.uses(repository_id, blob, digest), manifest=str(digest), ulid=ulid)
            for blob in dict.fromkeys(blob.digest for blob in manifest.kept_blobs)
        )
        rows.extend(
            ParentRow.under(keys.parent(repository_id, child, digest), parent=str(digest), ulid=ulid)
            for child in dict.fromkeys(child.digest for child in manifest.children)
        )
        put_all(rows)

    def put_body(self, repository_id: str, manifest: Manifest, ulid: str) -> BodyRow:
        """Creates the row of a manifest's bytes, which the caller writes; writes long manifests to S3."""
        row = BodyRow.under(keys.body(repository_id, manifest.digest), ulid=ulid)
        if manifest.size <= LARGEST_INLINE:
            row.content = manifest.content
        else:
            row.s3_key = bucket_keys.manifest_body(repository_id, ulid)
            self._objects.put(row.s3_key, manifest.content, Digest.of(manifest.content))
        return row

    def move_body(self, transaction: Transaction, repository_id: str, digest: Digest, ulid: str) -> None:
        """Gives the bytes of a live manifest the ULID of a later push."""
        body = BodyRow.under(keys.body(repository_id, digest))
        transaction.update(body, BodyRow.ulid.set(ulid), condition=BodyRow.pk.exists())

    def put(self, transaction: Transaction, row: ManifestRow, stored: ManifestRow | None) -> None:
        """Writes a manifest's state if it is as it was read."""
        condition = unchanged(stored)
        row.version = stored.version + 1 if stored else 0
        transaction.put(row, condition)

    def put_referrer(self, transaction: Transaction, repository_id: str, manifest: Manifest, ulid: str) -> None:
        """Writes the edge from a manifest's subject, which need not exist."""
        if manifest.subject is None:
            return
        annotations = json.dumps(dict(manifest.annotations), ensure_ascii=False, separators=(",", ":"))
        row = ReferrerRow.under(
            keys.referrer(repository_id, manifest.subject, manifest.digest),
            digest=str(manifest.digest),
            media_type=manifest.media_type,
            size=manifest.size,
            artifact_type=manifest.artifact_type,
            annotations=annotations if len(annotations.encode()) <= LARGEST_ANNOTATIONS else None,
            ulid=ulid,
        )
        transaction.put(row)

    def hide_referrer(
        self, transaction: Transaction, repository_id: str, row: ManifestRow, digest: Digest, now: int
    ) -> None:
        """Removes a deleted manifest from its subject's list of referrers."""
        if row.subject is None:
            return
        edge = ReferrerRow.under(keys.referrer(repository_id, row.subject, digest))
        transaction.update(edge, ReferrerRow.deleted_at.set(now), condition=ReferrerRow.pk.exists())

    def show_referrer(self, transaction: Transaction, repository_id: str, row: ManifestRow, digest: Digest) -> None:
        """Adds a restored manifest to its subject's list of referrers."""
        if row.subject is not None:
            edge = ReferrerRow.under(keys.referrer(repository_id, row.subject, digest))
            transaction.update(edge, ReferrerRow.deleted_at.remove(), condition=ReferrerRow.pk.exists())

    def referrers(self, repository_id: str, subject: Digest, after: Digest | None, limit: int) -> Iterator[ReferrerRow]:
        """Yields manifests that refer to a subject, by digest, after `after`."""
        past = keys.referrer(repository_id, subject, after)[1] if after else ""
        return query(ReferrerRow, keys.referrer(repository_id, subject), after=past, limit=limit)

    def tagged(self, repository_id: str, digest: Digest) -> list[TaggedRow]:
        """Returns the edges of all tags that point to a manifest, including deleted tags in the window."""
        return list(query(TaggedRow, keys.tagged(repository_id, digest)))

    def edge(self, repository_id: str, digest: Digest, tag: str) -> TaggedRow | None:
        """Returns the edge from a tag to a manifest, if the tag points to it or did within the window."""
        return get(TaggedRow, keys.tagged(repository_id, digest, tag))

    def require_unchanged(self, transaction: Transaction, row: ManifestRow) -> None:
        """Makes a transaction fail if a manifest changed since it was read."""
        transaction.check(ManifestRow, row.key, unchanged(row))

    def renew(self, row: ManifestRow, target: str, leased_until: int) -> None:
        """Extends a lease and makes a condemned manifest live. Raises WriteConflict when it changed."""
        transaction = Transaction()
        actions = [
            ManifestRow.leased_until.set(leased_until),
            ManifestRow.state.set(State.LIVE),
            ManifestRow.version.set(row.version + 1),
        ]
        transaction.update(row, *actions, condition=unchanged(row))
        transaction.put(timer(GARBAGE, target, leased_until))
        transaction.commit()


def unchanged(stored: ManifestRow | None) -> Condition:
    """Returns the condition that a manifest's state is as it was read."""
    return absent() if stored is None else ManifestRow.version == stored.version


def tagged_row(repository_id: str, digest: Digest, tag: str, until: int) -> TaggedRow:
    """Creates the edge of a tag that points to a manifest until a time."""
    return TaggedRow.under(keys.tagged(repository_id, digest, tag), tag=tag, until=until)
