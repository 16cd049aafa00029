"""Quotas beside their namespace, and the sizes they are held against."""

from chalicelib.domain.quotas import Limit, Quota, Severity
from chalicelib.storage import keys
from chalicelib.storage.accounts import NamespaceRow
from chalicelib.storage.quotas import linked_bytes, quota_of, set_quota
from chalicelib.storage.table import get
from tests.builders import a_blob
from tests.houses import House

QUOTA = Quota(7, 1000, (Limit(1, Severity.REJECT, 90),))


def test_a_quota_is_read_back_with_its_namespace(house: House) -> None:
    key = keys.namespace(house.account().id)
    row = get(NamespaceRow, key)
    assert row is not None
    assert quota_of(row) is None

    set_quota(row, QUOTA)
    row.save()
    assert quota_of(get(NamespaceRow, key)) == QUOTA
    set_quota(row, None)
    row.save()
    assert quota_of(get(NamespaceRow, key)) is None
    assert quota_of(None) is None


def test_the_bytes_of_all_repositories_are_summed_in_one_read(house: House) -> None:
    for number in range(20):
        a_blob(house, bytes([number]) * 10, f"admin/{number % 3}")
    identifier = house.account().id
    house.calls.take()

    assert linked_bytes(identifier) == 200
    assert house.calls.take() == ["BatchGetItem"]
    assert linked_bytes("nobody") == 0
