"""Notices: each user reads their own, and puts them away."""

import pytest

from chalicelib.domain.errors import Denied, ResourceUnknown, Unauthenticated
from chalicelib.domain.permissions import ANONYMOUS, Actor
from chalicelib.services.accounts.superusers import SuperuserChanges
from tests.support.backends import House


@pytest.fixture
def bob(house: House) -> House:
    """A user who was told something twice."""
    house.user("bob")
    for email in ("one@example.com", "two@example.com"):
        house.services.superusers.change(house.signed_in("admin"), "bob", SuperuserChanges(email=email))
    return house


def test_a_page_has_what_is_not_put_away(bob: House) -> None:
    reader, notices = bob.signed_in("bob"), bob.services.notices
    page = notices.page(reader, 0, 1)
    assert (len(page.notices), page.more) == (1, True)

    (first,) = page.notices
    assert notices.dismiss(reader, first.uuid, dismissed=True).dismissed
    assert [one.uuid for one in notices.page(reader, 0, 5).notices] != [first.uuid]
    assert len(notices.page(reader, 0, 5).notices) == 1
    assert notices.get(reader, first.uuid).dismissed
    notices.dismiss(reader, first.uuid, dismissed=False)
    assert len(notices.page(reader, 0, 5).notices) == 2
    assert notices.page(reader, 1, 5).notices == []


def test_nobody_else_reads_them(bob: House) -> None:
    (first, _) = bob.services.notices.page(bob.signed_in("bob"), 0, 5).notices
    row = bob.account("bob")
    narrowed = Actor(row.id, row.name, scopes=frozenset({"repo:admin"}))

    with pytest.raises(ResourceUnknown):
        bob.services.notices.get(bob.signed_in("admin"), first.uuid)
    with pytest.raises(ResourceUnknown):
        bob.services.notices.dismiss(bob.signed_in("admin"), first.uuid, dismissed=True)
    for actor, refusal in ((ANONYMOUS, Unauthenticated), (narrowed, Denied)):
        with pytest.raises(refusal):
            bob.services.notices.page(actor, 0, 5)
