"""Manages prototypes: the default permissions that an organization sets on each new repository."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.errors import FieldInvalid, ResourceUnknown
from chalicelib.domain.permissions import Actor, HolderKind, Role
from chalicelib.domain.repositories import Repository
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.security.access import Access, NamespaceAccess
from chalicelib.storage import keys
from chalicelib.storage.accounts.permissions import RoleHolder
from chalicelib.storage.accounts.prototypes import PrototypeRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, retry_on_conflict

# They are set in the transaction that creates a repository; each takes three of its hundred items.
MOST = 25


@dataclass(frozen=True, slots=True)
class NewPrototype:
    """A default permission to create: `kind` is `user` or `team`.

    Without `maker` it is for everybody's repositories.
    """

    role: Role
    kind: HolderKind
    delegate: str
    maker: str | None = None


@dataclass(frozen=True, slots=True)
class PrototypeParty:
    """A delegate or maker. `is_member` tells whether they belong to the organization."""

    name: str
    kind: HolderKind
    is_member: bool = True


@dataclass(frozen=True, slots=True)
class Prototype:
    """A default permission on the repositories that `maker` creates, or everybody if it is None."""

    uuid: str
    role: Role
    delegate: PrototypeParty
    maker: PrototypeParty | None


class Prototypes:
    """Manages default permissions and applies them to new repositories."""

    def __init__(self, access: Access, usage_log: UsageLog, stores: Stores) -> None:
        self._access, self._usage_log, self._store = access, usage_log, stores.prototypes
        self._accounts, self._teams, self._permissions = stores.accounts, stores.teams, stores.permissions
        self._clock = stores.clock

    def of_organization(self, actor: Actor, organization: str) -> list[Prototype]:
        """Returns the default permissions of an organization, oldest first.

        Raises ResourceUnknown, Unauthenticated, Denied.
        """
        access = self._access.administered(actor, organization)
        rows = sorted(self._store.of_namespace(access.id), key=lambda row: (row.created_at, row.uuid))
        return self._existing(access, rows)

    def _existing(self, access: NamespaceAccess, rows: Sequence[PrototypeRow]) -> list[Prototype]:
        """Returns the default permissions whose delegate and maker still exist."""
        parties = self._parties(access, rows)
        return [
            Prototype(row.uuid, row.role, parties[row.delegate_id], parties[row.maker_id] if row.maker_id else None)
            for row in rows
            if row.delegate_id in parties and (not row.maker_id or row.maker_id in parties)
        ]

    def _parties(self, access: NamespaceAccess, rows: Sequence[PrototypeRow]) -> Mapping[str, PrototypeParty]:
        holders = self._holders(rows)
        members = (
            self._teams.all_members(access.id) if any(holder.kind == HolderKind.USER for holder in holders) else ()
        )
        return {
            holder.id: PrototypeParty(holder.name, holder.kind, holder.kind != HolderKind.USER or holder.id in members)
            for holder in holders
        }

    def _holders(self, rows: Sequence[PrototypeRow]) -> list[RoleHolder]:
        """Returns the delegates and makers of the rows that still exist."""
        teams = {row.delegate_id for row in rows if row.delegate_kind == HolderKind.TEAM}
        accounts = {row.delegate_id for row in rows} - teams | {row.maker_id for row in rows if row.maker_id}
        team_holders = [RoleHolder(team.id, team.name, HolderKind.TEAM) for team in self._teams.get_all(sorted(teams))]
        live_accounts = self._accounts.get_all(sorted(accounts)).values()
        return team_holders + [
            RoleHolder(account.id, account.name, HolderKind(account.kind)) for account in live_accounts
        ]

    def create(self, actor: Actor, organization: str, new: NewPrototype) -> Prototype:
        """Creates a default permission. Raises FieldInvalid, ResourceUnknown, Unauthenticated, Denied."""

        def attempt() -> Prototype:
            access = self._access.administered(actor, organization)
            maker_id = self._maker(new.maker) if new.maker else None
            delegate = self._delegate(access, new)
            if len(self._store.of_namespace(access.id)) >= MOST:
                raise FieldInvalid("", f"an organization has at most {MOST} default permissions: remove some")
            uuid = str(uuid4())
            row = PrototypeRow.under(
                keys.prototype(access.id, uuid),
                uuid=uuid,
                namespace_id=access.id,
                role=new.role,
                delegate_id=delegate.id,
                delegate_kind=delegate.kind,
                maker_id=maker_id,
                created_at=int(self._clock()),
            )
            transaction = Transaction()
            self._store.add(transaction, row)
            self._accounts.require_live_namespace(transaction, access.id)
            return self._commit(actor, transaction, access, row)

        return retry_on_conflict(attempt)

    def _maker(self, name: str) -> str:
        pointer = self._accounts.find(name)
        if pointer is None or pointer.kind == AccountKind.ORGANIZATION:
            raise FieldInvalid("", "Unknown activating user")
        return pointer.id

    def _delegate(self, access: NamespaceAccess, new: NewPrototype) -> RoleHolder:
        if new.kind == HolderKind.TEAM:
            team = self._teams.find(access.id, new.delegate)
            if team is None:
                raise FieldInvalid("", f"Team does not exist: {new.delegate[:80]}")
            return RoleHolder(team.id, team.name, HolderKind.TEAM)
        pointer = self._accounts.find(new.delegate)
        if pointer is None or pointer.kind == AccountKind.ORGANIZATION:
            raise FieldInvalid("", "Missing delegate user or team")
        if pointer.kind == AccountKind.ROBOT and new.delegate.partition("+")[0] != access.name:
            raise FieldInvalid("", f"Cannot add robot {new.delegate} under namespace {access.name}")
        return RoleHolder(pointer.id, new.delegate, HolderKind(pointer.kind))

    def _commit(
        self,
        actor: Actor,
        transaction: Transaction,
        access: NamespaceAccess,
        row: PrototypeRow,
        before: Role | None = None,
    ) -> Prototype:
        """Commits a new default permission, or a change from the role `before`, with its record in the usage log."""
        existing = self._existing(access, [row])
        if not existing:
            raise ResourceUnknown("prototype", row.uuid)
        (prototype,) = existing
        delegate = {
            "delegate_team" if prototype.delegate.kind == HolderKind.TEAM else "delegate_user": prototype.delegate.name
        }
        metadata = {"prototypeid": row.uuid, "role": row.role, **delegate, "namespace": access.name}
        if prototype.maker:
            metadata["activating_username"] = prototype.maker.name
        if before:
            metadata["original_role"] = before
        kind = "modify_prototype_permission" if before else "create_prototype_permission"
        self._usage_log.record_for_namespace(actor, transaction, kind, access.id, metadata)
        transaction.commit()
        return prototype

    def change(self, actor: Actor, organization: str, uuid: str, role: Role) -> Prototype:
        """Changes the role of a default permission. Raises ResourceUnknown, Unauthenticated, Denied."""

        def attempt() -> Prototype:
            access, row = self._require_row(actor, organization, uuid)
            before, row.role = row.role, role
            transaction = Transaction()
            self._store.change(transaction, row)
            return self._commit(actor, transaction, access, row, before)

        return retry_on_conflict(attempt)

    def _require_row(self, actor: Actor, organization: str, uuid: str) -> tuple[NamespaceAccess, PrototypeRow]:
        access = self._access.administered(actor, organization)
        row = self._store.get(access.id, uuid)
        if row is None:
            raise ResourceUnknown("prototype", uuid)
        return access, row

    def delete(self, actor: Actor, organization: str, uuid: str) -> None:
        """Removes a default permission; the roles it set on repositories stay.

        Raises ResourceUnknown, Unauthenticated, Denied.
        """

        def attempt() -> None:
            access, row = self._require_row(actor, organization, uuid)
            transaction = Transaction()
            self._store.remove(transaction, row)
            metadata = {"prototypeid": uuid, "role": row.role, "namespace": access.name}
            self._usage_log.record_for_namespace(actor, transaction, "delete_prototype_permission", access.id, metadata)
            transaction.commit()

        retry_on_conflict(attempt)

    def apply(self, transaction: Transaction, repository: Repository, maker_id: str) -> None:
        """Adds the default permissions of a new repository to the transaction that creates it.

        The maker gets none, as they are its admin. It reads with one query, and two batches if there are any.
        """
        rows = self._store.of_namespace(repository.namespace_id)
        roles = _wanted(rows, maker_id)
        wanted = [row for row in rows if row.delegate_id in roles]
        where = (repository.namespace_id, repository.id)
        for holder in self._holders(wanted) if wanted else []:
            if role := roles.get(holder.id):
                self._permissions.put(transaction, where, holder, role, is_new=True)


def _wanted(rows: Sequence[PrototypeRow], maker_id: str) -> dict[str, Role]:
    """Returns the role of each delegate on a new repository; a rule for the maker overrides one for everybody.

    Among several rules of the same kind the greatest role counts.
    """
    rules: dict[str, tuple[bool, int, Role]] = {}
    for row in rows:
        if row.maker_id in (None, maker_id) and row.delegate_id != maker_id:
            role = row.role
            rule = (row.maker_id is not None, role.rank, role)
            rules[row.delegate_id] = max(rules.get(row.delegate_id, rule), rule, key=lambda one: one[:2])
    return {delegate: role for delegate, (_, _, role) in rules.items()}
