"""Ends the tags of signatures and attestations for good together with the manifest that they are about."""

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
    """Ends tags that are named after a manifest, such as sha256-<digest> and sha256-<digest>.sig."""

    def __init__(self, stores: Stores) -> None:
        self._stores, self._tags, self._manifests = stores, stores.tags, stores.manifests
        self._repositories = stores.repositories
        self._usage_log, self._clock = stores.usage_log, stores.clock

    def end(self, repository_id: str, subject: Digest, row: ManifestRow) -> None:
        """Ends the signature tags of a manifest that is being deleted, also those that ended within the window.

        Their manifests are removed too unless other tags name them. Raises WriteConflict if a push restores `subject`.
        """
        lives = self._tags.signature_lives(repository_id, subject)
        tags = dict.fromkeys((life.name, life.digest) for life in lives)
        repository_row = self._repositories.get(repository_id) if tags else None
        if repository_row is None:
            return
        name = RepositoryName(repository_row.namespace, repository_row.name)
        repository = Repository(repository_id, repository_row.namespace_id, name)
        for tag, digest in tags:
            self._end(repository, tag, digest, subject, row)

    def _end(self, repository: Repository, name: str, digest: Digest, subject: Digest, row: ManifestRow) -> None:
        tag, now = self._tags.get(repository.id, name), self._clock()
        is_here = tag is not None and tag.digest == digest
        if not is_here and self._manifests.edge(repository.id, digest, name) is None:
            return
        transaction = Transaction()
        changes = TagChanges(transaction, repository, self._stores, int(now))
        if tag is not None and is_here:
            changes.force_remove(tag)
        changes.forget(digest, name)
        changes.settle(0)
        self._manifests.require_unchanged(transaction, row)
        metadata = {"tag": name, "manifest_digest": str(digest), "subject": str(subject)}
        metadata |= {"namespace": repository.name.namespace, "repo": repository.name.repository}
        event = Event(ulid(now), now, EXPIRE_FOR_GOOD, repository.namespace_id, repository.id, "", "", metadata)
        self._usage_log.record(transaction, event)
        transaction.commit()
