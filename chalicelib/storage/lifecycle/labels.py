"""Labels of manifests as they are kept: those that somebody added."""

from pynamodb.attributes import UnicodeAttribute

from chalicelib.domain.digests import Digest
from chalicelib.domain.labels import API, Label
from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.table import Row, Transaction, query, remove_all


class LabelRow(Row):
    """A label. `pushed_at` is its manifest's: one that was pushed again after it had gone begins without any."""

    uuid = UnicodeAttribute()
    key_text = UnicodeAttribute()
    value_text = UnicodeAttribute()
    media_type = UnicodeAttribute()
    pushed_at = Integer()


class LabelStore:
    """Labels in the table."""

    def of(self, repository_id: str, digest: Digest, manifest: ManifestRow) -> list[Label]:
        """The labels that were added to a manifest, by their keys."""
        rows = [row for row in self._rows(repository_id, digest, manifest) if row.pushed_at == manifest.pushed_at]
        found = [Label(row.uuid, row.key_text, row.value_text, API, row.media_type) for row in rows]
        return sorted(found, key=lambda label: (label.key, label.id))

    def add(
        self, transaction: Transaction, repository_id: str, digest: Digest, manifest: ManifestRow, label: Label
    ) -> None:
        """Writes a label of a manifest, whose row is to be written with it, as `labeled`."""
        manifest.labeled = 1
        row = LabelRow.under(
            keys.label(repository_id, digest, label.id),
            uuid=label.id,
            key_text=label.key,
            value_text=label.value,
            media_type=label.media_type,
            pushed_at=manifest.pushed_at,
        )
        transaction.put(row)

    def remove(self, transaction: Transaction, repository_id: str, digest: Digest, label: Label) -> None:
        """Takes a label away, if it is still there."""
        row = LabelRow.under(keys.label(repository_id, digest, label.id))
        transaction.delete(row, LabelRow.pk.exists())

    def remove_all(self, repository_id: str, digest: Digest, manifest: ManifestRow) -> None:
        """Takes away what was added to a manifest that is being deleted; a push that brings it back keeps its own."""
        rows = self._rows(repository_id, digest, manifest)
        remove_all(row.key for row in rows if row.pushed_at <= manifest.pushed_at)

    def _rows(self, repository_id: str, digest: Digest, manifest: ManifestRow) -> list[LabelRow]:
        return list(query(LabelRow, keys.label(repository_id, digest))) if manifest.labeled else []
