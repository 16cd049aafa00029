"""Which store serves which service: built once per cold start, on first use.

What a pull does not need is imported where it is built: each module costs every cold start a millisecond or two.
"""

from functools import cache, cached_property
from typing import TYPE_CHECKING

from chalicelib.services.registry.blobs import Blobs
from chalicelib.services.registry.direct_uploads import DirectUploads
from chalicelib.services.registry.expiry_labels import ExpiryLabels
from chalicelib.services.registry.manifests import Manifests
from chalicelib.services.registry.repositories import Repositories
from chalicelib.services.registry.tags import Tags
from chalicelib.settings import settings
from chalicelib.storage.activity.usage_log import UsageLogStore
from chalicelib.wiring.cleaning import Cleaning

if TYPE_CHECKING:
    from chalicelib.domain.timers import Work
    from chalicelib.services.activity.exports import Exports
    from chalicelib.services.activity.pulls import Pulls
    from chalicelib.services.activity.usage_log_reader import UsageLogReader
    from chalicelib.services.catalog.health import HealthChecks
    from chalicelib.services.catalog.repository_details import RepositoryDetails
    from chalicelib.services.catalog.repository_listing import RepositoryListing
    from chalicelib.services.catalog.search import Search
    from chalicelib.services.catalog.stars import Stars
    from chalicelib.services.catalog.visibility import RepositoryVisibility
    from chalicelib.services.lifecycle.reconcile import Reconcile
    from chalicelib.services.lifecycle.timers import Timers
    from chalicelib.services.registry.presigned_uploads import PresignedUploads
    from chalicelib.services.registry.referrers import Referrers
    from chalicelib.services.registry.relays import Relays
    from chalicelib.services.registry.uploads import Uploads
    from chalicelib.services.security.upload_tokens import UploadTokens
    from chalicelib.storage.catalog.visibility import VisibilityStore


class Services(Cleaning):
    """All services of a process over one table, one bucket and one set of keys."""

    @cached_property
    def logs(self) -> "UsageLogReader":
        """The usage log, read."""
        from chalicelib.services.activity.usage_log_reader import UsageLogReader

        return UsageLogReader(self.access, UsageLogStore(self.settings.log_s), self._accounts, self._clock)

    @cached_property
    def exports(self) -> "Exports":
        """Files of the usage log."""
        from chalicelib.services.activity.exports import Exports
        from chalicelib.storage.activity.exports import ExportStore

        chosen = self.settings
        return Exports(
            self.logs,
            UsageLogStore(chosen.log_s),
            ExportStore(),
            self.objects,
            lambda: self._envelope,
            self.outgoing,
            chosen.url,
            chosen.presign_s,
            self._clock,
        )

    @cached_property
    def checks(self) -> "HealthChecks":
        """What answers."""
        from chalicelib.services.catalog.health import HealthChecks
        from chalicelib.storage.catalog.health import HealthStore

        return HealthChecks(HealthStore(self.objects), lambda: self.secrets)

    @cached_property
    def repositories(self) -> Repositories:
        """Repositories."""
        # A token that was given before a delete, and what is held since, end after so long.
        settled_s = self.settings.token_s + self.settings.lease_s
        return Repositories(
            self.access,
            self.usage,
            self._repositories,
            self._accounts,
            self._permissions,
            lambda: self.prototypes,
            settled_s,
            self._clock,
        )

    @cached_property
    def _sights(self) -> "VisibilityStore":
        from chalicelib.storage.catalog.visibility import VisibilityStore

        return VisibilityStore()

    @cached_property
    def sights(self) -> "RepositoryVisibility":
        """What actors may see."""
        from chalicelib.services.catalog.visibility import RepositoryVisibility

        return RepositoryVisibility(self.access, self._sights)

    @cached_property
    def listings(self) -> "RepositoryListing":
        """Lists of repositories."""
        from chalicelib.services.catalog.repository_listing import RepositoryListing
        from chalicelib.services.security.sealing import PageTokens

        return RepositoryListing(
            self.sights,
            self._repositories,
            self._accounts,
            self._sights,
            UsageLogStore(self.settings.log_s),
            PageTokens(self._envelope),
            self._clock,
        )

    @cached_property
    def stars(self) -> "Stars":
        """Stars."""
        from chalicelib.services.catalog.stars import Stars

        return Stars(self.access, self.listings, self._accounts, self._repositories, self._clock)

    @cached_property
    def search(self) -> "Search":
        """Search."""
        from chalicelib.services.catalog.search import Search
        from chalicelib.storage.search_words import SearchWordStore

        return Search(self.access, self.sights, SearchWordStore(), self._accounts, self._teams, self._repositories)

    @cached_property
    def overviews(self) -> "RepositoryDetails":
        """Repositories, one at a time."""
        from chalicelib.services.catalog.repository_details import RepositoryDetails

        return RepositoryDetails(self.access, self.logs, self._tags, self._clock)

    @cached_property
    def pulls(self) -> "Pulls":
        """Pulls, counted."""
        from chalicelib.services.activity.pulls import Pulls
        from chalicelib.storage.activity.pulls import PullStore

        return Pulls(self.access, PullStore(), UsageLogStore(self.settings.log_s), self._clock)

    @cached_property
    def arrivals(self) -> DirectUploads:
        """What came to S3 past us."""
        chosen = self.settings
        return DirectUploads(self._blobs, self.objects, chosen.settled_s, edge=chosen.edge, clock=self._clock)

    @cached_property
    def reconcile(self) -> "Reconcile":
        """The bucket against the table."""
        from chalicelib.services.lifecycle.reconcile import Reconcile
        from chalicelib.storage.lifecycle.reconcile import ReconcileStore

        return Reconcile(
            self.arrivals,
            self._blobs,
            self._manifests,
            self.objects,
            ReconcileStore(),
            self.settings.settled_s,
            self._clock,
        )

    @cached_property
    def blobs(self) -> Blobs:
        """Blobs."""
        return Blobs(self.access, self._blobs, self._repositories, self.arrivals, self._lease, self._clock)

    @cached_property
    def upload_tokens(self) -> "UploadTokens":
        """Tokens in the addresses of uploads."""
        from chalicelib.services.security.upload_tokens import UploadTokens

        chosen = self.settings
        return UploadTokens(self.secrets.upload, chosen.upload_s, chosen.grant_s, self._clock)

    @cached_property
    def uploads(self) -> "Uploads":
        """Uploads."""
        from chalicelib.services.registry.uploads import Uploads

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
    def relays(self) -> "Relays":
        """What relays are granted."""
        from chalicelib.services.registry.relays import Relays

        return Relays(self.uploads, self.upload_tokens, self._uploads, self.objects)

    @cached_property
    def grants(self) -> "PresignedUploads":
        """What pushers without a key of ours are granted."""
        from chalicelib.services.registry.presigned_uploads import PresignedUploads

        return PresignedUploads(self.uploads, self.upload_tokens, self.blobs, self._uploads, self.objects)

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
            ExpiryLabels(self._blobs, self.objects, self.settings.tag_expiration_from),
            self._lease,
            self._clock,
        )

    @cached_property
    def tags(self) -> Tags:
        """Tags."""
        return Tags(self.access, self.usage, self._tags, self._manifests, self._clock)

    @cached_property
    def referrers(self) -> "Referrers":
        """Referrers."""
        from chalicelib.services.registry.referrers import Referrers

        return Referrers(self.access, self._manifests)

    @cached_property
    def timers(self) -> "Timers":
        """The runner of due timers. A kind that no owner is named for here stays in the table and is not read."""
        from chalicelib.domain.timers import (
            EXPIRY,
            EXPORT,
            GARBAGE,
            IMMUTABILITY,
            PRUNE,
            PULLS,
            PURGE,
            PURGE_REPOSITORY,
            QUOTA,
            RENAME,
            WINDOW,
        )
        from chalicelib.services.lifecycle.timers import Timers
        from chalicelib.storage.timers import TimerStore

        owners: dict[str, Work] = {
            GARBAGE: self.garbage.work,
            EXPIRY: self.expiry.work,
            WINDOW: self.windows.work,
            EXPORT: self.exports.go_on,
            QUOTA: self.quotas.warn,
            RENAME: self.renames.work,
            PRUNE: self.pruning.work,
            PULLS: self.pulls.work,
            PURGE: self.purges.work,
            PURGE_REPOSITORY: self.deletions.work,
            IMMUTABILITY: self.immutability.work,
        }
        return Timers(TimerStore(), owners, self._clock)


@cache
def services() -> Services:
    """The services of this process, by its settings."""
    return Services(settings())
