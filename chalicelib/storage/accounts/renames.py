"""An organization's other name: taken at once, and written behind to all that is known by a name."""

from collections.abc import Iterator

from chalicelib.domain.accounts import RobotName
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountNameRow, AccountRow, NamespaceRow, RobotRow
from chalicelib.storage.accounts.teams import MemberRow, MembershipRow
from chalicelib.storage.attributes import Integer
from chalicelib.storage.identity.applications import ApplicationRow, ClientRow
from chalicelib.storage.registry.repositories import RepositoryNameRow, RepositoryRow
from chalicelib.storage.search_words import SearchKind, move_words
from chalicelib.storage.table import Row, Transaction, at_version, get, query


class FormerNameRow(Row):
    """A name that an organization had until `at`, and keeps from others until all known by it has the new one."""

    at = Integer()


class RenameStore:
    """Renames in the table."""

    def take(self, transaction: Transaction, namespace: NamespaceRow, name: str, now: int) -> None:
        """Gives a namespace another name, on condition that nobody has it or that it was its own a moment ago.

        The namespace is to be written in the same transaction.
        """
        identifier, former = keys.namespace_id(namespace.pk), namespace.name
        pointer = AccountNameRow.under(keys.account_name(name), id=identifier, kind=namespace.kind)
        is_own = (AccountNameRow.id == identifier) & AccountNameRow.deleted_at.exists()
        transaction.put(pointer, AccountNameRow.pk.does_not_exist() | is_own)
        transaction.delete(FormerNameRow.under(keys.former_name(identifier, name)))
        old = AccountNameRow.under(keys.account_name(former))
        transaction.update(old, AccountNameRow.deleted_at.set(now), condition=AccountNameRow.id == identifier)
        transaction.put(FormerNameRow.under(keys.former_name(identifier, former), at=now))
        namespace.name = namespace.view_at = name
        move_words(transaction, SearchKind(namespace.kind), (former, name), identifier)

    def repositories(self, namespace_id: str, after: str) -> Iterator[RepositoryNameRow]:
        """A namespace's repositories past a sort key."""
        return query(RepositoryNameRow, keys.repository_name(namespace_id, ""), after=after)

    def rename_repository(self, row: RepositoryNameRow, namespace: str) -> None:
        """Lets a repository be listed under another name of its namespace. Raises WriteConflict when it is gone."""
        full_name = f"{namespace}/{row.name}"
        if row.view_at == full_name:
            return
        transaction = Transaction()
        is_same = RepositoryNameRow.repository_id == row.repository_id
        transaction.update(row, RepositoryNameRow.view_at.set(full_name), condition=is_same)
        back = RepositoryRow.under(keys.repository(row.repository_id))
        transaction.update(back, RepositoryRow.namespace.set(namespace), condition=RepositoryRow.pk.exists())
        transaction.commit()

    def robots(self, namespace_id: str, after: str) -> Iterator[RobotRow]:
        """A namespace's robots past a sort key."""
        return query(RobotRow, keys.robot(namespace_id, ""), after=after)

    def rename_robot(self, row: RobotRow, namespace: str) -> None:
        """Gives a robot the whole name that goes with another one of its namespace.

        Raises WriteConflict when it changed meanwhile.
        """
        account = get(AccountRow, keys.account(row.account_id))
        if account is None:
            return
        name = str(RobotName(namespace, row.sk.removeprefix(keys.robot("", "")[1])))
        if account.name != name:
            transaction, version, former = Transaction(), account.version, account.name
            account.name, account.version = name, version + 1
            transaction.put(account, at_version(AccountRow.version, version))
            transaction.delete(AccountNameRow.under(keys.account_name(former)))
            transaction.put(AccountNameRow.under(keys.account_name(name), id=account.id, kind=account.kind))
            transaction.commit()
        for held in query(MembershipRow, keys.membership(account.id)):
            self._tell_team(MemberRow.under(keys.team_member(held.team_id, account.id)), name)

    def _tell_team(self, row: MemberRow, name: str) -> None:
        transaction = Transaction()
        transaction.update(row, MemberRow.name.set(name), condition=MemberRow.pk.exists())
        transaction.commit()

    def applications(self, namespace_id: str, after: str) -> Iterator[ApplicationRow]:
        """A namespace's applications past a sort key."""
        return query(ApplicationRow, keys.application(namespace_id), after=after)

    def rename_application(self, row: ApplicationRow, namespace: str) -> None:
        """Lets an application be told with another name of its organization. Raises WriteConflict when it is gone."""
        transaction = Transaction()
        client = ClientRow.under(keys.client(row.client_id))
        transaction.update(client, ClientRow.organization.set(namespace), condition=ClientRow.pk.exists())
        transaction.commit()

    def former_names(self, namespace_id: str) -> dict[str, int]:
        """Names that a namespace keeps from others, and until when it had each."""
        prefix = keys.former_name(namespace_id)
        return {row.sk.removeprefix(prefix[1]): row.at for row in query(FormerNameRow, prefix)}

    def free(self, namespace_id: str, name: str) -> None:
        """Lets others have a former name; done again, it changes nothing."""
        transaction = Transaction()
        transaction.delete(FormerNameRow.under(keys.former_name(namespace_id, name)))
        row = AccountNameRow.under(keys.account_name(name))
        is_own = (AccountNameRow.id == namespace_id) & AccountNameRow.deleted_at.exists()
        transaction.delete(row, AccountNameRow.pk.does_not_exist() | is_own)
        transaction.commit()
