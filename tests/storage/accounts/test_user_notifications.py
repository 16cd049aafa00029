"""Notices as they are kept."""

from chalicelib.storage.accounts.user_notifications import UserNotificationStore
from chalicelib.storage.table import Transaction
from tests.support.backends import Backend


def test_the_newest_comes_first_and_each_is_the_users_own(backend: Backend) -> None:
    admin, bob = backend.account(), backend.user("bob")
    transaction, store = Transaction(), UserNotificationStore()
    store.add(transaction, admin.id, "older", {"by": "x"}, 1)
    store.add(transaction, admin.id, "newer", {}, 2)
    transaction.commit()

    told = store.of_user(admin.id)
    assert [(row.to_notice().kind, row.to_notice().metadata) for row in told] == [("newer", {}), ("older", {"by": "x"})]
    assert store.get(admin.id, told[0].uuid) is not None
    assert store.get(bob.id, told[0].uuid) is store.get(admin.id, "") is None
    assert store.of_user(bob.id) == []
