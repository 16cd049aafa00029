"""Renames an organization: the new name holds at once, and the rows that show the name follow one by one."""

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
    """A name that an organization had until `at`, and that stays reserved until every row shows the new one."""

    at = Integer()


class RenameStore:
    """The renames in the table."""

    def rename_namespace(self, transaction: Transaction, namespace: NamespaceRow, name: str, now: int) -> None:
        """Gives a namespace another name, if it is free or is a former name of the namespace.

        The caller writes the namespace in the same transaction.
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
        """Yields a namespace's repositories after a sort key."""
        return query(RepositoryNameRow, keys.repository_name(namespace_id, ""), after=after)

    def rename_repository(self, row: RepositoryNameRow, namespace: str) -> None:
        """Lists a repository under the new name of its namespace. Raises WriteConflict when it is deleted."""
        full_name = f"{namespace}/{row.name}"
        if row.view_at == full_name:
            return
        transaction = Transaction()
        is_same = RepositoryNameRow.repository_id == row.repository_id
        transaction.update(row, RepositoryNameRow.view_at.set(full_name), condition=is_same)
        by_id = RepositoryRow.under(keys.repository(row.repository_id))
        transaction.update(by_id, RepositoryRow.namespace.set(namespace), condition=RepositoryRow.pk.exists())
        transaction.commit()

    def robots(self, namespace_id: str, after: str) -> Iterator[RobotRow]:
        """Yields a namespace's robots after a sort key."""
        return query(RobotRow, keys.robot(namespace_id, ""), after=after)

    def rename_robot(self, row: RobotRow, namespace: str) -> None:
        """Gives a robot the full name that follows from the new name of its namespace.

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
        for membership in query(MembershipRow, keys.membership(account.id)):
            self._rename_member(MemberRow.under(keys.team_member(membership.team_id, account.id)), name)

    def _rename_member(self, row: MemberRow, name: str) -> None:
        transaction = Transaction()
        transaction.update(row, MemberRow.name.set(name), condition=MemberRow.pk.exists())
        transaction.commit()

    def applications(self, namespace_id: str, after: str) -> Iterator[ApplicationRow]:
        """Yields a namespace's applications after a sort key."""
        return query(ApplicationRow, keys.application(namespace_id), after=after)

    def rename_application(self, row: ApplicationRow, namespace: str) -> None:
        """Shows an application with the new name of its organization. Raises WriteConflict when it is deleted."""
        transaction = Transaction()
        client = ClientRow.under(keys.client(row.client_id))
        transaction.update(client, ClientRow.organization.set(namespace), condition=ClientRow.pk.exists())
        transaction.commit()

    def former_names(self, namespace_id: str) -> dict[str, int]:
        """Returns the former names that a namespace still reserves, with the second until which it had each."""
        prefix = keys.former_name(namespace_id)
        return {row.sk.removeprefix(prefix[1]): row.at for row in query(FormerNameRow, prefix)}

    def free_former_name(self, namespace_id: str, name: str) -> None:
        """Frees a former name. Does nothing if it is free."""
        transaction = Transaction()
        transaction.delete(FormerNameRow.under(keys.former_name(namespace_id, name)))
        row = AccountNameRow.under(keys.account_name(name))
        is_own = (AccountNameRow.id == namespace_id) & AccountNameRow.deleted_at.exists()
        transaction.delete(row, AccountNameRow.pk.does_not_exist() | is_own)
        transaction.commit()
