"""Stores labels that were added to manifests over the API."""

from pynamodb.attributes import UnicodeAttribute

from chalicelib.domain.digests import Digest
from chalicelib.domain.ids import ulid
from chalicelib.domain.labels import API, Label
from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.table import Row, Transaction, query, remove_all


class LabelRow(Row):
    """A label. `pushed_at` is the manifest's, so that one that is pushed again after its removal has no labels.

    `added` is a ULID of the time at which it was added.
    """

    uuid = UnicodeAttribute()
    key_text = UnicodeAttribute()
    value_text = UnicodeAttribute()
    media_type = UnicodeAttribute()
    pushed_at = Integer()
    added = UnicodeAttribute(default="")


class LabelStore:
    """The labels in the table."""

    def of_manifest(self, repository_id: str, digest: Digest, manifest: ManifestRow) -> list[Label]:
        """Returns the labels that were added to a manifest, by key."""
        labels = [_label(row) for row in self._current(repository_id, digest, manifest)]
        return sorted(labels, key=lambda label: (label.key, label.id))

    def last(
        self, repository_id: str, digest: Digest, manifest: ManifestRow, key: str, *, without: str
    ) -> Label | None:
        """Returns the label with a key that was added to a manifest last, except the label with the id `without`."""
        rows = self._current(repository_id, digest, manifest)
        others = [row for row in rows if row.key_text == key and row.uuid != without]
        return _label(max(others, key=lambda row: row.added)) if others else None

    def _current(self, repository_id: str, digest: Digest, manifest: ManifestRow) -> list[LabelRow]:
        return [row for row in self._rows(repository_id, digest, manifest) if row.pushed_at == manifest.pushed_at]

    def add(
        self, transaction: Transaction, repository_id: str, digest: Digest, manifest: ManifestRow, label: Label
    ) -> None:
        """Writes a label and sets `labeled` in its manifest's row, which the caller writes."""
        manifest.labeled = 1
        row = LabelRow.under(
            keys.label(repository_id, digest, label.id),
            uuid=label.id,
            key_text=label.key,
            value_text=label.value,
            media_type=label.media_type,
            pushed_at=manifest.pushed_at,
            added=ulid(),
        )
        transaction.put(row)

    def remove(self, transaction: Transaction, repository_id: str, digest: Digest, label: Label) -> None:
        """Removes a label if it exists."""
        row = LabelRow.under(keys.label(repository_id, digest, label.id))
        transaction.delete(row, LabelRow.pk.exists())

    def remove_all(self, repository_id: str, digest: Digest, manifest: ManifestRow) -> None:
        """Removes the labels of a manifest that is being deleted, except those of a later push."""
        rows = self._rows(repository_id, digest, manifest)
        remove_all(row.key for row in rows if row.pushed_at <= manifest.pushed_at)

    def _rows(self, repository_id: str, digest: Digest, manifest: ManifestRow) -> list[LabelRow]:
        return list(query(LabelRow, keys.label(repository_id, digest))) if manifest.labeled else []


def _label(row: LabelRow) -> Label:
    return Label(row.uuid, row.key_text, row.value_text, API, row.media_type)
