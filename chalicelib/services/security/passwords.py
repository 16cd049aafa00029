"""Checks the form of passwords and hashes them with argon2id."""

import base64
import os
from threading import Lock

from chalicelib.domain.errors import FieldInvalid

# OWASP's smallest recommended argon2id: 19 MiB, two passes, one lane.
MEMORY_KIB, PASSES, LANES = 19456, 2, 1
SHORTEST, LONGEST = 8, 1024
# Without this lock, each thread of a process could hold the memory of one hash.
ONE_AT_A_TIME = Lock()


def check_password(password: str) -> None:
    """Raises FieldInvalid for a password that is too short, too long or contains white space, as Quay does."""
    if not SHORTEST <= len(password) <= LONGEST or any(character.isspace() for character in password):
        raise FieldInvalid("", "Invalid password, password must be at least 8 characters and contain no whitespace.")


def hash_password(password: str) -> str:
    """Returns the argon2id hash of a password with salt and parameters, in the PHC string format."""
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    derivation = Argon2id(salt=os.urandom(16), length=32, iterations=PASSES, lanes=LANES, memory_cost=MEMORY_KIB)
    with ONE_AT_A_TIME:
        return derivation.derive_phc_encoded(password.encode())


def verify_password(password: str, encoded: str | None) -> bool:
    """Whether a password matches a hash. Without a hash it takes as long and returns False."""
    from cryptography.exceptions import InvalidKey
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    try:
        with ONE_AT_A_TIME:
            Argon2id.verify_phc_encoded(password.encode("utf-8", "replace"), encoded or NOBODY)
    except InvalidKey:
        return False
    return encoded is not None


def _nobody() -> str:
    """Returns a hash in the usual form that no password has."""
    salt, tag = (base64.b64encode(bytes(size)).decode().rstrip("=") for size in (16, 32))
    return f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${tag}"


NOBODY = _nobody()
