"""Storage of sizes: a repository counts its blobs, its namespace counts each blob once."""

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.storage import keys
from chalicelib.storage.registry.sizes import NamespaceBlobRow, add_link, remove_link
from chalicelib.storage.table import Transaction, WriteConflict, get
from tests.support.backends import Backend
from tests.support.rows import rows_like

DIGEST = Digest.of(b"x")


def stored() -> NamespaceBlobRow | None:
    return get(NamespaceBlobRow, keys.namespace_blob("n", DIGEST))


def change(repository_id: str, size: int, row: NamespaceBlobRow | None) -> None:
    transaction = Transaction()
    write = add_link if size > 0 else remove_link
    write(transaction, ("n", repository_id), DIGEST, abs(size), row)
    transaction.commit()


def sizes(backend: Backend) -> list[int]:
    """The counted bytes of the namespace and of the repositories 1 and 2."""
    return [sum(row["bytes"] for row in rows_like(backend, owner, "SIZE#")) for owner in ("N#n", "R#1", "R#2")]


def test_a_namespace_counts_the_first_link_to_a_blob_until_its_last_one(backend: Backend) -> None:
    seen = []
    for repository_id, size in (("1", 10), ("2", 10), ("1", -10), ("2", -10)):
        change(repository_id, size, stored())
        seen.append(sizes(backend))

    assert seen == [[10, 10, 0], [10, 10, 10], [10, 0, 10], [0, 0, 0]]
    assert stored() is None


def test_a_link_that_was_the_first_or_the_last_one_only_when_it_was_read_is_a_write_conflict(backend: Backend) -> None:
    nobody = stored()
    change("1", 10, nobody)
    one = stored()
    with pytest.raises(WriteConflict):
        change("2", 10, nobody)
    change("2", 10, one)
    two = stored()
    with pytest.raises(WriteConflict):
        change("1", -10, one)
    change("1", -10, two)
    with pytest.raises(WriteConflict):
        change("2", -10, two)
    change("2", -10, stored())
    with pytest.raises(WriteConflict):
        change("1", 10, one)

    assert sizes(backend) == [0, 0, 0]
