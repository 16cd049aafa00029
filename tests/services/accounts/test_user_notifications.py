"""Tests that users read and dismiss their own notifications."""

import pytest

from chalicelib.domain.errors import Denied, ResourceUnknown, Unauthenticated
from chalicelib.domain.permissions import ANONYMOUS, Actor
from chalicelib.services.accounts.superusers import SuperuserChanges
from tests.support.backends import Backend


@pytest.fixture
def bob(backend: Backend) -> Backend:
    """A user with two notifications."""
    backend.user("bob")
    for email in ("one@example.com", "two@example.com"):
        backend.services.accounts.superusers.change(backend.signed_in("admin"), "bob", SuperuserChanges(email=email))
    return backend


def test_a_page_has_the_notifications_that_are_not_dismissed(bob: Backend) -> None:
    reader, notices = bob.signed_in("bob"), bob.services.accounts.user_notifications
    page = notices.page(reader, 0, 1)
    assert (len(page.notifications), page.more) == (1, True)

    (first,) = page.notifications
    assert notices.dismiss(reader, first.uuid, dismissed=True).dismissed
    assert [one.uuid for one in notices.page(reader, 0, 5).notifications] != [first.uuid]
    assert len(notices.page(reader, 0, 5).notifications) == 1
    assert notices.get(reader, first.uuid).dismissed
    notices.dismiss(reader, first.uuid, dismissed=False)
    assert len(notices.page(reader, 0, 5).notifications) == 2
    assert notices.page(reader, 1, 5).notifications == []


def test_nobody_else_reads_them(bob: Backend) -> None:
    (first, _) = bob.services.accounts.user_notifications.page(bob.signed_in("bob"), 0, 5).notifications
    row = bob.account("bob")
    narrowed = Actor(row.id, row.name, scopes=frozenset({"repo:admin"}))

    with pytest.raises(ResourceUnknown):
        bob.services.accounts.user_notifications.get(bob.signed_in("admin"), first.uuid)
    with pytest.raises(ResourceUnknown):
        bob.services.accounts.user_notifications.dismiss(bob.signed_in("admin"), first.uuid, dismissed=True)
    for actor, refusal in ((ANONYMOUS, Unauthenticated), (narrowed, Denied)):
        with pytest.raises(refusal):
            bob.services.accounts.user_notifications.page(actor, 0, 5)
