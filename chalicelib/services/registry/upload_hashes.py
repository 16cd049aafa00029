"""The hashes of an upload, whose states its row keeps between requests."""

from chalicelib.domain import hashing
from chalicelib.storage.registry.uploads import UploadRow


def hasher_of(row: UploadRow, algorithm: str) -> hashing.Hasher | None:
    """Returns the hasher after all of the upload's bytes in an algorithm; None if its state was not kept."""
    state = row.hash_state if algorithm == row.algorithm else row.other_state
    return hashing.resume(algorithm, state) if state is not None else None


def keep_state(row: UploadRow, algorithm: str, state: bytes) -> None:
    """Keeps the state of the hash of all bytes so far in an algorithm."""
    if algorithm == row.algorithm:
        row.hash_state = state
    else:
        row.other_state = state
