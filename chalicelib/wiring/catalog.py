"""Services of the room `catalog`."""

from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.storage.stores import Stores
from chalicelib.wiring.activity import ActivityRoom
from chalicelib.wiring.security import SecurityRoom

if TYPE_CHECKING:
    from chalicelib.services.catalog.health import HealthChecks
    from chalicelib.services.catalog.repository_details import RepositoryDetails
    from chalicelib.services.catalog.repository_listing import RepositoryListing
    from chalicelib.services.catalog.search import Search
    from chalicelib.services.catalog.stars import Stars
    from chalicelib.services.catalog.visibility import RepositoryVisibility


class CatalogRoom:
    """Lists, search, stars and health."""

    def __init__(self, stores: Stores, security: SecurityRoom, activity: ActivityRoom) -> None:
        self._stores, self._security, self._activity = stores, security, activity

    @cached_property
    def health(self) -> "HealthChecks":
        from chalicelib.services.catalog.health import HealthChecks

        return HealthChecks(self._stores.health, lambda: self._stores.secrets)

    @cached_property
    def repository_details(self) -> "RepositoryDetails":
        from chalicelib.services.catalog.repository_details import RepositoryDetails

        return RepositoryDetails(self._security.access, self._stores, self._activity.usage_log_reader)

    @cached_property
    def repository_listing(self) -> "RepositoryListing":
        from chalicelib.services.catalog.repository_listing import RepositoryListing

        return RepositoryListing(self._stores, self.visibility, self._security.page_tokens)

    @cached_property
    def search(self) -> "Search":
        from chalicelib.services.catalog.search import Search

        return Search(self._security.access, self._stores, self.visibility)

    @cached_property
    def stars(self) -> "Stars":
        from chalicelib.services.catalog.stars import Stars

        return Stars(self._security.access, self._stores, self.repository_listing)

    @cached_property
    def visibility(self) -> "RepositoryVisibility":
        from chalicelib.services.catalog.visibility import RepositoryVisibility

        return RepositoryVisibility(self._security.access, self._stores)
