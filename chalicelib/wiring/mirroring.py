"""Services of the room `mirroring`."""

from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.storage.stores import Stores
from chalicelib.wiring.activity import ActivityRoom
from chalicelib.wiring.registry import RegistryRoom
from chalicelib.wiring.security import SecurityRoom

if TYPE_CHECKING:
    from chalicelib.services.mirroring.blob_copies import BlobCopies
    from chalicelib.services.mirroring.cache_repositories import CacheRepositories
    from chalicelib.services.mirroring.cache_workers import CacheWorkers
    from chalicelib.services.mirroring.cached_blobs import CachedBlobs
    from chalicelib.services.mirroring.cached_manifests import CachedManifests
    from chalicelib.services.mirroring.discovered_repositories import DiscoveredRepositories
    from chalicelib.services.mirroring.discoveries import Discoveries
    from chalicelib.services.mirroring.discovery_workers import DiscoveryWorkers
    from chalicelib.services.mirroring.health import MirrorHealth
    from chalicelib.services.mirroring.mirrors import Mirrors
    from chalicelib.services.mirroring.organization_mirrors import OrganizationMirrors
    from chalicelib.services.mirroring.organization_probes import OrganizationProbes
    from chalicelib.services.mirroring.plans import Plans
    from chalicelib.services.mirroring.probes import Probes
    from chalicelib.services.mirroring.proxy_caches import ProxyCaches
    from chalicelib.services.mirroring.run_reader import RunReader
    from chalicelib.services.mirroring.runs import Runs
    from chalicelib.services.mirroring.upstreams import Upstreams
    from chalicelib.services.mirroring.workers import MirrorWorkers


class MirroringRoom:
    """Repositories that are copied from other registries."""

    def __init__(self, stores: Stores, security: SecurityRoom, activity: ActivityRoom, registry: RegistryRoom) -> None:
        self._stores, self._security, self._activity, self._registry = stores, security, activity, registry

    @cached_property
    def blob_copies(self) -> "BlobCopies":
        from chalicelib.services.mirroring.blob_copies import BlobCopies

        registry = self._registry
        return BlobCopies(self._stores, registry.blobs, registry.uploads, self._security.upload_tokens)

    @cached_property
    def cache_repositories(self) -> "CacheRepositories":
        from chalicelib.services.mirroring.cache_repositories import CacheRepositories

        security = self._security
        return CacheRepositories(
            security.access, self._stores, lambda: security.envelope, self.upstreams, self._registry.repositories
        )

    @cached_property
    def cache_workers(self) -> "CacheWorkers":
        from chalicelib.services.mirroring.cache_workers import CacheWorkers

        return CacheWorkers(self._stores, self.cache_repositories, self._registry.manifests, self.blob_copies)

    @cached_property
    def cached_blobs(self) -> "CachedBlobs":
        from chalicelib.services.mirroring.cached_blobs import CachedBlobs

        return CachedBlobs(self._registry.blobs, self._registry.uploads, self.cache_repositories)

    @cached_property
    def cached_manifests(self) -> "CachedManifests":
        from chalicelib.services.mirroring.cached_manifests import CachedManifests

        return CachedManifests(
            self._activity.usage_log, self._stores, self._registry.manifests, self.cache_repositories
        )

    @cached_property
    def proxy_caches(self) -> "ProxyCaches":
        from chalicelib.services.mirroring.proxy_caches import ProxyCaches

        security = self._security
        return ProxyCaches(
            security.access, self._activity.usage_log, self._stores, lambda: security.envelope, self.upstreams
        )

    @cached_property
    def health(self) -> "MirrorHealth":
        from chalicelib.services.mirroring.health import MirrorHealth

        return MirrorHealth(self._security.access, self._stores)

    @cached_property
    def mirrors(self) -> "Mirrors":
        from chalicelib.services.mirroring.mirrors import Mirrors

        return Mirrors(self._security.access, self._activity.usage_log, self._stores, lambda: self._security.envelope)

    @cached_property
    def discovered_repositories(self) -> "DiscoveredRepositories":
        from chalicelib.services.mirroring.discovered_repositories import DiscoveredRepositories

        registry, security = self._registry, self._security
        return DiscoveredRepositories(
            self._activity.usage_log,
            self._stores,
            lambda: registry.repositories,
            self.runs,
            lambda: security.envelope,
        )

    @cached_property
    def discoveries(self) -> "Discoveries":
        from chalicelib.services.mirroring.discoveries import Discoveries

        security = self._security
        return Discoveries(
            security.access,
            self._activity.usage_log,
            self._stores,
            lambda: security.envelope,
            self.discovered_repositories,
        )

    @cached_property
    def discovery_workers(self) -> "DiscoveryWorkers":
        from chalicelib.services.mirroring.discovery_workers import DiscoveryWorkers

        return DiscoveryWorkers(self._stores, self.discoveries, self.discovered_repositories, self.upstreams)

    @cached_property
    def organization_mirrors(self) -> "OrganizationMirrors":
        from chalicelib.services.mirroring.organization_mirrors import OrganizationMirrors

        security = self._security
        return OrganizationMirrors(
            security.access, self._activity.usage_log, self._stores, lambda: security.envelope, self.discoveries
        )

    @cached_property
    def organization_probes(self) -> "OrganizationProbes":
        from chalicelib.services.mirroring.organization_probes import OrganizationProbes

        security = self._security
        return OrganizationProbes(security.access, self._stores, lambda: security.envelope, self.upstreams)

    @cached_property
    def plans(self) -> "Plans":
        from chalicelib.services.mirroring.plans import Plans

        return Plans(self._security.access, self._stores, self.runs, self.upstreams)

    @cached_property
    def probes(self) -> "Probes":
        from chalicelib.services.mirroring.probes import Probes

        return Probes(self._security.access, self._activity.usage_log, self._stores, self.upstreams)

    @cached_property
    def run_reader(self) -> "RunReader":
        from chalicelib.services.mirroring.run_reader import RunReader

        return RunReader(self._security.access, self._stores, self._security.page_tokens)

    @cached_property
    def runs(self) -> "Runs":
        from chalicelib.services.mirroring.runs import Runs

        return Runs(self._security.access, self._activity.usage_log, self._stores)

    @cached_property
    def upstreams(self) -> "Upstreams":
        from chalicelib.services.mirroring.upstreams import Upstreams

        return Upstreams(self._stores, lambda: self._security.outgoing, lambda: self._security.envelope)

    @cached_property
    def workers(self) -> "MirrorWorkers":
        from chalicelib.services.mirroring.comparisons import Comparisons
        from chalicelib.services.mirroring.endings import RunEndings
        from chalicelib.services.mirroring.robots import MirrorRobots
        from chalicelib.services.mirroring.tag_copies import TagCopies
        from chalicelib.services.mirroring.tag_workers import TagWorkers
        from chalicelib.services.mirroring.workers import MirrorWorkers

        registry, stores = self._registry, self._stores
        robots = MirrorRobots(self._security.access, stores)
        endings = RunEndings(stores, self.runs, robots, registry.tags)
        copies = TagCopies(stores, registry.manifests, self.blob_copies)
        return MirrorWorkers(
            self.runs,
            Comparisons(stores, self.runs, self.upstreams),
            TagWorkers(self._activity.usage_log, stores, endings, self.upstreams, copies),
            endings,
            self.plans,
        )
