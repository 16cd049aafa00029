"""Services of what dies: the collector and the ends of tags."""

from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.storage.activity.usage_log import UsageStore
from chalicelib.wiring.people import People

if TYPE_CHECKING:
    from chalicelib.services.lifecycle.garbage import Garbage
    from chalicelib.services.lifecycle.garbage_progress import ProgressReports
    from chalicelib.services.lifecycle.images import Images
    from chalicelib.services.lifecycle.immutability import Immutability
    from chalicelib.services.lifecycle.labels import Labels
    from chalicelib.services.lifecycle.policies import Policies
    from chalicelib.services.lifecycle.pruning import Pruning
    from chalicelib.services.lifecycle.repository_deletion import Deletions
    from chalicelib.services.lifecycle.retention import Fates
    from chalicelib.services.lifecycle.tag_expiry import Expiry
    from chalicelib.services.lifecycle.tag_history import Histories
    from chalicelib.services.lifecycle.time_machine import TimeMachine
    from chalicelib.services.lifecycle.window_changes import Windows
    from chalicelib.storage.lifecycle.policies import PolicyStore


class Cleaning(People):
    """What is taken away when its time has come, and what brings it back."""

    @cached_property
    def time_machine(self) -> "TimeMachine":
        """Changes of tags."""
        from chalicelib.services.lifecycle.time_machine import Bounds, TimeMachine

        return TimeMachine(
            self.access,
            self.usage,
            self._tags,
            self._manifests,
            self._repositories,
            self._accounts,
            Bounds(self.settings.tag_expiration_least_s, self.settings.tag_expiration_most_s),
            self._clock,
        )

    @cached_property
    def deletions(self) -> "Deletions":
        """Deleted repositories."""
        from chalicelib.services.lifecycle.repository_deletion import Deletions
        from chalicelib.storage.lifecycle.repository_deletion import DeletionStore

        return Deletions(
            self.access,
            self.usage,
            DeletionStore(self._permissions, self.objects),
            self._repositories,
            self._accounts,
            self.settings.token_s + self.settings.lease_s,
            self._clock,
        )

    @cached_property
    def histories(self) -> "Histories":
        """Tags and what they named."""
        from chalicelib.services.lifecycle.tag_history import Histories

        return Histories(self.access, self._tags, self._manifests, self._clock)

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
    def fates(self) -> "Fates":
        """What will happen to tags."""
        from chalicelib.services.lifecycle.reclaimable import Losses
        from chalicelib.services.lifecycle.retention import Fates
        from chalicelib.services.security.sealing import PageTokens
        from chalicelib.storage.lifecycle.garbage import GarbageStore

        return Fates(
            self.access,
            self.policies,
            self._policies,
            self._tags,
            self._repositories,
            self._accounts,
            Losses(self._manifests, self._blobs, self._tags, GarbageStore()),
            PageTokens(self._envelope),
            self._clock,
        )

    @cached_property
    def immutability(self) -> "Immutability":
        """What lets tags change no more that were there before a policy was."""
        from chalicelib.services.lifecycle.immutability import Immutability

        store = UsageStore(self.settings.log_s)
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
            UsageStore(self.settings.log_s),
            self._clock,
        )

    @cached_property
    def garbage(self) -> "Garbage":
        """The collector."""
        from chalicelib.services.lifecycle.garbage import Garbage
        from chalicelib.services.lifecycle.signature_tags import Siblings
        from chalicelib.services.lifecycle.stale_uploads import Leftovers
        from chalicelib.storage.lifecycle.garbage import GarbageStore
        from chalicelib.storage.lifecycle.labels import LabelStore

        return Garbage(
            GarbageStore(),
            self._manifests,
            self._blobs,
            self._repositories,
            self._accounts,
            self.objects,
            Leftovers(self._uploads, self._blobs, self.objects, self._clock),
            Siblings(self._tags, self._manifests, self._repositories, UsageStore(self.settings.log_s), self._clock),
            LabelStore(),
            self._lease,
            self.settings.grace_s,
            self.settings.settled_s,
            self._clock,
        )

    @cached_property
    def expiry(self) -> "Expiry":
        """Tags whose time is up."""
        from chalicelib.services.lifecycle.tag_expiry import Expiry

        store = UsageStore(self.settings.log_s)
        return Expiry(self._tags, self._repositories, self._accounts, store, self._clock)

    @cached_property
    def progress(self) -> "ProgressReports":
        """What the collector does."""
        from chalicelib.services.lifecycle.garbage_progress import ProgressReports
        from chalicelib.storage.lifecycle.garbage import GarbageStore
        from chalicelib.storage.timers import TimerStore

        return ProgressReports(self.access, GarbageStore(), TimerStore(), self._clock)

    @cached_property
    def windows(self) -> "Windows":
        """What follows when a window is made shorter."""
        from chalicelib.services.lifecycle.window_changes import Windows
        from chalicelib.storage.timers import TimerStore

        return Windows(self._accounts, TimerStore(), self._clock)
