"""Stores, keys, rights and the usage log: built once per cold start, on first use."""

import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.domain.leases import Lease
from chalicelib.services.activity.usage_log import PullLog, UsageLog
from chalicelib.services.security.access import Access
from chalicelib.settings import Settings
from chalicelib.storage.accounts.accounts import AccountStore
from chalicelib.storage.accounts.teams import TeamStore
from chalicelib.storage.activity.usage_log import UsageLogStore
from chalicelib.storage.identity.tokens import TokenStore
from chalicelib.storage.objects import ObjectStore
from chalicelib.storage.registry.blobs import BlobStore
from chalicelib.storage.registry.manifests import ManifestStore
from chalicelib.storage.registry.repositories import RepositoryStore
from chalicelib.storage.registry.tags import TagStore
from chalicelib.storage.secrets import Secrets
from chalicelib.storage.table import open_table

if TYPE_CHECKING:
    from chalicelib.remote.outgoing import Outgoing
    from chalicelib.services.security.sealing import Envelope
    from chalicelib.storage.accounts.permissions import PermissionStore
    from chalicelib.storage.identity.applications import ApplicationStore
    from chalicelib.storage.registry.uploads import UploadStore


class Foundations:
    """What all services stand on: stores over one table and one bucket, keys, rights, and the usage log."""

    def __init__(self, chosen: Settings, clock: Callable[[], float] = time.time) -> None:
        self.settings, self._clock = chosen, clock
        self._lease = Lease(chosen.lease_s)
        self._table = open_table(chosen.table, chosen.connections, fast_reads=chosen.fast_reads)
        self.objects = ObjectStore(chosen.bucket, self._table, chosen.connections)
        self._accounts, self._repositories, self._teams = AccountStore(), RepositoryStore(), TeamStore()
        self._blobs, self._tags = BlobStore(), TagStore()
        self._manifests, self._tokens = ManifestStore(self.objects), TokenStore()

    @cached_property
    def _applications(self) -> "ApplicationStore":
        from chalicelib.storage.identity.applications import ApplicationStore

        return ApplicationStore(self._tokens)

    @cached_property
    def _uploads(self) -> "UploadStore":
        from chalicelib.storage.registry.uploads import UploadStore

        return UploadStore()

    @cached_property
    def _permissions(self) -> "PermissionStore":
        from chalicelib.storage.accounts.permissions import PermissionStore

        return PermissionStore()

    @cached_property
    def outgoing(self) -> "Outgoing":
        """The one way out."""
        from chalicelib.domain.addresses import Permitted
        from chalicelib.remote.outgoing import Outgoing

        return Outgoing(Permitted.parse(self.settings.outgoing_allow, "outgoing_allow"))

    @cached_property
    def _envelope(self) -> "Envelope":
        from chalicelib.services.security.sealing import Envelope

        return Envelope(self.secrets.envelope)

    @cached_property
    def secrets(self) -> Secrets:
        """The keys that sign and seal."""
        return Secrets.load(self.settings.secrets)

    @cached_property
    def _outgoing(self) -> "Outgoing":
        from chalicelib.domain.addresses import Permitted
        from chalicelib.remote.outgoing import Outgoing

        return Outgoing(Permitted.parse(self.settings.outgoing_allow, "outgoing_allow"))

    @cached_property
    def access(self) -> Access:
        """Rights."""
        full = self.settings.superusers_full_access
        return Access(self._accounts, self._repositories, self._teams, full_access=full)

    @cached_property
    def usage(self) -> UsageLog:
        """The usage log."""
        store = UsageLogStore(self.settings.log_s)
        pulls = PullLog(store, self.settings.pull_log == "hourly", self.settings.pull_batch_s)
        return UsageLog(store, pulls, self._clock)
