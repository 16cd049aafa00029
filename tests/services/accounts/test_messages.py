"""Messages to everybody: superusers leave them, and everybody reads them."""

import pytest

from chalicelib.domain.errors import Denied, FieldInvalid, Unauthenticated
from chalicelib.domain.permissions import ANONYMOUS, Actor
from tests.support.backends import House
from tests.support.rows import events, rows_like

HELLO = ("hello", "info", "text/plain")


def test_a_message_is_told_until_it_is_taken_away(house: House) -> None:
    admin = house.signed_in("admin")
    made = house.services.messages.create(admin, *HELLO)

    assert house.services.messages.all() == [made]
    house.services.messages.delete(admin, made.uuid)
    house.services.messages.delete(admin, made.uuid)
    house.services.messages.delete(admin, "")
    assert house.services.messages.all() == []
    kinds = [event["kind"] for event in events(house) if "message" in event["kind"]]
    assert kinds == ["create_global_message", "delete_global_message"]


def test_only_superusers_leave_and_take_them(house: House) -> None:
    house.user("bob")
    row = house.account("admin")
    narrowed = Actor(row.id, row.name, is_superuser=True, scopes=frozenset({"user:admin"}))

    for actor, refusal in ((ANONYMOUS, Unauthenticated), (house.signed_in("bob"), Denied), (narrowed, Denied)):
        with pytest.raises(refusal):
            house.services.messages.create(actor, *HELLO)
        with pytest.raises(refusal):
            house.services.messages.delete(actor, "6b4e")


def test_a_message_that_cannot_be_is_not_kept(house: House) -> None:
    before = rows_like(house)

    with pytest.raises(FieldInvalid):
        house.services.messages.create(house.signed_in("admin"), "x", "loud", "text/plain")
    assert rows_like(house) == before
