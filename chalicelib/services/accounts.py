"""Accounts: users and robots, made and recognised."""

import base64
import hashlib
import os
import secrets
import time
from collections.abc import Callable, Mapping
from threading import Lock
from uuid import uuid4

from chalicelib.domain.accounts import ROBOT_TOKEN_PREFIX, Account, Kind, RobotName
from chalicelib.domain.errors import AccountUnknown, NameTaken, Unauthenticated
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import parse_account
from chalicelib.storage import keys
from chalicelib.storage.accounts import AccountRow, AccountStore, RobotRow, TokenRow
from chalicelib.storage.table import LostRace

# OWASP's smallest recommended argon2id: 19 MiB, two passes, one lane.
MEMORY_KIB, PASSES, LANES = 19456, 2, 1
# A process with threads would else hold the memory of as many hashes as it has threads.
ONE_AT_A_TIME = Lock()
ROBOT_TOKEN = "robot"  # noqa: S105 - a kind of token, no secret
WRONG = "invalid username or password"


class Accounts:
    """Users and robots. `envelope` seals what Quay's clients read back."""

    def __init__(
        self, store: AccountStore, envelope: Mapping[str, bytes], clock: Callable[[], float] = time.time
    ) -> None:
        self._store, self._envelope, self._clock = store, envelope, clock

    def create_user(self, name: str, password: str, *, first: bool = False) -> Account:
        """A new user with a namespace; the `first` is a superuser, and there is one only.

        Raises NameInvalid, NameTaken.
        """
        now = self._clock()
        identifier = ulid(now)
        row = AccountRow.under(
            keys.account(identifier),
            id=identifier,
            name=parse_account(name),
            kind=Kind.USER.value,
            superuser=first,
            password_hash=hash_password(password),
            created_at=int(now),
        )
        try:
            self._store.add_user(row, first)
        except LostRace:
            raise NameTaken(name) from None
        return row.to_account()

    def has_first_user(self) -> bool:
        """Whether the first superuser has been made."""
        return self._store.has_first_user()

    def create_robot(self, name: RobotName) -> tuple[Account, str]:
        """A new robot of a namespace, and its token. Raises AccountUnknown, NameTaken."""
        namespace = self._store.find(name.namespace)
        if namespace is None:
            raise AccountUnknown(name.namespace)
        now = self._clock()
        identifier, secret, uuid = ulid(now), ROBOT_TOKEN_PREFIX + secrets.token_urlsafe(32), str(uuid4())
        account = AccountRow.under(
            keys.account(identifier), id=identifier, name=str(name), kind=Kind.ROBOT.value, created_at=int(now)
        )
        key_id, sealed = seal(self._envelope, f"{identifier}/token", secret.encode())
        robot = RobotRow.under(
            keys.robot(namespace.id, name.robot), account_id=identifier, sealed_token=sealed, key_id=key_id
        )
        token = TokenRow.under(
            keys.token(hashed(secret)), kind=ROBOT_TOKEN, owner_id=identifier, uuid=uuid, epoch=account.epoch
        )
        try:
            self._store.add_robot(account, robot, token)
        except LostRace:
            raise NameTaken(str(name)) from None
        return account.to_account(), secret

    def find(self, name: str) -> AccountRow:
        """An account by its name. Raises AccountUnknown."""
        pointer = self._store.find(name)
        row = self._store.get(pointer.id) if pointer else None
        if row is None:
            raise AccountUnknown(name)
        return row

    def authenticate(self, name: str, secret: str) -> AccountRow:
        """Who signs in with this name and password or token. Raises Unauthenticated, the same for every reason."""
        try:
            row = self.find(name)
        except AccountUnknown:
            row = None
        if secret.startswith(ROBOT_TOKEN_PREFIX):
            proven = self._proves(row, secret)
        else:
            # A name that is not there costs as much as a wrong password.
            proven = verify_password(secret, (row.password_hash if row else None) or NOBODY)
        if row is None or not proven or not row.enabled:
            raise Unauthenticated(WRONG)
        return row

    def _proves(self, row: AccountRow | None, secret: str) -> bool:
        token = self._store.find_token(hashed(secret))
        return (
            row is not None
            and token is not None
            and token.owner_id == row.id
            and token.epoch == row.epoch
            and (token.expires_at is None or token.expires_at > self._clock())
        )


def hashed(secret: str) -> str:
    """What a random token is found by: 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def hash_password(password: str) -> str:
    """A password's argon2id hash, with salt and parameters, in PHC's form."""
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    derivation = Argon2id(salt=os.urandom(16), length=32, iterations=PASSES, lanes=LANES, memory_cost=MEMORY_KIB)
    return derivation.derive_phc_encoded(password.encode())


def verify_password(password: str, encoded: str) -> bool:
    """Whether a password has this hash."""
    from cryptography.exceptions import InvalidKey
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    try:
        with ONE_AT_A_TIME:
            Argon2id.verify_phc_encoded(password.encode("utf-8", "replace"), encoded)
    except InvalidKey:
        return False
    return True


def _nobody() -> str:
    """A hash in the form of all others that no password has."""
    salt, tag = (base64.b64encode(bytes(size)).decode().rstrip("=") for size in (16, 32))
    return f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${tag}"


NOBODY = _nobody()


def seal(envelope: Mapping[str, bytes], associated: str, plain: bytes) -> tuple[str, bytes]:
    """Encrypts with the newest key of the ring (AES-GCM, 12 bytes of nonce before the text); key id and bytes."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key_id = next(reversed(list(envelope)))
    nonce = os.urandom(12)
    return key_id, nonce + AESGCM(envelope[key_id]).encrypt(nonce, plain, associated.encode())
