"""Changes of tags by the API, with names and digests as texts."""

from chalicelib.domain.digests import Digest
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.tag_changes import TagUpdate
from tests.support.backends import Backend


class TagActions:
    """What one user does to the tags of one repository."""

    def __init__(self, backend: Backend, who: str = "admin", repository: str = "admin/app") -> None:
        self._tags, self._actor = backend.services.registry.tags, backend.signed_in(who)
        self._name = RepositoryName.parse(repository)

    def _update(self, tag: str, update: TagUpdate) -> None:
        self._tags.update(self._actor, self._name, Tag.parse(tag), update)

    def set_end(self, tag: str, expires_at: int | None) -> None:
        """Gives a tag an end, in seconds since the epoch, or none."""
        self._update(tag, TagUpdate(sets_end=True, expires_at=expires_at))

    def set_immutable(self, tag: str, *, immutable: bool) -> None:
        """Makes a tag immutable or mutable."""
        self._update(tag, TagUpdate(immutable=immutable))

    def point(self, tag: str, digest: str) -> None:
        """Points a tag to a manifest."""
        self._update(tag, TagUpdate(digest=Digest.existing(digest)))

    def delete(self, tag: str) -> None:
        """Deletes a tag."""
        self._tags.delete(self._actor, self._name, Tag.existing(tag))

    def restore(self, tag: str, digest: str) -> None:
        """Restores a tag to a manifest."""
        self._tags.restore(self._actor, self._name, Tag.parse(tag), Digest.existing(digest))

    def forget(self, tag: str, digest: str, *, is_alive: bool) -> None:
        """Makes the Time Machine forget that a tag named a manifest."""
        self._tags.forget(self._actor, self._name, Tag.existing(tag), Digest.existing(digest), is_alive=is_alive)
