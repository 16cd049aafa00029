"""All stores of a process over one table and one bucket, with the settings, the clock and the keys.

Stores that no pull needs are imported on first use, since each module costs a cold start a millisecond or two.
"""

import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.domain.leases import Lease
from chalicelib.settings import Settings
from chalicelib.storage.accounts.accounts import AccountStore
from chalicelib.storage.accounts.teams import TeamStore
from chalicelib.storage.activity.lookups import LookupStore
from chalicelib.storage.activity.usage_log import UsageLogStore
from chalicelib.storage.identity.tokens import TokenStore
from chalicelib.storage.objects import ObjectStore
from chalicelib.storage.registry.blobs import BlobStore
from chalicelib.storage.registry.manifests import ManifestStore
from chalicelib.storage.registry.repositories import RepositoryStore
from chalicelib.storage.registry.tags import TagStore
from chalicelib.storage.secrets import Secrets
from chalicelib.storage.security.throttles import ThrottleStore
from chalicelib.storage.table import open_table

if TYPE_CHECKING:
    from chalicelib.storage.accounts.account_deletion import AccountDeletionStore
    from chalicelib.storage.accounts.messages import MessageStore
    from chalicelib.storage.accounts.namespace_purge import NamespacePurgeStore
    from chalicelib.storage.accounts.permissions import PermissionStore
    from chalicelib.storage.accounts.prototypes import PrototypeStore
    from chalicelib.storage.accounts.registry_size import RegistrySizeStore
    from chalicelib.storage.accounts.renames import RenameStore
    from chalicelib.storage.accounts.user_notifications import UserNotificationStore
    from chalicelib.storage.activity.exports import ExportStore
    from chalicelib.storage.activity.pulls import PullStore
    from chalicelib.storage.catalog.health import HealthStore
    from chalicelib.storage.catalog.visibility import VisibilityStore
    from chalicelib.storage.identity.applications import ApplicationStore
    from chalicelib.storage.identity.assignments import AssignmentStore
    from chalicelib.storage.identity.federation import FederationStore
    from chalicelib.storage.lifecycle.garbage import GarbageStore
    from chalicelib.storage.lifecycle.labels import LabelStore
    from chalicelib.storage.lifecycle.policies import PolicyStore
    from chalicelib.storage.lifecycle.reconcile import ReconcileStore
    from chalicelib.storage.lifecycle.repository_deletion import RepositoryDeletionStore
    from chalicelib.storage.mirroring.mirrors import MirrorStore
    from chalicelib.storage.mirroring.organization_mirrors import OrganizationMirrorStore
    from chalicelib.storage.mirroring.proxy_caches import ProxyCacheStore
    from chalicelib.storage.mirroring.runs import MirrorRunStore
    from chalicelib.storage.queues import QueueStore
    from chalicelib.storage.registry.uploads import UploadStore
    from chalicelib.storage.search_words import SearchWordStore
    from chalicelib.storage.timers import TimerStore


class Stores:
    """What every service receives: the stores by concept, `objects` (the bucket), `lease`, `clock` and `settings`."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self.settings, self.clock, self.lease = settings, clock, Lease(settings.lease_s)
        self.table = open_table(settings.table, settings.connections, fast_reads=settings.fast_reads)
        self.objects = ObjectStore(settings.bucket, self.table, settings.connections)
        self.accounts = AccountStore()
        self.repositories = RepositoryStore()
        self.teams = TeamStore()
        self.blobs = BlobStore()
        self.tags = TagStore()
        self.tokens = TokenStore()
        self.throttles = ThrottleStore()
        self.manifests, self.usage_log = ManifestStore(self.objects), UsageLogStore(settings.log_s)
        self.lookups = LookupStore()

    @cached_property
    def secrets(self) -> Secrets:
        """The keys for signing and encryption."""
        return Secrets.load(self.settings.secrets)

    @cached_property
    def account_deletion(self) -> "AccountDeletionStore":
        from chalicelib.storage.accounts.account_deletion import AccountDeletionStore

        return AccountDeletionStore(self.applications, self.teams, self.permissions)

    @cached_property
    def applications(self) -> "ApplicationStore":
        from chalicelib.storage.identity.applications import ApplicationStore

        return ApplicationStore(self.tokens)

    @cached_property
    def assignments(self) -> "AssignmentStore":
        from chalicelib.storage.identity.assignments import AssignmentStore

        return AssignmentStore()

    @cached_property
    def exports(self) -> "ExportStore":
        from chalicelib.storage.activity.exports import ExportStore

        return ExportStore()

    @cached_property
    def federation(self) -> "FederationStore":
        from chalicelib.storage.identity.federation import FederationStore

        return FederationStore()

    @cached_property
    def garbage(self) -> "GarbageStore":
        from chalicelib.storage.lifecycle.garbage import GarbageStore

        return GarbageStore()

    @cached_property
    def health(self) -> "HealthStore":
        from chalicelib.storage.catalog.health import HealthStore

        return HealthStore(self.objects)

    @cached_property
    def labels(self) -> "LabelStore":
        from chalicelib.storage.lifecycle.labels import LabelStore

        return LabelStore()

    @cached_property
    def messages(self) -> "MessageStore":
        from chalicelib.storage.accounts.messages import MessageStore

        return MessageStore()

    @cached_property
    def mirrors(self) -> "MirrorStore":
        from chalicelib.storage.mirroring.mirrors import MirrorStore

        return MirrorStore()

    @cached_property
    def mirror_runs(self) -> "MirrorRunStore":
        from chalicelib.storage.mirroring.runs import MirrorRunStore

        return MirrorRunStore()

    @cached_property
    def namespace_purge(self) -> "NamespacePurgeStore":
        from chalicelib.storage.accounts.namespace_purge import NamespacePurgeStore

        return NamespacePurgeStore(self.repositories, self.teams, self.permissions, self.applications, self.renames)

    @cached_property
    def organization_mirrors(self) -> "OrganizationMirrorStore":
        from chalicelib.storage.mirroring.organization_mirrors import OrganizationMirrorStore

        return OrganizationMirrorStore()

    @cached_property
    def permissions(self) -> "PermissionStore":
        from chalicelib.storage.accounts.permissions import PermissionStore

        return PermissionStore()

    @cached_property
    def policies(self) -> "PolicyStore":
        from chalicelib.storage.lifecycle.policies import PolicyStore

        return PolicyStore()

    @cached_property
    def prototypes(self) -> "PrototypeStore":
        from chalicelib.storage.accounts.prototypes import PrototypeStore

        return PrototypeStore()

    @cached_property
    def proxy_caches(self) -> "ProxyCacheStore":
        from chalicelib.storage.mirroring.proxy_caches import ProxyCacheStore

        return ProxyCacheStore()

    @cached_property
    def pulls(self) -> "PullStore":
        from chalicelib.storage.activity.pulls import PullStore

        return PullStore()

    @cached_property
    def queues(self) -> "QueueStore":
        from chalicelib.storage.queues import QueueStore

        return QueueStore(self.settings.queues, self.table)

    @cached_property
    def reconcile(self) -> "ReconcileStore":
        from chalicelib.storage.lifecycle.reconcile import ReconcileStore

        return ReconcileStore()

    @cached_property
    def registry_size(self) -> "RegistrySizeStore":
        from chalicelib.storage.accounts.registry_size import RegistrySizeStore

        return RegistrySizeStore(self.accounts)

    @cached_property
    def renames(self) -> "RenameStore":
        from chalicelib.storage.accounts.renames import RenameStore

        return RenameStore()

    @cached_property
    def repository_deletion(self) -> "RepositoryDeletionStore":
        from chalicelib.storage.lifecycle.repository_deletion import RepositoryDeletionStore

        return RepositoryDeletionStore(self.permissions, self.objects)

    @cached_property
    def search_words(self) -> "SearchWordStore":
        from chalicelib.storage.search_words import SearchWordStore

        return SearchWordStore()

    @cached_property
    def timers(self) -> "TimerStore":
        from chalicelib.storage.timers import TimerStore

        return TimerStore()

    @cached_property
    def uploads(self) -> "UploadStore":
        from chalicelib.storage.registry.uploads import UploadStore

        return UploadStore()

    @cached_property
    def user_notifications(self) -> "UserNotificationStore":
        from chalicelib.storage.accounts.user_notifications import UserNotificationStore

        return UserNotificationStore()

    @cached_property
    def visibility(self) -> "VisibilityStore":
        from chalicelib.storage.catalog.visibility import VisibilityStore

        return VisibilityStore()
