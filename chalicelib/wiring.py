"""Which store serves which service: built once per cold start, on first use.

What no request under /v2 needs is imported where it is built: each module costs every cold start a millisecond or two.
"""

import time
from collections.abc import Callable
from functools import cache, cached_property
from typing import TYPE_CHECKING

from chalicelib.domain.leases import Lease
from chalicelib.services.access import Access
from chalicelib.services.arrivals import Arrivals
from chalicelib.services.blobs import Blobs
from chalicelib.services.doors import Doors
from chalicelib.services.grants import Grants
from chalicelib.services.manifests import Manifests
from chalicelib.services.referrers import Referrers
from chalicelib.services.relays import Relays
from chalicelib.services.repositories import Repositories
from chalicelib.services.tags import Tags
from chalicelib.services.throttles import Throttles
from chalicelib.services.tokens import Tokens
from chalicelib.services.upload_tokens import UploadTokens
from chalicelib.services.uploads import Uploads
from chalicelib.services.usage import PullLog, Usage
from chalicelib.settings import Settings, settings
from chalicelib.storage.accounts import AccountStore
from chalicelib.storage.blobs import BlobStore
from chalicelib.storage.manifests import ManifestStore
from chalicelib.storage.objects import ObjectStore
from chalicelib.storage.repositories import RepositoryStore
from chalicelib.storage.secrets import Secrets
from chalicelib.storage.table import open_table
from chalicelib.storage.tags import TagStore
from chalicelib.storage.teams import TeamStore
from chalicelib.storage.throttles import ThrottleStore
from chalicelib.storage.tokens import TokenStore
from chalicelib.storage.uploads import UploadStore
from chalicelib.storage.usage import UsageStore

if TYPE_CHECKING:
    from chalicelib.domain.timers import Work
    from chalicelib.services.accounts import Accounts
    from chalicelib.services.applications import Applications
    from chalicelib.services.authorizations import Authorizations
    from chalicelib.services.health import Checks
    from chalicelib.services.logs import Logs
    from chalicelib.services.messages import Messages
    from chalicelib.services.oauth import OAuth
    from chalicelib.services.organizations import Organizations
    from chalicelib.services.permissions import Permissions
    from chalicelib.services.quotas import Quotas
    from chalicelib.services.reconcile import Reconcile
    from chalicelib.services.robots import Robots
    from chalicelib.services.sealing import Envelope
    from chalicelib.services.sessions import Sessions
    from chalicelib.services.teams import Teams
    from chalicelib.services.timers import Timers
    from chalicelib.storage.applications import ApplicationStore
    from chalicelib.storage.permissions import PermissionStore


class Services:
    """All services of a process over one table, one bucket and one set of keys."""

    def __init__(self, chosen: Settings, clock: Callable[[], float] = time.time) -> None:
        self.settings, self._clock = chosen, clock
        self._lease = Lease(chosen.lease_s)
        self._table = open_table(chosen.table, chosen.connections, fast_reads=chosen.fast_reads)
        self.objects = ObjectStore(chosen.bucket, self._table, chosen.connections)
        self._accounts, self._repositories, self._teams = AccountStore(), RepositoryStore(), TeamStore()
        self._blobs, self._uploads, self._tags = BlobStore(), UploadStore(), TagStore()
        self._manifests, self._tokens = ManifestStore(self.objects), TokenStore()

    @cached_property
    def _applications(self) -> "ApplicationStore":
        from chalicelib.storage.applications import ApplicationStore

        return ApplicationStore(self._tokens)

    @cached_property
    def _permissions(self) -> "PermissionStore":
        from chalicelib.storage.permissions import PermissionStore

        return PermissionStore()

    @cached_property
    def _envelope(self) -> "Envelope":
        from chalicelib.services.sealing import Envelope

        return Envelope(self.secrets.envelope)

    @cached_property
    def secrets(self) -> Secrets:
        """The keys that sign and seal."""
        return Secrets.load(self.settings.secrets)

    @cached_property
    def access(self) -> Access:
        """Rights."""
        full = self.settings.superusers_full_access
        return Access(self._accounts, self._repositories, self._teams, full_access=full)

    @cached_property
    def accounts(self) -> "Accounts":
        """Users."""
        from chalicelib.services.accounts import Accounts

        return Accounts(self.access, self.usage, self._accounts, self._clock)

    @cached_property
    def robots(self) -> "Robots":
        """Robots."""
        from chalicelib.services.robots import Robots

        return Robots(
            self.access,
            self.usage,
            self._accounts,
            self._tokens,
            self._teams,
            self._permissions,
            self._repositories,
            self._envelope,
            self._clock,
        )

    @cached_property
    def organizations(self) -> "Organizations":
        """Organizations."""
        from chalicelib.services.organizations import Organizations

        return Organizations(
            self.access,
            self.usage,
            self._accounts,
            self._teams,
            self._permissions,
            self._repositories,
            self._clock,
        )

    @cached_property
    def teams(self) -> "Teams":
        """Teams."""
        from chalicelib.services.teams import Teams

        return Teams(
            self.access,
            self.usage,
            self._teams,
            self._accounts,
            self._permissions,
            self._repositories,
            self._clock,
        )

    @cached_property
    def permissions(self) -> "Permissions":
        """Roles on repositories."""
        from chalicelib.services.permissions import Permissions

        return Permissions(self.access, self.usage, self._permissions, self._accounts, self._teams)

    @cached_property
    def applications(self) -> "Applications":
        """OAuth applications."""
        from chalicelib.services.applications import Applications

        return Applications(self.access, self.usage, self._applications, self._envelope, self._clock)

    @cached_property
    def authorizations(self) -> "Authorizations":
        """OAuth tokens."""
        from chalicelib.services.authorizations import Authorizations

        return Authorizations(
            self.access,
            self.usage,
            self._accounts,
            self._applications,
            self._tokens,
            self.settings.oauth_token_s,
            self._clock,
        )

    @cached_property
    def oauth(self) -> "OAuth":
        """OAuth's endpoints, whose library takes its time to import."""
        from chalicelib.services.oauth import OAuth

        return OAuth(
            self.access,
            self.usage,
            self._accounts,
            self._applications,
            self.authorizations,
            self.settings.url,
            self._clock,
        )

    @cached_property
    def doors(self) -> Doors:
        """Who somebody is."""
        throttles = Throttles(ThrottleStore(), self._clock)
        return Doors(self._accounts, self._tokens, throttles, self._clock)

    @cached_property
    def sessions(self) -> "Sessions":
        """Sessions of people."""
        from chalicelib.services.sessions import Sessions

        chosen = self.settings
        return Sessions(self.doors, self._tokens, self.secrets.upload, chosen.session_s, chosen.fresh_s, self._clock)

    @cached_property
    def tokens(self) -> Tokens:
        """Access tokens."""
        chosen = self.settings
        return Tokens(
            self.doors,
            self.access,
            self.secrets.signing,
            chosen.url,
            chosen.service,
            chosen.token_s,
            self._clock,
        )

    @cached_property
    def usage(self) -> Usage:
        """The usage log."""
        store = UsageStore(self.settings.log_s)
        pulls = PullLog(store, self.settings.pull_log == "hourly", self.settings.pull_batch_s)
        return Usage(store, pulls, self._clock)

    @cached_property
    def logs(self) -> "Logs":
        """The usage log, read."""
        from chalicelib.services.logs import Logs

        chosen = self.settings
        store = UsageStore(chosen.log_s)
        return Logs(self.access, store, self._accounts, self.objects, chosen.url, chosen.presign_s, self._clock)

    @cached_property
    def checks(self) -> "Checks":
        """What answers."""
        from chalicelib.services.health import Checks
        from chalicelib.storage.health import HealthStore

        return Checks(HealthStore(self.objects), lambda: self.secrets)

    @cached_property
    def messages(self) -> "Messages":
        """Messages to everybody."""
        from chalicelib.services.messages import Messages
        from chalicelib.storage.messages import MessageStore

        return Messages(self.access, self.usage, MessageStore(), self._clock)

    @cached_property
    def quotas(self) -> "Quotas":
        """Quotas."""
        from chalicelib.services.quotas import Quotas

        full = self.settings.superusers_full_access
        return Quotas(self.access, self.usage, self._accounts, full_access=full)

    @cached_property
    def repositories(self) -> Repositories:
        """Repositories."""
        return Repositories(self.access, self.usage, self._repositories, self._accounts, self._clock)

    @cached_property
    def arrivals(self) -> Arrivals:
        """What came to S3 past us."""
        chosen = self.settings
        return Arrivals(self._blobs, self.objects, chosen.settled_s, edge=chosen.edge, clock=self._clock)

    @cached_property
    def reconcile(self) -> "Reconcile":
        """The bucket against the table."""
        from chalicelib.services.reconcile import Reconcile
        from chalicelib.storage.reconcile import ReconcileStore

        return Reconcile(self.arrivals, self.objects, ReconcileStore(), self.settings.settled_s, self._clock)

    @cached_property
    def blobs(self) -> Blobs:
        """Blobs."""
        return Blobs(self.access, self._blobs, self._repositories, self.arrivals, self._lease, self._clock)

    @cached_property
    def upload_tokens(self) -> UploadTokens:
        """Tokens in the addresses of uploads."""
        chosen = self.settings
        return UploadTokens(self.secrets.upload, chosen.upload_s, chosen.grant_s, self._clock)

    @cached_property
    def uploads(self) -> Uploads:
        """Uploads."""
        return Uploads(
            self.access,
            self.repositories,
            self._blobs,
            self._uploads,
            self.objects,
            self.upload_tokens,
            self._lease,
            self._clock,
        )

    @cached_property
    def relays(self) -> Relays:
        """What relays are granted."""
        return Relays(self.uploads, self.upload_tokens, self._uploads, self.objects)

    @cached_property
    def grants(self) -> Grants:
        """What pushers without a key of ours are granted."""
        return Grants(self.uploads, self.upload_tokens, self.blobs, self._uploads, self.objects)

    @cached_property
    def manifests(self) -> Manifests:
        """Manifests."""
        return Manifests(
            self.access,
            self.usage,
            self.repositories,
            self.blobs,
            self._manifests,
            self._tags,
            self._blobs,
            self.objects,
            self._lease,
            self._clock,
        )

    @cached_property
    def tags(self) -> Tags:
        """Tags."""
        return Tags(self.access, self.usage, self._tags, self._manifests, self._clock)

    @cached_property
    def referrers(self) -> Referrers:
        """Referrers."""
        return Referrers(self.access, self._manifests)

    @cached_property
    def timers(self) -> "Timers":
        """The runner of due timers. A kind that no owner is named for here stays in the table and is not read."""
        from chalicelib.services.timers import Timers
        from chalicelib.storage.timers import TimerStore

        owners: dict[str, Work] = {}
        return Timers(TimerStore(), owners, self._clock)


@cache
def services() -> Services:
    """The services of this process, by its settings."""
    return Services(settings())
