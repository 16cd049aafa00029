"""Expiry: what follows when a tag's time is up.

Readers need none of it, since they look at the clock. The TTL service's removal of the tag is the hint, the tag's own
timer the promise; both come here, once or often, early or late.
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
    """Tags whose time is up."""

    def __init__(self, stores: Stores) -> None:
        self._tags, self._repositories, self._accounts = stores.tags, stores.repositories, stores.accounts
        self._usage = stores.usage_log
        self._clock = stores.clock

    def work(self, due: Due, _: HasTime) -> Later | None:
        """Records that a life has run out, takes the tag away, and wakes the collector when the window has passed.

        A life that somebody ended before its time is left as it is. Raises ValueError for what is no tag's life.
        """
        found = read_target(due.target)
        if not isinstance(found, TagTarget):
            raise ValueError(f"no expiry timer is for {due.target}")
        return retry_on_conflict(lambda: self._expire(found))

    def removed(self, image: Mapping[str, Any]) -> None:
        """What the TTL service has removed, as it was: if it was a tag, its end is recorded. Everything else passes.

        It may be told often, late, and out of order: a life that has not run out, or is not there, is left as it is.
        """
        found = read_image(image)
        if found is not None:
            repository_id, tag = found
            retry_on_conflict(lambda: self._expire(TagTarget(repository_id, tag.name, tag.life)))

    def _expire(self, found: TagTarget) -> Later | None:
        life = self._tags.life(found.repository_id, found.name, found.life)
        if life is None or life.ended_at is None or life.is_cut or life.is_expiry_recorded:
            return None
        if life.ended_at > self._clock():
            return Later(life.ended_at)
        repository = self._repositories.get(found.repository_id)
        if repository is not None:
            self._record(found, life, repository, life.ended_at)
        return None

    def _record(self, found: TagTarget, life: LifeRow, repository: RepositoryRow, ended_at: int) -> None:
        tag = self._tags.get(found.repository_id, found.name)
        namespace = self._accounts.namespace(repository.namespace_id)
        transaction = Transaction()
        if tag is not None and tag.life == found.life:
            self._tags.remove(transaction, tag)
        self._tags.mark_expiry_recorded(transaction, life)
        target = keys.manifest_target(found.repository_id, life.digest)
        window_s = namespace.window_s if namespace else 0
        transaction.put(garbage_timer(repository.namespace_id, target, ended_at, window_s))
        name = RepositoryName(repository.namespace, repository.name)
        self._usage.record(transaction, _event(found, life, name, (repository.namespace_id, ended_at)))
        transaction.commit()


def _event(found: TagTarget, life: LifeRow, name: RepositoryName, where: tuple[str, int]) -> Event:
    """The record, under an id that follows from the life, so that there is one however often it is written."""
    namespace_id, ended_at = where
    identifier = ulid(ended_at)[:10] + hashlib.sha256(found.life.encode()).hexdigest()[:16].upper()
    told = {
        "tag": found.name,
        "repo": name.repository,
        "namespace": name.namespace,
        "manifest_digest": str(life.digest),
    }
    return Event(identifier, ended_at, TAG_EXPIRED, namespace_id, found.repository_id, "", "", told)
