"""Tests that an upload's hash continues from the state that its row keeps."""

import hashlib

from chalicelib.domain import hashing
from chalicelib.services.registry.upload_hashes import hasher_of, keep_state
from chalicelib.storage.registry.uploads import UploadRow


def test_a_hash_continues_in_either_algorithm_and_only_if_its_state_was_kept() -> None:
    row = UploadRow(algorithm="sha256")
    assert hasher_of(row, "sha512") is None

    for algorithm in ("sha256", "sha512"):
        begun = hashing.begin(algorithm)
        begun.update(b"first ")
        keep_state(row, algorithm, begun.state())
        hasher = hasher_of(row, algorithm)
        assert hasher is not None
        hasher.update(b"second")
        assert hasher.hexdigest() == hashlib.new(algorithm, b"first second").hexdigest()
