"""Stars with which users mark repositories."""

from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, Role
from chalicelib.services.catalog.repository_listing import ListPage, RepositoryListing, RepositoryQuery
from chalicelib.services.security.access import Access
from chalicelib.storage import keys
from chalicelib.storage.catalog.stars import star_row
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, put_new

STARRED = RepositoryQuery(starred=True)


class Stars:
    """Stars of users. Only their owner sees them, and the usage log does not record them, as in Quay."""

    def __init__(self, access: Access, stores: Stores, listing: RepositoryListing) -> None:
        self._access, self._listing = access, listing
        self._accounts, self._repositories, self._clock = stores.accounts, stores.repositories, stores.clock

    def page(self, actor: Actor, token: str | None) -> ListPage:
        """Returns a page of the actor's starred repositories that they may see. Raises Unauthenticated, Denied."""
        self._access.require_user(actor)
        return self._listing.page(actor, STARRED, token)

    def add(self, actor: Actor, name: RepositoryName) -> None:
        """Stars a repository that the actor may read; it may be repeated.

        Raises Unauthenticated, Denied, NameUnknown.
        """
        account_id = self._access.require_user(actor)
        repository = self._access.require_role(actor, name, Role.READ).repository
        put_new(star_row(account_id, repository.namespace_id, repository.id, int(self._clock())))

    def remove(self, actor: Actor, name: RepositoryName) -> None:
        """Removes a star, even from a repository that the actor may no longer read; succeeds without one too.

        Raises Unauthenticated, Denied.
        """
        account_id = self._access.require_user(actor)
        pointer = self._accounts.find(name.namespace)
        row = self._repositories.find(pointer.id, name) if pointer else None
        if row is not None:
            transaction = Transaction()
            transaction.delete(star_row(account_id, keys.namespace_id(row.pk), row.repository_id))
            transaction.commit()
