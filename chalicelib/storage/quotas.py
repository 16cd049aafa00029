"""Quotas as they are kept: with their namespace, which every write reads anyway."""

from chalicelib.domain.quotas import Quota
from chalicelib.storage import keys
from chalicelib.storage.accounts import NamespaceRow
from chalicelib.storage.repositories import SizeRow
from chalicelib.storage.table import Batch


def quota_of(namespace: NamespaceRow | None) -> Quota | None:
    """A namespace's quota, None where it has none."""
    return Quota.from_text(namespace.quota) if namespace is not None and namespace.quota else None


def set_quota(namespace: NamespaceRow, quota: Quota | None) -> None:
    """Gives a namespace that is to be written a quota, or takes it away."""
    namespace.quota = quota.to_text() if quota else None


def linked_bytes(namespace_id: str) -> int:
    """What the repositories of a namespace link, in bytes, by one read."""
    batch = Batch()
    sizes = [batch.add(SizeRow, key) for key in keys.namespace_sizes(namespace_id)]
    batch.read()
    return sum(read.row.bytes for read in sizes if read.row)
