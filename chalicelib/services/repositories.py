"""Repositories: made on first push, listed, made public or private."""

import heapq
import time
from collections.abc import Callable, Iterator

from chalicelib.domain.errors import Denied, NameUnknown
from chalicelib.domain.events import CREATE_REPOSITORY
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.pages import Page
from chalicelib.domain.permissions import ANY, PUSH, Actor, Role
from chalicelib.domain.repositories import Repository, Visibility
from chalicelib.services.access import Access
from chalicelib.services.usage import Usage
from chalicelib.storage.accounts import AccountStore
from chalicelib.storage.repositories import RepositoryStore
from chalicelib.storage.table import Batch, LostRace, Transaction, until_won


class Repositories:
    """Repositories as a whole."""

    def __init__(
        self,
        access: Access,
        usage: Usage,
        store: RepositoryStore,
        accounts: AccountStore,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._access, self._usage, self._store, self._accounts = access, usage, store, accounts
        self._clock = clock

    def for_push(self, actor: Actor, name: RepositoryName) -> Repository:
        """The repository, made private where the actor may create it and it is not there yet.

        Raises Unauthenticated, NameUnknown.
        """
        grant = self._access.granted(actor, name, PUSH)
        repository = self._access.known(grant, name)
        if repository is None and grant.namespace_id is None:
            raise NameUnknown(str(name))
        return repository or self._create(actor, name, grant.namespace_id or "")

    def _create(self, actor: Actor, name: RepositoryName, namespace_id: str) -> Repository:
        account = self._accounts.get(actor.account_id or "")
        if account is None or not account.enabled or account.epoch != actor.epoch:
            raise Denied(str(name), PUSH)
        created = Repository(ulid(self._clock()), namespace_id, name)
        transaction = Transaction()
        self._store.add(transaction, created, Visibility.PRIVATE)
        self._usage.record(actor, transaction, CREATE_REPOSITORY, created, {"repository": str(name)})
        try:
            transaction.commit()
        except LostRace:
            return until_won(lambda: self._made_meanwhile(namespace_id, name))
        return created

    def _made_meanwhile(self, namespace_id: str, name: RepositoryName) -> Repository:
        row = self._store.find(namespace_id, name)
        if row is None:
            raise LostRace
        return Repository(row.repository_id, namespace_id, name)

    def change_visibility(self, actor: Actor, name: RepositoryName, visibility: Visibility) -> None:
        """Makes a repository public or private. Raises NameUnknown."""
        repository = self._access.repository(actor, name, ANY)

        def attempt() -> None:
            self._look_again(actor, repository)
            row = self._store.find(repository.namespace_id, name)
            if row is None:
                raise NameUnknown(str(name))
            self._store.change_visibility(row, visibility)

        until_won(attempt)

    def grant(self, actor: Actor, name: RepositoryName, account_id: str, role: Role) -> None:
        """Gives an account a role. Raises NameUnknown."""
        repository = self._access.repository(actor, name, ANY)
        self._look_again(actor, repository)
        self._store.grant(repository, account_id, role)

    def _look_again(self, actor: Actor, repository: Repository) -> None:
        batch = Batch()
        rights = self._access.look_again(batch, actor, repository)
        batch.read()
        rights.check(ANY)

    def catalog(self, actor: Actor, last: str, size: int) -> Page[str]:
        """Full names of what the actor may pull: public, owned and granted, in order, past `last`."""
        if size == 0:
            return Page([])
        lists = [self._store.public(last, size + 1)]
        if actor.account_id is not None:
            account = self._accounts.get(actor.account_id)
            if account is not None:
                lists.append(self._store.owned(account.id, account.name, last, size + 1))
                lists.append(iter(self._granted(account.id, last)))
        names = list(_first(heapq.merge(*lists), size + 1))
        return Page(names[:size], more=len(names) > size)

    def _granted(self, account_id: str, last: str) -> list[str]:
        rows = self._store.get_all(self._store.granted(account_id))
        names = (f"{row.namespace}/{row.name}" for row in rows.values() if row.state == "live")
        return sorted(name for name in names if name > last)


def _first(names: Iterator[str], count: int) -> Iterator[str]:
    """The first `count` of sorted names, each once."""
    before = None
    for name in names:
        if name == before:
            continue
        before = name
        yield name
        count -= 1
        if count == 0:
            return
