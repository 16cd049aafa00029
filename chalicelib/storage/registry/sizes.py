"""Counts the bytes of repositories and namespaces, in the transactions that add or remove these bytes.

A repository counts each of its blobs and manifests. Its namespace counts a blob once, however many of its repositories
have it, as its bytes are stored once; it counts a manifest in each repository, as each stores it.
"""

from collections.abc import Mapping

from chalicelib.domain.digests import Digest
from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer
from chalicelib.storage.keys import Key
from chalicelib.storage.table import Row, Transaction, absent


class SizeRow(Row):
    """One of eight counters of bytes."""

    bytes = Integer()


class NamespaceBlobRow(Row):
    """The number of a namespace's repositories that have a blob. It does not exist if there are none."""

    repositories = Integer()


def add_link(
    transaction: Transaction, where: tuple[str, str], digest: Digest, size: int, stored: NamespaceBlobRow | None
) -> None:
    """Counts a new link of `size` bytes; `where` is (namespace id, repository id), `stored` the row that was read.

    The transaction fails if the namespace got its first link to the blob, or lost its last one, since the read.
    """
    of_namespace, of_repository = keys.sizes(*where, digest)
    _add(transaction, of_repository, size)
    row = NamespaceBlobRow.under(keys.namespace_blob(where[0], digest), repositories=1)
    if stored is not None:
        transaction.update(row, NamespaceBlobRow.repositories.add(1), condition=NamespaceBlobRow.pk.exists())
        return
    transaction.put(row, absent())
    _add(transaction, of_namespace, size)


def remove_link(
    transaction: Transaction, where: tuple[str, str], digest: Digest, size: int, stored: NamespaceBlobRow | None
) -> None:
    """Subtracts a removed link in the same way. The transaction fails if another link became or was the last one."""
    of_namespace, of_repository = keys.sizes(*where, digest)
    _add(transaction, of_repository, -size)
    row = NamespaceBlobRow.under(keys.namespace_blob(where[0], digest))
    if stored is not None and stored.repositories > 1:
        is_shared = NamespaceBlobRow.repositories > 1
        transaction.update(row, NamespaceBlobRow.repositories.add(-1), condition=is_shared)
        return
    transaction.delete(row, NamespaceBlobRow.repositories == 1)
    _add(transaction, of_namespace, -size)


def add_manifest(transaction: Transaction, where: tuple[str, str], digest: Digest, size: int) -> None:
    """Counts a new manifest of `size` bytes; `where` is (namespace id, repository id)."""
    for key in keys.sizes(*where, digest):
        _add(transaction, key, size)


def remove_manifests(transaction: Transaction, where: tuple[str, str], sizes: Mapping[Digest, int]) -> None:
    """Subtracts removed manifests, given with their sizes."""
    totals: dict[Key, int] = {}
    for digest, size in sizes.items():
        for key in keys.sizes(*where, digest):
            totals[key] = totals.get(key, 0) + size
    for key, total in totals.items():
        _add(transaction, key, -total)


def _add(transaction: Transaction, key: Key, size: int) -> None:
    transaction.update(SizeRow.under(key), SizeRow.bytes.add(size))
