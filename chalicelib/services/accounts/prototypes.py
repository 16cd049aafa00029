"""Prototypes: default permissions of an organization, given on each repository as it is made."""

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

# They are given in the transaction that makes a repository, which has a hundred items: each is three of them.
MOST = 25


@dataclass(frozen=True, slots=True)
class NewPrototype:
    """A default permission as it is asked for: a delegate of a kind, `user` or `team`, and whose repositories for."""

    role: Role
    kind: HolderKind
    delegate: str
    maker: str | None = None


@dataclass(frozen=True, slots=True)
class PrototypeParty:
    """Somebody in a default permission. `is_member` says whether they belong to it."""

    name: str
    kind: HolderKind
    is_member: bool = True


@dataclass(frozen=True, slots=True)
class Prototype:
    """A default permission: on repositories that `maker` makes, or everybody."""

    uuid: str
    role: Role
    delegate: PrototypeParty
    maker: PrototypeParty | None


class Prototypes:
    """Default permissions."""

    def __init__(self, access: Access, usage: UsageLog, stores: Stores) -> None:
        self._access, self._usage, self._store = access, usage, stores.prototypes
        self._accounts, self._teams, self._permissions = stores.accounts, stores.teams, stores.permissions
        self._clock = stores.clock

    def of_organization(self, actor: Actor, organization: str) -> list[Prototype]:
        """An organization's, the oldest first. Raises NothingThere, Unauthenticated, Denied."""
        place = self._access.administered(actor, organization)
        rows = sorted(self._store.of_namespace(place.id), key=lambda row: (row.created_at, row.uuid))
        return self._shown(place, rows)

    def _shown(self, place: NamespaceAccess, rows: Sequence[PrototypeRow]) -> list[Prototype]:
        """Those of the rows whose delegate and maker are still there."""
        parties = self._parties(place, rows)
        return [
            Prototype(row.uuid, row.role, parties[row.delegate_id], parties[row.maker_id] if row.maker_id else None)
            for row in rows
            if row.delegate_id in parties and (not row.maker_id or row.maker_id in parties)
        ]

    def _parties(self, place: NamespaceAccess, rows: Sequence[PrototypeRow]) -> Mapping[str, PrototypeParty]:
        holders = self._holders(rows)
        members = self._teams.all_members(place.id) if any(holder.kind == HolderKind.USER for holder in holders) else ()
        return {
            holder.id: PrototypeParty(holder.name, holder.kind, holder.kind != HolderKind.USER or holder.id in members)
            for holder in holders
        }

    def _holders(self, rows: Sequence[PrototypeRow]) -> list[RoleHolder]:
        """All who stand in the rows and are still there."""
        teams = {row.delegate_id for row in rows if row.delegate_kind == HolderKind.TEAM}
        accounts = {row.delegate_id for row in rows} - teams | {row.maker_id for row in rows if row.maker_id}
        found = [RoleHolder(team.id, team.name, HolderKind.TEAM) for team in self._teams.get_all(sorted(teams))]
        alive = self._accounts.get_all(sorted(accounts)).values()
        return found + [RoleHolder(account.id, account.name, HolderKind(account.kind)) for account in alive]

    def create(self, actor: Actor, organization: str, wish: NewPrototype) -> Prototype:
        """A new default permission. Raises FieldInvalid, NothingThere, Unauthenticated, Denied."""

        def attempt() -> Prototype:
            place = self._access.administered(actor, organization)
            maker_id = self._maker(wish.maker) if wish.maker else None
            delegate = self._delegate(place, wish)
            if len(self._store.of_namespace(place.id)) >= MOST:
                raise FieldInvalid("", f"an organization has at most {MOST} default permissions: remove some")
            uuid = str(uuid4())
            row = PrototypeRow.under(
                keys.prototype(place.id, uuid),
                uuid=uuid,
                namespace_id=place.id,
                role=wish.role,
                delegate_id=delegate.id,
                delegate_kind=delegate.kind,
                maker_id=maker_id,
                created_at=int(self._clock()),
            )
            transaction = Transaction()
            self._store.add(transaction, row)
            self._accounts.require_live_namespace(transaction, place.id)
            return self._written(actor, transaction, place, row)

        return retry_on_conflict(attempt)

    def _maker(self, name: str) -> str:
        pointer = self._accounts.find(name)
        if pointer is None or pointer.kind == AccountKind.ORGANIZATION:
            raise FieldInvalid("", "Unknown activating user")
        return pointer.id

    def _delegate(self, place: NamespaceAccess, wish: NewPrototype) -> RoleHolder:
        if wish.kind == HolderKind.TEAM:
            team = self._teams.find(place.id, wish.delegate)
            if team is None:
                raise FieldInvalid("", f"Team does not exist: {wish.delegate[:80]}")
            return RoleHolder(team.id, team.name, HolderKind.TEAM)
        pointer = self._accounts.find(wish.delegate)
        if pointer is None or pointer.kind == AccountKind.ORGANIZATION:
            raise FieldInvalid("", "Missing delegate user or team")
        if pointer.kind == AccountKind.ROBOT and wish.delegate.partition("+")[0] != place.name:
            raise FieldInvalid("", f"Cannot add robot {wish.delegate} under namespace {place.name}")
        return RoleHolder(pointer.id, wish.delegate, HolderKind(pointer.kind))

    def _written(
        self,
        actor: Actor,
        transaction: Transaction,
        place: NamespaceAccess,
        row: PrototypeRow,
        before: Role | None = None,
    ) -> Prototype:
        """Commits a new default permission, or a change of one that had the role `before`, with its record."""
        shown = self._shown(place, [row])
        if not shown:
            raise ResourceUnknown("prototype", row.uuid)
        (told,) = shown
        delegate = {"delegate_team" if told.delegate.kind == HolderKind.TEAM else "delegate_user": told.delegate.name}
        metadata = {"prototypeid": row.uuid, "role": row.role, **delegate, "namespace": place.name}
        if told.maker:
            metadata["activating_username"] = told.maker.name
        if before:
            metadata["original_role"] = before
        kind = "modify_prototype_permission" if before else "create_prototype_permission"
        self._usage.note(actor, transaction, kind, place.id, metadata)
        transaction.commit()
        return told

    def change(self, actor: Actor, organization: str, uuid: str, role: Role) -> Prototype:
        """Gives a default permission another role. Raises NothingThere, Unauthenticated, Denied."""

        def attempt() -> Prototype:
            place, row = self._found(actor, organization, uuid)
            before, row.role = row.role, role
            transaction = Transaction()
            self._store.change(transaction, row)
            return self._written(actor, transaction, place, row, before)

        return retry_on_conflict(attempt)

    def _found(self, actor: Actor, organization: str, uuid: str) -> tuple[NamespaceAccess, PrototypeRow]:
        place = self._access.administered(actor, organization)
        row = self._store.get(place.id, uuid)
        if row is None:
            raise ResourceUnknown("prototype", uuid)
        return place, row

    def delete(self, actor: Actor, organization: str, uuid: str) -> None:
        """Removes a default permission; repositories that have it keep it.

        Raises NothingThere, Unauthenticated, Denied.
        """

        def attempt() -> None:
            place, row = self._found(actor, organization, uuid)
            transaction = Transaction()
            self._store.remove(transaction, row)
            told = {"prototypeid": uuid, "role": row.role, "namespace": place.name}
            self._usage.note(actor, transaction, "delete_prototype_permission", place.id, told)
            transaction.commit()

        retry_on_conflict(attempt)

    def apply(self, transaction: Transaction, repository: Repository, maker_id: str) -> None:
        """Adds the default permissions on a new repository to the transaction that makes it.

        None for its maker, who has more by having made it. It reads, by one query, and by two batches where there is
        any.
        """
        rows = self._store.of_namespace(repository.namespace_id)
        roles = _wanted(rows, maker_id)
        wanted = [row for row in rows if row.delegate_id in roles]
        where = (repository.namespace_id, repository.id)
        for holder in self._holders(wanted) if wanted else []:
            if role := roles.get(holder.id):
                self._permissions.put(transaction, where, holder, role, is_new=True)


def _wanted(rows: Sequence[PrototypeRow], maker_id: str) -> dict[str, Role]:
    """What each delegate is given on a repository of a maker's: a rule for the maker is heard before one for all.

    Of several that are equal in this the greatest role counts.
    """
    found: dict[str, tuple[bool, int, Role]] = {}
    for row in rows:
        if row.maker_id in (None, maker_id) and row.delegate_id != maker_id:
            role = row.role
            rule = (row.maker_id is not None, role.rank, role)
            found[row.delegate_id] = max(found.get(row.delegate_id, rule), rule, key=lambda one: one[:2])
    return {delegate: role for delegate, (_, _, role) in found.items()}
