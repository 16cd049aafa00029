"""Stars: repositories that users mark for themselves."""

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
    """Stars. They are nobody's business but their owner's, and no usage log tells of them, as in Quay."""

    def __init__(self, access: Access, stores: Stores, listings: RepositoryListing) -> None:
        self._access, self._listings = access, listings
        self._accounts, self._repositories, self._clock = stores.accounts, stores.repositories, stores.clock

    def page(self, actor: Actor, token: str | None) -> ListPage:
        """A hundred of one's starred repositories that one may see. Raises Unauthenticated, Denied."""
        self._access.require_user(actor)
        return self._listings.page(actor, STARRED, token)

    def add(self, actor: Actor, name: RepositoryName) -> None:
        """Stars a repository that one may read; starred again it stays so.

        Raises Unauthenticated, Denied, NameUnknown.
        """
        account_id = self._access.require_user(actor)
        repository = self._access.require_role(actor, name, Role.READ).repository
        put_new(star_row(account_id, repository.namespace_id, repository.id, int(self._clock())))

    def remove(self, actor: Actor, name: RepositoryName) -> None:
        """Takes a star away, also from what one may read no longer; it tells nobody whether there was one.

        Raises Unauthenticated, Denied.
        """
        account_id = self._access.require_user(actor)
        pointer = self._accounts.find(name.namespace)
        row = self._repositories.find(pointer.id, name) if pointer else None
        if row is not None:
            transaction = Transaction()
            transaction.delete(star_row(account_id, keys.namespace_id(row.pk), row.repository_id))
            transaction.commit()
