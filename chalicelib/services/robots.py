"""Robots: accounts of a namespace for machines, with a token that those who administer it may read back."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from chalicelib.domain.accounts import ROBOT_TOKEN_PREFIX, Kind, RobotName
from chalicelib.domain.errors import AccountUnknown, FieldInvalid, RobotTaken, RobotUnknown
from chalicelib.domain.ids import ulid
from chalicelib.domain.permissions import Actor, Role
from chalicelib.domain.repositories import Visibility
from chalicelib.services.access import Access, Place, refusal
from chalicelib.services.sealing import Envelope, hashed, random_secret
from chalicelib.services.usage import Usage
from chalicelib.storage import keys
from chalicelib.storage.accounts import AccountRow, AccountStore, RobotRow
from chalicelib.storage.permissions import Holder, PermissionStore
from chalicelib.storage.repositories import RepositoryStore
from chalicelib.storage.table import LostRace, Transaction, until_won
from chalicelib.storage.teams import TeamStore
from chalicelib.storage.tokens import ROBOT, TokenRow, TokenStore

# How long two tokens of a robot may be good at once, in seconds: a month.
LONGEST_OVERLAP_S = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Given:
    """A robot's role on a repository, by its full name."""

    repository: str
    is_public: bool
    role: Role


@dataclass(frozen=True, slots=True)
class RobotView:
    """A robot, with its token for those who may have it, and what it is in and was given, where that was asked for."""

    name: RobotName
    row: RobotRow
    token: str | None = None
    last_used_at: int | None = None
    teams: Sequence[str] = ()
    repositories: Sequence[str] = ()


class Robots:
    """Robots of users and organizations."""

    def __init__(
        self,
        access: Access,
        usage: Usage,
        store: AccountStore,
        tokens: TokenStore,
        teams: TeamStore,
        permissions: PermissionStore,
        repositories: RepositoryStore,
        envelope: Envelope,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._access, self._usage, self._store, self._tokens = access, usage, store, tokens
        self._teams, self._permissions, self._repositories = teams, permissions, repositories
        self._envelope, self._clock = envelope, clock

    def create(
        self, actor: Actor, name: RobotName, description: str = "", metadata: str | None = None
    ) -> tuple[RobotRow, str]:
        """A new robot and its token; `metadata` is JSON. Raises AccountUnknown, RobotTaken, Unauthenticated, Denied."""
        place = self._administered(actor, name.namespace)
        now = self._clock()
        account_id = ulid(now)
        account = AccountRow.under(
            keys.account(account_id), id=account_id, name=str(name), kind=Kind.ROBOT.value, created_at=int(now)
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
        secret = self._give_token(transaction, robot, account)
        self._store.add_robot(transaction, account, robot)
        told = {"robot": str(name), "description": description}
        self._usage.note(actor, transaction, "create_robot", place.id, told)
        try:
            transaction.commit()
        except LostRace:
            raise RobotTaken(str(name)) from None
        return robot, secret

    def of_namespace(
        self, actor: Actor, namespace: str, *, with_tokens: bool = False, with_rights: bool = False, limit: int = 0
    ) -> list[RobotView]:
        """A namespace's robots, for its members, newest first; tokens and rights for those who administer it.

        Raises AccountUnknown, Unauthenticated, Denied.
        """
        place = self._place(actor, namespace)
        if place.role is None:
            raise refusal(actor, namespace, "read")
        rows = sorted(self._store.robots(place.id), key=lambda row: row.account_id, reverse=True)
        rows = rows[:limit] if limit else rows
        return [
            self._view(
                place, row, with_token=with_tokens and place.is_admin, with_rights=with_rights and place.is_admin
            )
            for row in rows
        ]

    def _view(self, place: Place, row: RobotRow, *, with_token: bool, with_rights: bool = False) -> RobotView:
        name = RobotName(place.name, _short(row))
        token = (
            self._envelope.open(f"{row.account_id}/token", row.key_id, row.sealed_token or b"") if with_token else None
        )
        used = self._tokens.uses(row.account_id) if with_token or with_rights else {}
        teams: list[str] = []
        repositories: list[str] = []
        if with_rights:
            teams = [team.name for team in self._teams.get_all(self._teams.of_account(row.account_id, place.id))]
            repositories = [given.repository.split("/", 1)[1] for given in self._given(row)]
        return RobotView(name, row, token, max(used.values(), default=None), sorted(teams), repositories)

    def _given(self, row: RobotRow) -> list[Given]:
        holder = Holder(row.account_id, "", Kind.ROBOT.value)
        held = {where: role for _, where, role in self._permissions.held(holder)}
        rows = self._repositories.get_all(list(held))
        found = [
            Given(f"{one.namespace}/{one.name}", one.visibility == Visibility.PUBLIC.value, Role(held[key]))
            for key, one in rows.items()
            if one.state == "live"
        ]
        return sorted(found, key=lambda given: given.repository)

    def get(self, actor: Actor, name: RobotName) -> RobotView:
        """A robot with its token. Raises RobotUnknown, AccountUnknown, Unauthenticated, Denied."""
        place, row = self._robot(actor, name)
        return self._view(place, row, with_token=True)

    def permissions(self, actor: Actor, name: RobotName) -> list[Given]:
        """What a robot was given on repositories. Raises RobotUnknown, AccountUnknown, Unauthenticated, Denied."""
        _, row = self._robot(actor, name)
        return self._given(row)

    def _robot(self, actor: Actor, name: RobotName) -> tuple[Place, RobotRow]:
        place = self._administered(actor, name.namespace)
        row = self._store.robot(place.id, name.robot)
        if row is None:
            raise RobotUnknown(str(name))
        return place, row

    def regenerate(self, actor: Actor, name: RobotName, overlap_s: int = 0) -> RobotView:
        """Gives a robot another token. The one before is good for `overlap_s` seconds more; without, nothing of it is.

        Raises FieldInvalid, RobotUnknown, AccountUnknown, Unauthenticated, Denied.
        """
        if not 0 <= overlap_s <= LONGEST_OVERLAP_S:
            raise FieldInvalid("overlap_s", f"say 0 to {LONGEST_OVERLAP_S} seconds")
        return until_won(lambda: self._regenerate(actor, name, overlap_s))

    def _regenerate(self, actor: Actor, name: RobotName, overlap_s: int) -> RobotView:
        place, row = self._robot(actor, name)
        account = self._store.get(row.account_id)
        if account is None:
            raise RobotUnknown(str(name))
        transaction, version = Transaction(), account.version
        for listed in self._tokens.listed(row.account_id, ROBOT):
            if not overlap_s:
                self._tokens.revoke(transaction, listed)
            elif listed.uuid == row.token_uuid:
                self._tokens.expire(transaction, listed, int(self._clock()) + overlap_s)
        if not overlap_s:
            account.epoch += 1
            self._store.put_account(transaction, account, version)
        self._give_token(transaction, row, account)
        self._store.put_robot(transaction, row)
        self._usage.note(actor, transaction, "regenerate_robot_token", place.id, {"robot": str(name)})
        transaction.commit()
        return self._view(place, row, with_token=True)

    def delete(self, actor: Actor, name: RobotName) -> None:
        """Ends a robot with its tokens; its roles and memberships, which count no more, are removed behind it.

        Raises RobotUnknown, AccountUnknown, Unauthenticated, Denied.
        """

        def attempt() -> RobotRow:
            place, row = self._robot(actor, name)
            transaction = Transaction()
            for listed in self._tokens.listed(row.account_id, ROBOT):
                self._tokens.revoke(transaction, listed)
            self._store.remove_robot(transaction, str(name), row)
            self._usage.note(actor, transaction, "delete_robot", place.id, {"robot": str(name)})
            transaction.commit()
            return row

        self._sweep(until_won(attempt))

    def _sweep(self, row: RobotRow) -> None:
        holder = Holder(row.account_id, "", Kind.ROBOT.value)
        for namespace_id, repository_id, _ in self._permissions.held(holder):
            self._permissions.forget((namespace_id, repository_id), holder)
        for held in self._teams.of_any(row.account_id):
            self._teams.forget(held.namespace_id, held.team_id, row.account_id)

    def _place(self, actor: Actor, namespace: str) -> Place:
        place = self._access.place(actor, namespace)
        if place is None:
            raise AccountUnknown(namespace)
        return place

    def _administered(self, actor: Actor, namespace: str) -> Place:
        place = self._place(actor, namespace)
        if not place.is_admin:
            raise refusal(actor, namespace, "administer")
        return place

    def _give_token(self, transaction: Transaction, robot: RobotRow, account: AccountRow) -> str:
        """Makes a token for a robot, in the transaction that writes the robot."""
        secret, uuid = random_secret(ROBOT_TOKEN_PREFIX), str(uuid4())
        token = TokenRow.under(
            keys.token(hashed(secret)),
            kind=ROBOT,
            owner_id=account.id,
            uuid=uuid,
            epoch=account.epoch,
            sha256=hashed(secret),
            created_at=int(self._clock()),
        )
        self._tokens.add(transaction, token, keys.account_token(account.id, ROBOT, uuid))
        robot.token_uuid = uuid
        robot.key_id, robot.sealed_token = self._envelope.seal(f"{account.id}/token", secret)
        return secret


def _short(row: RobotRow) -> str:
    """A robot's short name, which the rows of the first robots have in their key alone."""
    return row.name or row.sk.removeprefix(keys.robot("", "")[1])
