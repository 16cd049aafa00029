"""Robots: accounts of a namespace for machines, with a token that those who administer it may read back."""

import time
from collections.abc import Callable
from uuid import uuid4

from chalicelib.domain.accounts import ROBOT_TOKEN_PREFIX, Kind, RobotName
from chalicelib.domain.errors import AccountUnknown, RobotTaken
from chalicelib.domain.ids import ulid
from chalicelib.domain.permissions import Actor
from chalicelib.services.access import Access, Place, refusal
from chalicelib.services.sealing import Envelope, hashed, random_secret
from chalicelib.services.usage import Usage
from chalicelib.storage import keys
from chalicelib.storage.accounts import AccountRow, AccountStore, RobotRow
from chalicelib.storage.table import LostRace, Transaction
from chalicelib.storage.tokens import ROBOT, TokenRow, TokenStore


class Robots:
    """Robots of users and organizations."""

    def __init__(
        self,
        access: Access,
        usage: Usage,
        store: AccountStore,
        tokens: TokenStore,
        envelope: Envelope,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._access, self._usage, self._store, self._tokens = access, usage, store, tokens
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

    def _administered(self, actor: Actor, namespace: str) -> Place:
        place = self._access.place(actor, namespace)
        if place is None:
            raise AccountUnknown(namespace)
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
