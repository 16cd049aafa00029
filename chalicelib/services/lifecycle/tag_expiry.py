"""Records that a tag has expired, and removes it.

Readers do not depend on this, since they compare the expiry with the clock. DynamoDB's TTL service usually removes the
tag first, and the tag's own timer guarantees the rest; both call this module, once or often, early or late.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from chalicelib.domain.events import TAG_EXPIRED, Event
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.timers import Due, HasTime, Later
from chalicelib.storage import keys
from chalicelib.storage.keys.timer_targets import TagTarget, read_target
from chalicelib.storage.registry.repositories import RepositoryRow
from chalicelib.storage.registry.tags import LifeRow, read_image
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, retry_on_conflict
from chalicelib.storage.timers import garbage_timer


class TagExpiry:
    """Ends tags that have expired."""

    def __init__(self, stores: Stores) -> None:
        self._tags, self._repositories, self._accounts = stores.tags, stores.repositories, stores.accounts
        self._usage_log = stores.usage_log
        self._clock = stores.clock

    def work(self, due: Due, _: HasTime) -> Later | None:
        """Records that a tag has expired, removes it, and arms the collector for the end of the window.

        A life that was ended before its expiry is not changed. Raises ValueError if the target is not a tag's life.
        """
        target = read_target(due.target)
        if not isinstance(target, TagTarget):
            raise ValueError(f"{due.target} is not the target of an expiry timer")
        return retry_on_conflict(lambda: self._expire(target))

    def removed(self, image: Mapping[str, Any]) -> None:
        """Records the end of a tag that the TTL service has removed; `image` is the removed item, ignored if no tag.

        Records of the stream may come repeatedly, late and out of order: a life that has not expired is not changed.
        """
        tag_image = read_image(image)
        if tag_image is not None:
            repository_id, tag = tag_image
            retry_on_conflict(lambda: self._expire(TagTarget(repository_id, tag.name, tag.life)))

    def _expire(self, target: TagTarget) -> Later | None:
        life = self._tags.life(target.repository_id, target.name, target.life)
        if life is None or life.ended_at is None or life.is_cut or life.is_expiry_recorded:
            return None
        if life.ended_at > self._clock():
            return Later(life.ended_at)
        repository = self._repositories.get(target.repository_id)
        if repository is not None:
            self._record(target, life, repository, life.ended_at)
        return None

    def _record(self, target: TagTarget, life: LifeRow, repository: RepositoryRow, ended_at: int) -> None:
        tag = self._tags.get(target.repository_id, target.name)
        namespace = self._accounts.namespace(repository.namespace_id)
        transaction = Transaction()
        if tag is not None and tag.life == target.life:
            self._tags.remove(transaction, tag)
        self._tags.mark_expiry_recorded(transaction, life)
        manifest = keys.manifest_target(target.repository_id, life.digest)
        window_s = namespace.window_s if namespace else 0
        transaction.put(garbage_timer(repository.namespace_id, manifest, ended_at, window_s))
        name = RepositoryName(repository.namespace, repository.name)
        self._usage_log.record(transaction, _event(target, life, name, (repository.namespace_id, ended_at)))
        transaction.commit()


def _event(target: TagTarget, life: LifeRow, name: RepositoryName, where: tuple[str, int]) -> Event:
    """Returns the event, with an id that is derived from the life, so that writing it again writes the same record."""
    namespace_id, ended_at = where
    identifier = ulid(ended_at)[:10] + hashlib.sha256(target.life.encode()).hexdigest()[:16].upper()
    metadata = {
        "tag": target.name,
        "repo": name.repository,
        "namespace": name.namespace,
        "manifest_digest": str(life.digest),
    }
    return Event(identifier, ended_at, TAG_EXPIRED, namespace_id, target.repository_id, "", "", metadata)
