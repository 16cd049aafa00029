"""Services of the room `lifecycle`."""

from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.storage.stores import Stores

if TYPE_CHECKING:
    from chalicelib.domain.timers import Work
    from chalicelib.services.lifecycle.garbage import Garbage
    from chalicelib.services.lifecycle.garbage_progress import GarbageProgress
    from chalicelib.services.lifecycle.images import Images
    from chalicelib.services.lifecycle.immutability import Immutability
    from chalicelib.services.lifecycle.labels import Labels
    from chalicelib.services.lifecycle.policies import Policies
    from chalicelib.services.lifecycle.pruning import Pruning
    from chalicelib.services.lifecycle.reconcile import Reconcile
    from chalicelib.services.lifecycle.repository_deletion import RepositoryDeletion
    from chalicelib.services.lifecycle.retention import Retention
    from chalicelib.services.lifecycle.tag_expiry import TagExpiry
    from chalicelib.services.lifecycle.tag_history import TagHistory
    from chalicelib.services.lifecycle.timers import Timers
    from chalicelib.services.lifecycle.window_changes import WindowChanges
    from chalicelib.wiring import Services


class LifecycleRoom:
    """How tags and repositories expire, are deleted, restored and collected."""

    def __init__(self, stores: Stores, below: "Services") -> None:
        self._stores, self._security, self._activity = stores, below.security, below.activity
        self._accounts, self._registry, self._mirroring = below.accounts, below.registry, below.mirroring

    @cached_property
    def garbage(self) -> "Garbage":
        from chalicelib.services.lifecycle.garbage import Garbage
        from chalicelib.services.lifecycle.signature_tags import SignatureTags
        from chalicelib.services.lifecycle.stale_uploads import StaleUploads

        return Garbage(self._stores, StaleUploads(self._stores), SignatureTags(self._stores))

    @cached_property
    def garbage_progress(self) -> "GarbageProgress":
        from chalicelib.services.lifecycle.garbage_progress import GarbageProgress

        return GarbageProgress(self._security.access, self._stores)

    @cached_property
    def images(self) -> "Images":
        from chalicelib.services.lifecycle.images import Images

        return Images(self._security.access, self._stores)

    @cached_property
    def immutability(self) -> "Immutability":
        from chalicelib.services.lifecycle.immutability import Immutability

        return Immutability(self._stores)

    @cached_property
    def labels(self) -> "Labels":
        from chalicelib.services.lifecycle.labels import Labels

        return Labels(self._security.access, self._activity.usage_log, self._stores, self.images, self._registry.tags)

    @cached_property
    def policies(self) -> "Policies":
        from chalicelib.services.lifecycle.policies import Policies

        return Policies(self._security.access, self._activity.usage_log, self._stores)

    @cached_property
    def pruning(self) -> "Pruning":
        from chalicelib.services.lifecycle.pruning import Pruning

        return Pruning(self._stores)

    @cached_property
    def reconcile(self) -> "Reconcile":
        from chalicelib.services.lifecycle.reconcile import Reconcile

        return Reconcile(self._stores, self._registry.direct_uploads)

    @cached_property
    def repository_deletion(self) -> "RepositoryDeletion":
        from chalicelib.services.lifecycle.repository_deletion import RepositoryDeletion

        return RepositoryDeletion(self._security.access, self._activity.usage_log, self._stores)

    @cached_property
    def retention(self) -> "Retention":
        from chalicelib.services.lifecycle.reclaimable import Reclaimable
        from chalicelib.services.lifecycle.retention import Retention

        return Retention(
            self._security.access, self._stores, self.policies, Reclaimable(self._stores), self._security.page_tokens
        )

    @cached_property
    def tag_expiry(self) -> "TagExpiry":
        from chalicelib.services.lifecycle.tag_expiry import TagExpiry

        return TagExpiry(self._stores)

    @cached_property
    def tag_history(self) -> "TagHistory":
        from chalicelib.services.lifecycle.tag_history import TagHistory

        return TagHistory(self._security.access, self._stores)

    @cached_property
    def window_changes(self) -> "WindowChanges":
        from chalicelib.services.lifecycle.window_changes import WindowChanges

        return WindowChanges(self._stores)

    @cached_property
    def timers(self) -> "Timers":
        """The runner of due timers. Timers of a kind that is not listed here are not read and stay in the table."""
        from chalicelib.domain import timers
        from chalicelib.services.lifecycle.timers import Timers

        owners: dict[str, Work] = {
            timers.GARBAGE: self.garbage.work,
            timers.EXPIRY: self.tag_expiry.work,
            timers.WINDOW: self.window_changes.work,
            timers.EXPORT: self._activity.exports.advance,
            timers.QUOTA: self._accounts.quotas.warn,
            timers.RENAME: self._accounts.renames.work,
            timers.PRUNE: self.pruning.work,
            timers.PULLS: self._activity.pulls.work,
            timers.PURGE: self._accounts.namespace_purge.work,
            timers.PURGE_REPOSITORY: self.repository_deletion.work,
            timers.IMMUTABILITY: self.immutability.work,
            timers.MIRROR: self._mirroring.runs.work,
            timers.ORGANIZATION_MIRROR: self._mirroring.discoveries.work,
            timers.PROXY_CACHE: self._mirroring.proxy_caches.work,
        }
        return Timers(self._stores.timers, owners, self._stores.clock)
