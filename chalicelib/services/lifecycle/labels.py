"""Lists, adds and deletes labels of manifests. Labels that came with an image cannot be deleted."""

from uuid import uuid4

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import DataInvalid, ResourceUnknown
from chalicelib.domain.events import ADD_LABEL, DELETE_LABEL
from chalicelib.domain.expiry_labels import EXPIRES_AFTER
from chalicelib.domain.labels import API, MANIFEST, Label, NewLabel, of_image
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, Role
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.lifecycle.images import Images, ManifestView
from chalicelib.services.registry.tags import Tags, check_open
from chalicelib.services.security.access import Access
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, retry_on_conflict

# How many labels can be added to one manifest.
MOST = 100


class Labels:
    """Lists and changes labels of manifests."""

    def __init__(self, access: Access, usage_log: UsageLog, stores: Stores, images: Images, tags: Tags) -> None:
        self._access, self._usage_log, self._images, self._tags = access, usage_log, images, tags
        self._store, self._manifests, self._repositories = stores.labels, stores.manifests, stores.repositories
        self._clock = stores.clock

    def all(self, actor: Actor, name: RepositoryName, digest: Digest, prefix: str = "") -> list[Label]:
        """Returns the labels whose keys begin with `prefix`, the image's first.

        Raises ResourceUnknown, NameUnknown, Denied.
        """
        labels = self._all(self._images.get(actor, name, digest))
        return [label for label in labels if label.key.startswith(prefix)]

    def get(self, actor: Actor, name: RepositoryName, digest: Digest, identifier: str) -> Label:
        """Returns one label. Raises as `all` does."""
        return self._one(self._images.get(actor, name, digest), identifier)

    def add(self, actor: Actor, name: RepositoryName, digest: Digest, new: NewLabel) -> Label:
        """Adds a label. A label `quay.expires-after` sets the expiry of the tags that name the manifest now or later.

        The label comes first, so that a tag that begins meanwhile is among those that are ended, or has read the label.
        If the call is interrupted in between, repeating it gives the same expiry. Raises FieldInvalid, TagImmutable,
        RepositoryFrozen, ResourceUnknown, NameUnknown, Denied.
        """
        manifest = self._writable(actor, name, digest).manifest
        new.check()
        seconds = new.life_s(int(self._clock()))
        if seconds is not None:
            self._tags.require_mutable(actor, name, manifest.digest)
        label = Label(str(uuid4()), new.key, new.value, API, new.kind)
        retry_on_conflict(lambda: self._add(actor, self._writable(actor, name, digest), label))
        if seconds is not None:
            self._tags.end_after(actor, name, manifest.digest, seconds)
        return label

    def _add(self, actor: Actor, view: ManifestView, label: Label) -> None:
        repository_id, digest = view.repository_access.repository.id, view.manifest.digest
        if len(self._store.of_manifest(repository_id, digest, view.row)) >= MOST:
            raise DataInvalid("", f"at most {MOST} labels can be added to a manifest")
        transaction = Transaction()
        self._store.add(transaction, repository_id, digest, view.row, label)
        if label.key == EXPIRES_AFTER:
            view.row.added_expires_after = label.value
        # Writing the manifest makes concurrent additions, and the collector, conflict with this one.
        self._manifests.put(transaction, view.row, view.row)
        self._commit(actor, transaction, ADD_LABEL, view, label)

    def delete(self, actor: Actor, name: RepositoryName, digest: Digest, identifier: str) -> None:
        """Deletes a label that was added; the expiry that it gave to tags stays, and later tags get none from it.

        Raises as `add` does.
        """
        retry_on_conflict(lambda: self._delete(actor, self._writable(actor, name, digest), identifier))

    def _delete(self, actor: Actor, view: ManifestView, identifier: str) -> None:
        label = self._one(view, identifier)
        if label.source == MANIFEST:
            raise DataInvalid("", "Cannot delete immutable label")
        transaction = Transaction()
        repository_id, digest = view.repository_access.repository.id, view.manifest.digest
        self._store.remove(transaction, repository_id, digest, label)
        if label.key == EXPIRES_AFTER:
            last = self._store.last(repository_id, digest, view.row, EXPIRES_AFTER, without=label.id)
            view.row.added_expires_after = last.value if last else None
            self._manifests.put(transaction, view.row, view.row)
        self._commit(actor, transaction, DELETE_LABEL, view, label)

    def _commit(self, actor: Actor, transaction: Transaction, kind: str, view: ManifestView, label: Label) -> None:
        repository = view.repository_access.repository
        metadata = {
            "namespace": repository.name.namespace,
            "repo": repository.name.repository,
            "manifest_digest": str(view.manifest.digest),
            "id": label.id,
            "key": label.key,
            "value": label.value,
            "media_type": label.media_type,
        }
        self._usage_log.record_for_repository(actor, transaction, kind, repository, metadata)
        self._repositories.require_normal(transaction, repository)
        transaction.commit()

    def _writable(self, actor: Actor, name: RepositoryName, digest: Digest) -> ManifestView:
        view = self._images.get(actor, name, digest, Role.WRITE)
        check_open(view.repository_access)
        return view

    def _one(self, view: ManifestView, identifier: str) -> Label:
        label = next((one for one in self._all(view) if one.id == identifier), None)
        if label is None:
            raise ResourceUnknown("label", identifier)
        return label

    def _all(self, view: ManifestView) -> list[Label]:
        digest = view.manifest.digest
        own = self._store.of_manifest(view.repository_access.repository.id, digest, view.row)
        return of_image(digest, view.image.labels, view.manifest.annotations) + own
