"""Manages robots: accounts of a namespace for machines, whose token its admins may read back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from uuid import uuid4

from chalicelib.domain.accounts import ROBOT_TOKEN_PREFIX, AccountKind, RobotName
from chalicelib.domain.errors import AccountUnknown, FieldInvalid, RobotInUse, RobotTaken, RobotUnknown
from chalicelib.domain.ids import ulid
from chalicelib.domain.permissions import Actor, HolderKind, Role
from chalicelib.domain.scopes import ORG_ADMIN, USER_ADMIN, allows
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.security.access import Access, NamespaceAccess, refusal
from chalicelib.services.security.sealing import Envelope, hashed, random_secret
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountRow, RobotRow
from chalicelib.storage.accounts.permissions import RoleHolder
from chalicelib.storage.identity.tokens import TokenKind, TokenRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, retry_on_conflict

# How long two tokens of a robot may be valid at once, in seconds: 30 days.
LONGEST_OVERLAP_S = 30 * 86_400
# An item of the table has at most 400 KB, and a list reads many items.
LARGEST_METADATA = 64 * 1024


@dataclass(frozen=True, slots=True)
class RobotRepositoryRole:
    """A robot's role on a repository; `repository` is its full name."""

    repository: str
    is_public: bool
    role: Role


@dataclass(frozen=True, slots=True)
class RobotView:
    """A robot as an actor sees it.

    `token`, `teams` and `repositories` (on which it has a role) are None if they were not requested or the actor may
    not see them. `last_used_at` is the last use of its current token, in seconds since the epoch.
    """

    name: RobotName
    row: RobotRow
    token: str | None = None
    last_used_at: int | None = None
    teams: Sequence[str] | None = None
    repositories: Sequence[str] | None = None

    @property
    def metadata(self) -> Mapping[str, object] | None:
        """The unstructured metadata that its creator stored."""
        metadata: Mapping[str, object] | None = json.loads(self.row.metadata) if self.row.metadata else None
        return metadata


@dataclass(slots=True)
class NamespaceRoles:
    """The teams of accounts in a namespace and the repositories they have a role on: names by account id."""

    teams: dict[str, list[str]] = field(default_factory=dict)
    repositories: dict[str, list[str]] = field(default_factory=dict)


class Robots:
    """Manages the robots of users and organizations."""

    def __init__(self, access: Access, usage_log: UsageLog, stores: Stores, envelope: Envelope) -> None:
        self._access, self._usage_log, self._store, self._tokens = access, usage_log, stores.accounts, stores.tokens
        self._teams, self._permissions, self._repositories = stores.teams, stores.permissions, stores.repositories
        self._stores, self._envelope, self._clock = stores, envelope, stores.clock

    def create(
        self,
        actor: Actor,
        name: RobotName,
        description: str = "",
        metadata: Mapping[str, object] | None = None,
    ) -> RobotView:
        """Creates a robot and returns it with its token. A robot with a former robot's name inherits nothing.

        Raises AccountUnknown, RobotTaken, FieldInvalid, Unauthenticated, Denied.
        """
        metadata_json = None if metadata is None else json.dumps(metadata, separators=(",", ":"))
        if metadata_json is not None and len(metadata_json) > LARGEST_METADATA:
            raise FieldInvalid("unstructured_metadata", f"it has at most {LARGEST_METADATA} bytes as JSON")
        return retry_on_conflict(lambda: self._create(actor, name, description, metadata_json))

    def _create(self, actor: Actor, name: RobotName, description: str, metadata_json: str | None) -> RobotView:
        access = self._administered(actor, name.namespace)
        if self._store.robot(access.id, name.robot) is not None:
            raise RobotTaken(str(name))
        now = self._clock()
        account_id = ulid(now)
        account = AccountRow.under(
            keys.account(account_id), id=account_id, name=str(name), kind=AccountKind.ROBOT, created_at=int(now)
        )
        robot = RobotRow.under(
            keys.robot(access.id, name.robot),
            account_id=account_id,
            name=name.robot,
            description=description,
            metadata=metadata_json,
            created_at=int(now),
        )
        transaction = Transaction()
        self._give_token(transaction, robot, account, access)
        self._store.add_robot(transaction, account, robot)
        self._store.require_live_namespace(transaction, access.id)
        view = self._view(access, robot, with_token=True)
        metadata = {"robot": name.robot, "description": description, "unstructured_metadata": view.metadata}
        self._usage_log.record_for_namespace(actor, transaction, "create_robot", access.id, metadata)
        transaction.commit()
        return view

    def of_namespace(
        self, actor: Actor, namespace: str, *, with_tokens: bool = False, with_rights: bool = False, limit: int = 0
    ) -> list[RobotView]:
        """Returns the robots of a namespace, newest first, for its members; tokens and rights only for its admins.

        `limit` is the most robots returned, 0 for all. Raises AccountUnknown, Unauthenticated, Denied.
        """
        access = self._namespace_access(actor, namespace)
        with_tokens = with_tokens and access.is_admin and not access.is_audit
        rows = sorted(self._store.robots(access.id), key=lambda row: row.account_id, reverse=True)
        rows = rows[:limit] if limit else rows
        last_uses = self._tokens.last_uses([(row.account_id, row.token_uuid or "") for row in rows])
        rights = self._rights(access) if with_rights and access.is_admin else None
        return [self._view(access, row, with_token=with_tokens, last_uses=last_uses, rights=rights) for row in rows]

    def _view(
        self,
        access: NamespaceAccess,
        row: RobotRow,
        *,
        with_token: bool,
        last_uses: Mapping[str, int] | None = None,
        rights: NamespaceRoles | None = None,
    ) -> RobotView:
        sealed, about = row.sealed_token or b"", _about(row.account_id)
        return RobotView(
            RobotName(access.name, row.name or ""),
            row,
            self._envelope.open(about, row.key_id, sealed) if with_token else None,
            (last_uses or {}).get(row.token_uuid or ""),
            sorted(rights.teams.get(row.account_id, ())) if rights else None,
            sorted(rights.repositories.get(row.account_id, ())) if rights else None,
        )

    def _rights(self, access: NamespaceAccess) -> NamespaceRoles:
        """Returns all roles and memberships in a namespace, with two queries, two batches, and a query a team."""
        rights, by_account = NamespaceRoles(), self._permissions.accounts_in(access.id)
        rows = self._repositories.get_all(
            sorted({one for repository_ids in by_account.values() for one in repository_ids})
        )
        for account_id, repository_ids in by_account.items():
            live = [rows[one].name for one in repository_ids if one in rows and rows[one].is_live]
            rights.repositories[account_id] = live
        for team in self._teams.of_organization(access.id) if access.is_organization else []:
            for member in self._teams.members(team.id):
                rights.teams.setdefault(member.account_id, []).append(team.name)
        return rights

    def get(self, actor: Actor, name: RobotName) -> RobotView:
        """Returns a robot with its token. Raises RobotUnknown, AccountUnknown, Unauthenticated, Denied."""
        access, row = self.administered(actor, name)
        last_uses = self._tokens.last_uses([(row.account_id, row.token_uuid or "")])
        return self._view(access, row, with_token=not access.is_audit, last_uses=last_uses)

    def permissions(self, actor: Actor, name: RobotName) -> list[RobotRepositoryRole]:
        """Returns a robot's roles on repositories. Raises RobotUnknown, AccountUnknown, Unauthenticated, Denied."""
        _, row = self.administered(actor, name)
        roles = {where: role for _, where, role in self._permissions.roles_of(_holder(row))}
        rows = self._repositories.get_all(list(roles))
        robot_roles = [
            RobotRepositoryRole(f"{one.namespace}/{one.name}", one.is_public, roles[key])
            for key, one in rows.items()
            if one.is_live
        ]
        return sorted(robot_roles, key=lambda role: role.repository)

    def administered(self, actor: Actor, name: RobotName) -> tuple[NamespaceAccess, RobotRow]:
        """Returns the namespace and the row of a robot that the actor administers.

        Raises RobotUnknown, AccountUnknown, Unauthenticated, Denied.
        """
        access = self._administered(actor, name.namespace)
        row = self._store.robot(access.id, name.robot)
        if row is None:
            raise RobotUnknown(str(name))
        return access, row

    def regenerate(self, actor: Actor, name: RobotName, overlap_s: int = 0) -> RobotView:
        """Gives a robot a new token. The former one stays valid for `overlap_s` seconds; with 0 it ends at once.

        At most two tokens are valid at once. Raises FieldInvalid, RobotUnknown, AccountUnknown, Unauthenticated,
        Denied.
        """
        if not 0 <= overlap_s <= LONGEST_OVERLAP_S:
            raise FieldInvalid("overlap_s", f"it is 0 to {LONGEST_OVERLAP_S} seconds")
        return retry_on_conflict(lambda: self._regenerate(actor, name, overlap_s))

    def _regenerate(self, actor: Actor, name: RobotName, overlap_s: int) -> RobotView:
        access, row = self.administered(actor, name)
        account = self._store.get(row.account_id)
        if account is None:
            raise RobotUnknown(str(name))
        transaction, version = Transaction(), account.version
        for listed in self._tokens.listed(row.account_id, TokenKind.ROBOT):
            if overlap_s and listed.uuid == row.token_uuid:
                self._tokens.expire(transaction, listed, int(self._clock()) + overlap_s)
            else:
                self._tokens.revoke(transaction, listed)
        if not overlap_s:
            account.epoch += 1
            self._store.put_account(transaction, account, version)
        self._give_token(transaction, row, account, access)
        self._store.put_robot(transaction, row)
        metadata: dict[str, object] = {"robot": name.robot}
        self._usage_log.record_for_namespace(
            actor,
            transaction,
            "regenerate_robot_token",
            access.id,
            metadata | ({"overlap_s": overlap_s} if overlap_s else {}),
        )
        transaction.commit()
        return self._view(access, row, with_token=True)

    def delete(self, actor: Actor, name: RobotName) -> None:
        """Deletes a robot with its tokens, roles and memberships.

        Raises RobotInUse while it mirrors, RobotUnknown, AccountUnknown, Unauthenticated, Denied.
        """
        _, before = self._idle(actor, name)
        # Its rights are removed first, so that a repeated delete leaves nothing of an interrupted one.
        self._sweep(before)

        def attempt() -> RobotRow:
            access, row = self._idle(actor, name)
            transaction = Transaction()
            for listed in self._tokens.listed(row.account_id, TokenKind.ROBOT):
                self._tokens.revoke(transaction, listed)
            self._store.remove_robot(transaction, str(name), row)
            self._usage_log.record_for_namespace(actor, transaction, "delete_robot", access.id, {"robot": name.robot})
            transaction.commit()
            return row

        self._sweep(retry_on_conflict(attempt))

    def _idle(self, actor: Actor, name: RobotName) -> tuple[NamespaceAccess, RobotRow]:
        """Does the same as `administered` for a robot that no mirror uses. Raises RobotInUse."""
        access, row = self.administered(actor, name)
        if self._stores.mirrors.is_mirroring(row.account_id):
            raise RobotInUse(str(name))
        return access, row

    def _sweep(self, row: RobotRow) -> None:
        for namespace_id, repository_id, _ in self._permissions.roles_of(_holder(row)):
            where = namespace_id, repository_id
            retry_on_conflict(partial(self._permissions.end_role, where, _holder(row)))
        for membership in self._teams.memberships(row.account_id):
            retry_on_conflict(
                partial(self._teams.end_membership, membership.namespace_id, membership.team_id, row.account_id)
            )

    def _namespace_access(self, actor: Actor, namespace: str) -> NamespaceAccess:
        """Returns a namespace that the actor is a member of. Raises AccountUnknown, Unauthenticated, Denied."""
        access = self._access.namespace_access(actor, namespace)
        if access is None:
            raise refusal(actor, namespace, "read") if actor.is_anonymous else AccountUnknown(namespace)
        scope = ORG_ADMIN if access.is_organization else USER_ADMIN
        if access.role is None or not allows(actor.scopes, scope):
            raise refusal(actor, namespace, "read")
        return access

    def _administered(self, actor: Actor, namespace: str) -> NamespaceAccess:
        access = self._namespace_access(actor, namespace)
        if not access.is_admin:
            raise refusal(actor, namespace, "administer")
        return access

    def _give_token(
        self, transaction: Transaction, robot: RobotRow, account: AccountRow, access: NamespaceAccess
    ) -> None:
        """Adds a new token of a robot to the transaction that writes the robot."""
        secret, uuid = random_secret(ROBOT_TOKEN_PREFIX), str(uuid4())
        token = TokenRow.under(
            keys.token(hashed(secret)),
            kind=TokenKind.ROBOT,
            owner_id=account.id,
            namespace_id=access.id,
            uuid=uuid,
            epoch=account.epoch,
            sha256=hashed(secret),
            created_at=int(self._clock()),
        )
        self._tokens.add(transaction, token, keys.account_token(account.id, TokenKind.ROBOT, uuid))
        robot.token_uuid = uuid
        robot.key_id, robot.sealed_token = self._envelope.seal(_about(account.id), secret)


def _about(account_id: str) -> str:
    """Returns the name under which a robot's token is sealed."""
    return f"{account_id}/token"


def _holder(row: RobotRow) -> RoleHolder:
    return RoleHolder(row.account_id, "", HolderKind.ROBOT)
