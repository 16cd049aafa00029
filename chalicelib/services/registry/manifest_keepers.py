"""Says whether anything keeps a manifest at this second, however late the collector is."""

from chalicelib.domain.manifest_changes import is_retained
from chalicelib.storage import keys
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.stores import Stores


class ManifestKeepers:
    """Looks for what keeps manifests."""

    def __init__(self, stores: Stores) -> None:
        self._store = stores.manifests

    def keep(self, repository_id: str, row: ManifestRow, now: int, window_s: int) -> bool:
        """Whether a tag, the Time Machine's window over one, a lease, an index or a subject keeps a manifest."""
        if not row.is_living:
            return False
        return is_retained(row.retained, now, window_s) or self._is_named(repository_id, row)

    def _is_named(self, repository_id: str, row: ManifestRow) -> bool:
        """Whether the subject of a manifest, or an index that names it, is there."""
        digests = [row.subject] if row.subject and row.deleted_at is None else []
        digests += self._store.parents(repository_id, keys.manifest_digest(row.sk))
        return any(one.is_living for one in self._store.get_all(repository_id, digests).values())
