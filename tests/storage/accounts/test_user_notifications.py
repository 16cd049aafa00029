"""Storage of users' notifications."""

from chalicelib.storage.accounts.user_notifications import UserNotificationStore
from chalicelib.storage.table import Transaction
from tests.support.backends import Backend


def test_users_read_only_their_own_notifications_newest_first(backend: Backend) -> None:
    admin, bob = backend.account(), backend.user("bob")
    transaction, store = Transaction(), UserNotificationStore()
    store.add(transaction, admin.id, "older", {"by": "x"}, 1)
    store.add(transaction, admin.id, "newer", {}, 2)
    transaction.commit()

    notifications = store.of_user(admin.id)
    assert [(row.to_notice().kind, row.to_notice().metadata) for row in notifications] == [
        ("newer", {}),
        ("older", {"by": "x"}),
    ]
    assert store.get(admin.id, notifications[0].uuid) is not None
    assert store.get(bob.id, notifications[0].uuid) is store.get(admin.id, "") is None
    assert store.of_user(bob.id) == []
