"""Finds the indexes that tags reach, since what they name stays pullable."""

from chalicelib.domain.digests import Digest
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.stores import Stores


class TaggedIndexes:
    """Indexes with a tag, and what they name, directly or through other indexes.

    Such a manifest cannot be deleted, and one that was deleted before can be pulled again. It is read from the edges
    whenever it matters, so that neither a restored tag nor a push beside a deletion leaves a hole in an index.
    """

    def __init__(self, stores: Stores) -> None:
        self._store, self._clock = stores.manifests, stores.clock

    def naming(self, repository_id: str, digest: Digest, passed: set[Digest] | None = None) -> Digest | None:
        """Returns an index with a tag that names a manifest, itself or through other indexes; None if there is none.

        `passed` keeps what no tag reaches from one call to the next, so that each index is looked at once.
        """
        passed = set() if passed is None else passed
        seen, queue = {digest}, [digest]
        while queue:
            parents = set(self._store.parents(repository_id, queue.pop())) - seen - passed
            seen |= parents
            for parent, row in self._store.get_all(repository_id, parents).items():
                if row.is_living and (row.live_until or 0) > self._clock():
                    return parent
                queue += [parent] if row.is_living else []
        passed |= seen
        return None

    def is_pullable(
        self, repository_id: str, digest: Digest, row: ManifestRow, passed: set[Digest] | None = None
    ) -> bool:
        """Whether a manifest can be pulled by its digest: a deleted one only while an index with a tag names it."""
        return row.is_pullable or (row.is_living and self.naming(repository_id, digest, passed) is not None)
