"""Services of what dies: the collector and the ends of tags."""

from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.storage.activity.usage_log import UsageLogStore
from chalicelib.wiring.people import People

if TYPE_CHECKING:
    from chalicelib.services.lifecycle.garbage import Garbage
    from chalicelib.services.lifecycle.garbage_progress import GarbageProgress
    from chalicelib.services.lifecycle.images import Images
    from chalicelib.services.lifecycle.immutability import Immutability
    from chalicelib.services.lifecycle.labels import Labels
    from chalicelib.services.lifecycle.policies import Policies
    from chalicelib.services.lifecycle.pruning import Pruning
    from chalicelib.services.lifecycle.repository_deletion import RepositoryDeletion
    from chalicelib.services.lifecycle.retention import Retention
    from chalicelib.services.lifecycle.tag_expiry import TagExpiry
    from chalicelib.services.lifecycle.tag_history import TagHistory
    from chalicelib.services.lifecycle.time_machine import TimeMachine
    from chalicelib.services.lifecycle.window_changes import WindowChanges
    from chalicelib.storage.lifecycle.policies import PolicyStore


class Cleaning(People):
    """What is taken away when its time has come, and what brings it back."""

    @cached_property
    def time_machine(self) -> "TimeMachine":
        """Changes of tags."""
        from chalicelib.services.lifecycle.time_machine import ExpirationBounds, TimeMachine

        return TimeMachine(
            self.access,
            self.usage,
            self._tags,
            self._manifests,
            self._repositories,
            self._accounts,
            ExpirationBounds(self.settings.tag_expiration_least_s, self.settings.tag_expiration_most_s),
            self._clock,
        )

    @cached_property
    def deletions(self) -> "RepositoryDeletion":
        """Deleted repositories."""
        from chalicelib.services.lifecycle.repository_deletion import RepositoryDeletion
        from chalicelib.storage.lifecycle.repository_deletion import RepositoryDeletionStore

        return RepositoryDeletion(
            self.access,
            self.usage,
            RepositoryDeletionStore(self._permissions, self.objects),
            self._repositories,
            self._accounts,
            self.settings.token_s + self.settings.lease_s,
            self._clock,
        )

    @cached_property
    def histories(self) -> "TagHistory":
        """Tags and what they named."""
        from chalicelib.services.lifecycle.tag_history import TagHistory

        return TagHistory(self.access, self._tags, self._manifests, self._clock)

    @cached_property
    def images(self) -> "Images":
        """Manifests, told."""
        from chalicelib.services.lifecycle.images import Images

        return Images(self.access, self._manifests, self._tags, self._blobs, self.objects, self._clock)

    @cached_property
    def labels(self) -> "Labels":
        """Labels of manifests."""
        from chalicelib.services.lifecycle.labels import Labels
        from chalicelib.storage.lifecycle.labels import LabelStore

        return Labels(
            self.access,
            self.usage,
            self.images,
            self.time_machine,
            LabelStore(),
            self._manifests,
            self._repositories,
            self._clock,
        )

    @cached_property
    def policies(self) -> "Policies":
        """Policies of tags."""
        from chalicelib.services.lifecycle.policies import Policies

        return Policies(self.access, self.usage, self._accounts, self._policies, self._clock)

    @cached_property
    def _policies(self) -> "PolicyStore":
        from chalicelib.storage.lifecycle.policies import PolicyStore

        return PolicyStore()

    @cached_property
    def fates(self) -> "Retention":
        """What will happen to tags."""
        from chalicelib.services.lifecycle.reclaimable import Reclaimable
        from chalicelib.services.lifecycle.retention import Retention
        from chalicelib.services.security.sealing import PageTokens
        from chalicelib.storage.lifecycle.garbage import GarbageStore

        return Retention(
            self.access,
            self.policies,
            self._policies,
            self._tags,
            self._repositories,
            self._accounts,
            Reclaimable(self._manifests, self._blobs, self._tags, GarbageStore()),
            PageTokens(self._envelope),
            self._clock,
        )

    @cached_property
    def immutability(self) -> "Immutability":
        """What lets tags change no more that were there before a policy was."""
        from chalicelib.services.lifecycle.immutability import Immutability

        store = UsageLogStore(self.settings.log_s)
        return Immutability(self._tags, self._repositories, self._accounts, store, self._clock)

    @cached_property
    def pruning(self) -> "Pruning":
        """What follows policies that prune."""
        from chalicelib.services.lifecycle.pruning import Pruning

        return Pruning(
            self._policies,
            self._tags,
            self._manifests,
            self._repositories,
            self._accounts,
            UsageLogStore(self.settings.log_s),
            self._clock,
        )

    @cached_property
    def garbage(self) -> "Garbage":
        """The collector."""
        from chalicelib.services.lifecycle.garbage import Garbage
        from chalicelib.services.lifecycle.signature_tags import SignatureTags
        from chalicelib.services.lifecycle.stale_uploads import StaleUploads
        from chalicelib.storage.lifecycle.garbage import GarbageStore
        from chalicelib.storage.lifecycle.labels import LabelStore

        return Garbage(
            GarbageStore(),
            self._manifests,
            self._blobs,
            self._repositories,
            self._accounts,
            self.objects,
            StaleUploads(self._uploads, self._blobs, self.objects, self._clock),
            SignatureTags(
                self._tags, self._manifests, self._repositories, UsageLogStore(self.settings.log_s), self._clock
            ),
            LabelStore(),
            self._lease,
            self.settings.grace_s,
            self.settings.settled_s,
            self._clock,
        )

    @cached_property
    def expiry(self) -> "TagExpiry":
        """Tags whose time is up."""
        from chalicelib.services.lifecycle.tag_expiry import TagExpiry

        store = UsageLogStore(self.settings.log_s)
        return TagExpiry(self._tags, self._repositories, self._accounts, store, self._clock)

    @cached_property
    def progress(self) -> "GarbageProgress":
        """What the collector does."""
        from chalicelib.services.lifecycle.garbage_progress import GarbageProgress
        from chalicelib.storage.lifecycle.garbage import GarbageStore
        from chalicelib.storage.timers import TimerStore

        return GarbageProgress(self.access, GarbageStore(), TimerStore(), self._clock)

    @cached_property
    def windows(self) -> "WindowChanges":
        """What follows when a window is made shorter."""
        from chalicelib.services.lifecycle.window_changes import WindowChanges
        from chalicelib.storage.timers import TimerStore

        return WindowChanges(self._accounts, TimerStore(), self._clock)
