"""Siblings: tags that hold what was signed or said of a manifest end with it, for good, and never before."""

from chalicelib.domain.digests import Digest
from chalicelib.domain.events import EXPIRE_FOR_GOOD, Event
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.repositories import Repository
from chalicelib.services.registry.tag_changes import TagChanges
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction


class SignatureTags:
    """The tags that are named after a manifest."""

    def __init__(self, stores: Stores) -> None:
        self._stores, self._tags, self._manifests = stores, stores.tags, stores.manifests
        self._repositories = stores.repositories
        self._usage, self._clock = stores.usage_log, stores.clock

    def end(self, repository_id: str, subject: Digest, row: ManifestRow) -> None:
        """Ends them, dead ones inside the window too, while their subject is being deleted as it was read.

        What they name goes with them, unless other tags name it. Raises LostRace when a push brings the subject back.
        """
        lives = self._tags.signature_lives(repository_id, subject)
        pairs = dict.fromkeys((life.name, life.digest) for life in lives if life.digest != subject)
        found = self._repositories.get(repository_id) if pairs else None
        if found is None:
            return
        repository = Repository(repository_id, found.namespace_id, RepositoryName(found.namespace, found.name))
        for name, digest in pairs:
            self._end(repository, name, digest, subject, row)

    def _end(self, repository: Repository, name: str, digest: Digest, subject: Digest, row: ManifestRow) -> None:
        tag, now = self._tags.get(repository.id, name), self._clock()
        is_here = tag is not None and tag.digest == digest
        if not is_here and self._manifests.edge(repository.id, digest, name) is None:
            return
        transaction = Transaction()
        moves = TagChanges(transaction, repository, self._stores, int(now))
        if tag is not None and is_here:
            moves.force_remove(tag)
        moves.forget(digest, name)
        moves.settle(0)
        self._manifests.require_unchanged(transaction, row)
        told = {"tag": name, "manifest_digest": str(digest), "subject": str(subject)}
        told |= {"namespace": repository.name.namespace, "repo": repository.name.repository}
        event = Event(ulid(now), now, EXPIRE_FOR_GOOD, repository.namespace_id, repository.id, "", "", told)
        self._usage.record(transaction, event)
        transaction.commit()
