"""Labels of manifests: told, added and taken away. Those that came with an image stay as they are."""

from uuid import uuid4

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import FieldInvalid, ResourceUnknown
from chalicelib.domain.events import ADD_LABEL, DELETE_LABEL
from chalicelib.domain.labels import API, MANIFEST, Label, NewLabel, of_image
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, Role
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.lifecycle.images import Images, ManifestView
from chalicelib.services.registry.tags import Tags, check_open
from chalicelib.services.security.access import Access
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, retry_on_conflict

# How many may be added to one manifest.
MOST = 100


class Labels:
    """Labels."""

    def __init__(self, access: Access, usage: UsageLog, stores: Stores, images: Images, tags: Tags) -> None:
        self._access, self._usage, self._images, self._tags = access, usage, images, tags
        self._store, self._manifests, self._repositories = stores.labels, stores.manifests, stores.repositories
        self._clock = stores.clock

    def all(self, actor: Actor, name: RepositoryName, digest: Digest, prefix: str = "") -> list[Label]:
        """Labels whose keys begin so, those of the image first. Raises NothingThere, NameUnknown, Denied."""
        found = self._all(self._images.get(actor, name, digest))
        return [label for label in found if label.key.startswith(prefix)]

    def get(self, actor: Actor, name: RepositoryName, digest: Digest, identifier: str) -> Label:
        """One of them. Raises as `all` does."""
        return self._one(self._images.get(actor, name, digest), identifier)

    def add(self, actor: Actor, name: RepositoryName, digest: Digest, wish: NewLabel) -> Label:
        """Adds a label; one that says how long tags live gives those that name the manifest their ends first.

        Cut off between the two, it is asked for again: the ends stay the same. Raises FieldInvalid, TagImmutable,
        RepositoryFrozen; NothingThere, NameUnknown, Denied.
        """
        shown = self._writable(actor, name, digest)
        wish.check()
        seconds = wish.life_s(int(self._clock()))
        if seconds is not None:
            self._tags.end_after(actor, name, shown.manifest.digest, seconds)
        label = Label(str(uuid4()), wish.key, wish.value, API, wish.kind)
        retry_on_conflict(lambda: self._add(actor, self._writable(actor, name, digest), label))
        return label

    def _add(self, actor: Actor, shown: ManifestView, label: Label) -> None:
        repository_id, digest = shown.repository_access.repository.id, shown.manifest.digest
        if len(self._store.of_manifest(repository_id, digest, shown.row)) >= MOST:
            raise FieldInvalid("", f"a manifest has at most {MOST} labels that were added to it")
        transaction = Transaction()
        self._store.add(transaction, repository_id, digest, shown.row, label)
        # Of two at once the second sees the first, and the collector sees both or comes before them.
        self._manifests.put(transaction, shown.row, shown.row)
        self._commit(actor, transaction, ADD_LABEL, shown, label)

    def delete(self, actor: Actor, name: RepositoryName, digest: Digest, identifier: str) -> None:
        """Takes a label away that was added; the ends that it gave to tags stay. Raises as `add` does."""
        retry_on_conflict(lambda: self._delete(actor, self._writable(actor, name, digest), identifier))

    def _delete(self, actor: Actor, shown: ManifestView, identifier: str) -> None:
        label = self._one(shown, identifier)
        if label.source == MANIFEST:
            raise FieldInvalid("", "Cannot delete immutable label")
        transaction = Transaction()
        self._store.remove(transaction, shown.repository_access.repository.id, shown.manifest.digest, label)
        self._commit(actor, transaction, DELETE_LABEL, shown, label)

    def _commit(self, actor: Actor, transaction: Transaction, kind: str, shown: ManifestView, label: Label) -> None:
        repository = shown.repository_access.repository
        told = {
            "namespace": repository.name.namespace,
            "repo": repository.name.repository,
            "manifest_digest": str(shown.manifest.digest),
            "id": label.id,
            "key": label.key,
            "value": label.value,
            "media_type": label.media_type,
        }
        self._usage.record(actor, transaction, kind, repository, told)
        self._repositories.require_normal(transaction, repository)
        transaction.commit()

    def _writable(self, actor: Actor, name: RepositoryName, digest: Digest) -> ManifestView:
        shown = self._images.get(actor, name, digest, Role.WRITE)
        check_open(shown.repository_access)
        return shown

    def _one(self, shown: ManifestView, identifier: str) -> Label:
        found = next((one for one in self._all(shown) if one.id == identifier), None)
        if found is None:
            raise ResourceUnknown("label", identifier)
        return found

    def _all(self, shown: ManifestView) -> list[Label]:
        digest = shown.manifest.digest
        own = self._store.of_manifest(shown.repository_access.repository.id, digest, shown.row)
        return of_image(digest, shown.image.labels, shown.manifest.annotations) + own
