"""Robots: accounts of a namespace for machines, with a token that those who administer it may read back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from uuid import uuid4

from chalicelib.domain.accounts import ROBOT_TOKEN_PREFIX, AccountKind, RobotName
from chalicelib.domain.errors import AccountUnknown, FieldInvalid, RobotTaken, RobotUnknown
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

# How long two tokens of a robot may be good at once, in seconds: a month.
LONGEST_OVERLAP_S = 30 * 86_400
# An item of the table has 400 KB at most, and a list reads many.
LARGEST_METADATA = 64 * 1024


@dataclass(frozen=True, slots=True)
class RobotRepositoryRole:
    """A robot's role on a repository, by its full name."""

    repository: str
    is_public: bool
    role: Role


@dataclass(frozen=True, slots=True)
class RobotView:
    """A robot; its token, and what it is in and was given, None where that was not asked for or may not be seen.

    `last_used_at` is of the token that it has now, in seconds since the epoch.
    """

    name: RobotName
    row: RobotRow
    token: str | None = None
    last_used_at: int | None = None
    teams: Sequence[str] | None = None
    repositories: Sequence[str] | None = None

    @property
    def metadata(self) -> Mapping[str, object] | None:
        """What its maker wrote down beside it."""
        found: Mapping[str, object] | None = json.loads(self.row.metadata) if self.row.metadata else None
        return found


@dataclass(slots=True)
class NamespaceRoles:
    """What the accounts of a namespace were given there: names of teams and of repositories, by account id."""

    teams: dict[str, list[str]] = field(default_factory=dict)
    repositories: dict[str, list[str]] = field(default_factory=dict)


class Robots:
    """Robots of users and organizations."""

    def __init__(self, access: Access, usage: UsageLog, stores: Stores, envelope: Envelope) -> None:
        self._access, self._usage, self._store, self._tokens = access, usage, stores.accounts, stores.tokens
        self._teams, self._permissions, self._repositories = stores.teams, stores.permissions, stores.repositories
        self._envelope, self._clock = envelope, stores.clock

    def create(
        self,
        actor: Actor,
        name: RobotName,
        description: str = "",
        metadata: Mapping[str, object] | None = None,
    ) -> RobotView:
        """A new robot with its token; one made again is another one, and inherits nothing.

        Raises AccountUnknown, RobotTaken, FieldInvalid, Unauthenticated, Denied.
        """
        text = None if metadata is None else json.dumps(metadata, separators=(",", ":"))
        if text is not None and len(text) > LARGEST_METADATA:
            raise FieldInvalid("unstructured_metadata", f"it has at most {LARGEST_METADATA} bytes as JSON")
        return retry_on_conflict(lambda: self._create(actor, name, description, text))

    def _create(self, actor: Actor, name: RobotName, description: str, metadata: str | None) -> RobotView:
        place = self._administered(actor, name.namespace)
        if self._store.robot(place.id, name.robot) is not None:
            raise RobotTaken(str(name))
        now = self._clock()
        account_id = ulid(now)
        account = AccountRow.under(
            keys.account(account_id), id=account_id, name=str(name), kind=AccountKind.ROBOT, created_at=int(now)
        )
        robot = RobotRow.under(
            keys.robot(place.id, name.robot),
            account_id=account_id,
            name=name.robot,
            description=description,
            metadata=metadata,
            created_at=int(now),
        )
        transaction = Transaction()
        self._give_token(transaction, robot, account, place)
        self._store.add_robot(transaction, account, robot)
        self._store.require_live_namespace(transaction, place.id)
        view = self._view(place, robot, with_token=True)
        told = {"robot": name.robot, "description": description, "unstructured_metadata": view.metadata}
        self._usage.note(actor, transaction, "create_robot", place.id, told)
        transaction.commit()
        return view

    def of_namespace(
        self, actor: Actor, namespace: str, *, with_tokens: bool = False, with_rights: bool = False, limit: int = 0
    ) -> list[RobotView]:
        """A namespace's robots, for its members, newest first; tokens and rights for those who administer it.

        `limit` is how many at most, 0 for all. Raises AccountUnknown, Unauthenticated, Denied.
        """
        place = self._place(actor, namespace)
        rows = sorted(self._store.robots(place.id), key=lambda row: row.account_id, reverse=True)
        rows = rows[:limit] if limit else rows
        used = self._tokens.last_uses([(row.account_id, row.token_uuid or "") for row in rows])
        rights = self._rights(place) if with_rights and place.is_admin else None
        return [
            self._view(place, row, with_token=with_tokens and place.is_admin, used=used, rights=rights) for row in rows
        ]

    def _view(
        self,
        place: NamespaceAccess,
        row: RobotRow,
        *,
        with_token: bool,
        used: Mapping[str, int] | None = None,
        rights: NamespaceRoles | None = None,
    ) -> RobotView:
        sealed, about = row.sealed_token or b"", _about(row.account_id)
        return RobotView(
            RobotName(place.name, row.name or ""),
            row,
            self._envelope.open(about, row.key_id, sealed) if with_token else None,
            (used or {}).get(row.token_uuid or ""),
            sorted(rights.teams.get(row.account_id, ())) if rights else None,
            sorted(rights.repositories.get(row.account_id, ())) if rights else None,
        )

    def _rights(self, place: NamespaceAccess) -> NamespaceRoles:
        """What everybody has in a namespace: by two queries and two batches, and a query a team."""
        rights, given = NamespaceRoles(), self._permissions.accounts_in(place.id)
        rows = self._repositories.get_all(sorted({one for held in given.values() for one in held}))
        for account_id, held in given.items():
            live = [rows[one].name for one in held if one in rows and rows[one].is_live]
            rights.repositories[account_id] = live
        for team in self._teams.of_organization(place.id) if place.is_organization else []:
            for member in self._teams.members(team.id):
                rights.teams.setdefault(member.account_id, []).append(team.name)
        return rights

    def get(self, actor: Actor, name: RobotName) -> RobotView:
        """A robot with its token. Raises RobotUnknown, AccountUnknown, Unauthenticated, Denied."""
        place, row = self.administered(actor, name)
        used = self._tokens.last_uses([(row.account_id, row.token_uuid or "")])
        return self._view(place, row, with_token=True, used=used)

    def permissions(self, actor: Actor, name: RobotName) -> list[RobotRepositoryRole]:
        """What a robot was given on repositories. Raises RobotUnknown, AccountUnknown, Unauthenticated, Denied."""
        _, row = self.administered(actor, name)
        held = {where: role for _, where, role in self._permissions.roles_of(_holder(row))}
        rows = self._repositories.get_all(list(held))
        found = [
            RobotRepositoryRole(f"{one.namespace}/{one.name}", one.is_public, held[key])
            for key, one in rows.items()
            if one.is_live
        ]
        return sorted(found, key=lambda given: given.repository)

    def administered(self, actor: Actor, name: RobotName) -> tuple[NamespaceAccess, RobotRow]:
        """A robot that the actor administers, and where it is.

        Raises RobotUnknown, AccountUnknown, Unauthenticated, Denied.
        """
        place = self._administered(actor, name.namespace)
        row = self._store.robot(place.id, name.robot)
        if row is None:
            raise RobotUnknown(str(name))
        return place, row

    def regenerate(self, actor: Actor, name: RobotName, overlap_s: int = 0) -> RobotView:
        """Gives a robot another token. The one before is good for `overlap_s` seconds more; without, nothing of it is.

        Two tokens are good at once, never three. Raises FieldInvalid, RobotUnknown, AccountUnknown, Unauthenticated,
        Denied.
        """
        if not 0 <= overlap_s <= LONGEST_OVERLAP_S:
            raise FieldInvalid("overlap_s", f"say 0 to {LONGEST_OVERLAP_S} seconds")
        return retry_on_conflict(lambda: self._regenerate(actor, name, overlap_s))

    def _regenerate(self, actor: Actor, name: RobotName, overlap_s: int) -> RobotView:
        place, row = self.administered(actor, name)
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
        self._give_token(transaction, row, account, place)
        self._store.put_robot(transaction, row)
        told: dict[str, object] = {"robot": name.robot}
        self._usage.note(
            actor,
            transaction,
            "regenerate_robot_token",
            place.id,
            told | ({"overlap_s": overlap_s} if overlap_s else {}),
        )
        transaction.commit()
        return self._view(place, row, with_token=True)

    def delete(self, actor: Actor, name: RobotName) -> None:
        """Ends a robot with its tokens, roles and memberships.

        Raises RobotUnknown, AccountUnknown, Unauthenticated, Denied.
        """
        _, before = self.administered(actor, name)
        # Its rights go first, so that whoever repeats what was cut off leaves nothing behind.
        self._sweep(before)

        def attempt() -> RobotRow:
            place, row = self.administered(actor, name)
            transaction = Transaction()
            for listed in self._tokens.listed(row.account_id, TokenKind.ROBOT):
                self._tokens.revoke(transaction, listed)
            self._store.remove_robot(transaction, str(name), row)
            self._usage.note(actor, transaction, "delete_robot", place.id, {"robot": name.robot})
            transaction.commit()
            return row

        self._sweep(retry_on_conflict(attempt))

    def _sweep(self, row: RobotRow) -> None:
        for namespace_id, repository_id, _ in self._permissions.roles_of(_holder(row)):
            where = namespace_id, repository_id
            retry_on_conflict(partial(self._permissions.end_role, where, _holder(row)))
        for held in self._teams.memberships(row.account_id):
            retry_on_conflict(partial(self._teams.end_membership, held.namespace_id, held.team_id, row.account_id))

    def _place(self, actor: Actor, namespace: str) -> NamespaceAccess:
        """A namespace that the actor is a member of, as their token lets them. Raises as the callers say."""
        place = self._access.place(actor, namespace)
        if place is None:
            raise refusal(actor, namespace, "read") if actor.is_anonymous else AccountUnknown(namespace)
        scope = ORG_ADMIN if place.is_organization else USER_ADMIN
        if place.role is None or not allows(actor.scopes, scope):
            raise refusal(actor, namespace, "read")
        return place

    def _administered(self, actor: Actor, namespace: str) -> NamespaceAccess:
        place = self._place(actor, namespace)
        if not place.is_admin:
            raise refusal(actor, namespace, "administer")
        return place

    def _give_token(
        self, transaction: Transaction, robot: RobotRow, account: AccountRow, place: NamespaceAccess
    ) -> None:
        """Makes a token for a robot, in the transaction that writes the robot."""
        secret, uuid = random_secret(ROBOT_TOKEN_PREFIX), str(uuid4())
        token = TokenRow.under(
            keys.token(hashed(secret)),
            kind=TokenKind.ROBOT,
            owner_id=account.id,
            namespace_id=place.id,
            uuid=uuid,
            epoch=account.epoch,
            sha256=hashed(secret),
            created_at=int(self._clock()),
        )
        self._tokens.add(transaction, token, keys.account_token(account.id, TokenKind.ROBOT, uuid))
        robot.token_uuid = uuid
        robot.key_id, robot.sealed_token = self._envelope.seal(_about(account.id), secret)


def _about(account_id: str) -> str:
    """What a robot's token is sealed as."""
    return f"{account_id}/token"


def _holder(row: RobotRow) -> RoleHolder:
    return RoleHolder(row.account_id, "", HolderKind.ROBOT)
